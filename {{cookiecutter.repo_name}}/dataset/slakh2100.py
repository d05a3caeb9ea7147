"""Slakh2100: 2,100 songs rendered with sample libraries, with a stem for each instrument."""

import json
from pathlib import Path
from typing import Literal

import yaml

from errors import UserError

from .base import StemDataset
from .folders import audio_files, folders, normalized
from .tracks import Track

FOLDERS = {"train": "train", "val": "validation", "test": "test"}


class Slakh2100(StemDataset):
    """Slakh2100 as it is unpacked; stems are labelled by their `inst_class` in metadata.yaml::

        folder/
          train/                     1,500 songs; 1,289 in redux
            Track00001/
              metadata.yaml          stems: {S00: {inst_class: Guitar, audio_rendered: true, ...}}
              mix.flac
              stems/
                S00.flac  S01.flac  ...
          validation/                375; 270
          test/                      225; 151
          omitted/                   in the redux archive: songs that were removed as duplicates

    Publisher: Manilow, Wichern, Seetharaman, Le Roux 2019, http://www.slakh.com (on Zenodo).
    License: CC BY 4.0. 44.1 kHz mono FLAC. In the first release, many songs come from the same MIDI
    file, in different splits too. Use the redux archive, or the publisher's redux.json
    (https://github.com/ethman/slakh-utils, splits/), by which the duplicates are omitted here.

    Args:
        folder: the folder with `train`, `validation` and `test`.
        split: "train", "val" or "test".
        groups: {label: [inst_class]}; by default Bass, Drums, Guitar and Piano as bass, drums,
            guitar and piano, without the other instruments.
        missing: what to do with a song that has none of a label's instruments, or that lacks a
            stem which its metadata list as rendered: "skip", "silence" or "error".
        mixture: "sum" of the sources, or "file": mix.flac, with all instruments.
        redux: path of redux.json.
    """

    channels = 1
    download = "slakh2100/redux.yml"
    layout = "train/, validation/, test/ with Track00001/{metadata.yaml,mix.flac,stems/S00.flac}"

    def __init__(
        self,
        folder,
        split,
        sample_rate,
        num_channels,
        stft_params,
        groups: dict | None = None,
        missing: Literal["skip", "silence", "error"] = "skip",
        mixture: Literal["sum", "file"] = "sum",
        redux: str | None = None,
    ):
        self.missing, self.mixture, self.redux = missing, mixture, redux
        if groups is None:
            groups = {name.lower(): [name] for name in ("Bass", "Drums", "Guitar", "Piano")}
        super().__init__(folder, split, sample_rate, num_channels, stft_params, groups)

    def recognises(self, folder):
        return all((folder / name).is_dir() for name in FOLDERS.values())

    def list_tracks(self, folder):
        omitted = _omitted(self.redux)
        redux = self.redux is not None or (folder / "omitted").is_dir()
        self.published = (
            {"train": 1289, "val": 270, "test": 151}
            if redux
            else {"train": 1500, "val": 375, "test": 225}
        )
        places = [
            place
            for place in folders(folder / FOLDERS[self.split])
            if place.name not in omitted and (place / "metadata.yaml").is_file()
        ]
        tracks = [self._track(place) for place in places]
        return [track for track in tracks if track is not None]

    def _track(self, place):
        """The track in a folder; None: it is skipped because a stem is missing."""
        data = _metadata(place / "metadata.yaml")
        files = audio_files(place / "stems")
        stems, absent = {}, []
        for key, stem in sorted(data["stems"].items()):
            if not stem.get("audio_rendered", True):
                continue
            if key in files:
                stems.setdefault(str(stem["inst_class"]), []).append(files[key])
            else:
                absent.append(key)
        if absent and self.missing == "error":
            raise UserError(
                f"{place}: stems {', '.join(absent)} are in metadata.yaml but not in stems/; add "
                "them, or choose missing: skip or silence"
            )
        if absent and self.missing == "skip":
            return None
        mix = audio_files(place).get("mix")
        if self.mixture == "file" and mix is None:
            raise UserError(f"{place}: no mix.flac; add it, or write mixture: sum")
        return Track(
            normalized(place.name),
            stems,
            song=str(data.get("UUID", normalized(place.name))),
            mix=mix,
        )


def _metadata(path):
    try:
        # libyaml's loader, if PyYAML was built with it, is ten times faster
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        data = yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506 (both are safe)
        if not all("inst_class" in stem for stem in data["stems"].values()):
            raise KeyError("inst_class")
        return data
    except (yaml.YAMLError, OSError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as e:
        raise UserError(
            f"{path}: not Slakh's metadata ({e}); expected `stems`, each with an `inst_class`"
        ) from e


def _omitted(path):
    """The names of the tracks that redux.json omits; none without a path."""
    if path is None:
        return set()
    try:
        actions = json.loads(Path(path).read_text(encoding="utf-8"))
        return {name for name, track in actions.items() if track["action"] == "omit"}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"redux: {path} is not the publisher's redux.json ({error}); "
            'expected {"Track00049": {"action": "omit", ...}, ...}'
        ) from error
