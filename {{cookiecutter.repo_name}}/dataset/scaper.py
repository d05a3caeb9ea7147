"""Soundscapes that Scaper generated, with their isolated events."""

import json
import re
from pathlib import Path, PureWindowsPath
from typing import Literal

from errors import UserError

from .base import SPLITS, StemDataset
from .folders import plain
from .tracks import Track


class Scaper(StemDataset):
    """What Scaper writes with `save_isolated_events=True`; a source is all events of one label::

        folder/
          train/                         train, val and test; or none of them: then `folder` itself
            soundscape0.wav
            soundscape0.jams
            soundscape0_events/
              background0_street.wav
              foreground0_siren.wav  foreground1_dog.wav  ...

    Made with Scaper (Salamon, MacConnell, Cartwright, Li, Bello 2017); no publisher, and the
    license is that of the sounds. Events are looked for beside the jams file first, as folders get
    moved, and then where it says.

    Args:
        folder: as above. Without folders `train`, `val` and `test` in it, each split needs a folder
            of its own.
        split: "train", "val" or "test".
        groups: {source: [event labels]}; None: each label is a source.
        mixture: "file": the soundscape, or "sum" of the sources.
        missing: what to do with a soundscape that has no event of a source: "error", "skip" or
            "silence".
    """

    def __init__(
        self,
        folder,
        split,
        sample_rate,
        num_channels,
        stft_params,
        groups: dict | None = None,
        mixture: Literal["file", "sum"] = "file",
        missing: Literal["error", "skip", "silence"] = "error",
    ):
        self.mixture, self.missing = mixture, missing
        self.layout = f"{split}/<name>.jams with <name>.wav and <name>_events/"
        super().__init__(folder, split, sample_rate, num_channels, stft_params, groups)

    def recognises(self, folder):
        return next(Path(folder).glob("*.jams"), None) is not None or (
            next((Path(folder) / self.split).glob("*.jams"), None) is not None
        )

    def list_tracks(self, folder):
        parts = [folder / split for split in SPLITS if (folder / split).is_dir()]
        place = folder / self.split if parts else folder
        return [_track(path) for path in sorted(place.glob("*.jams"))]


def _track(path):
    labels, scaper = _annotation(path)
    files = scaper.get("isolated_events_audio_path") or []
    if not files:
        raise UserError(
            f"{path}: names no isolated events; generate the soundscape with "
            "save_isolated_events=True"
        )
    if len(files) != len(labels):
        raise UserError(
            f"{path}: {len(labels)} events and {len(files)} files of isolated events; generate the "
            "soundscape anew"
        )
    stems = {}
    for label, file in zip(labels, files, strict=True):
        file = _located(path, file)
        named = re.fullmatch(r"(?:fore|back)ground\d+_(.+)", file.stem)
        if named and plain(named[1]) != plain(label):
            raise UserError(
                f"{path}: the event {label!r} has the file {file.name}, which is another's; "
                "generate the soundscape anew"
            )
        stems.setdefault(plain(label), []).append(file)
    name = plain(path.stem)
    return Track(
        name,
        {label: tuple(paths) for label, paths in stems.items()},
        mix=_located(path, scaper.get("soundscape_audio_path") or f"{path.stem}.wav"),
    )


def _annotation(path):
    """(labels of the events, Scaper's own part) of a jams file, which is JSON."""
    try:
        annotations = json.loads(path.read_text(encoding="utf-8"))["annotations"]
        annotation = next(a for a in annotations if a["namespace"] == "scaper")
        labels = [str(event["value"]["label"]) for event in annotation["data"]]
        return labels, dict(annotation["sandbox"]["scaper"])
    except StopIteration:
        raise UserError(f"{path}: has no annotation of Scaper; generate it with Scaper") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a jams file of Scaper ({error!r})") from error


def _located(jams, recorded):
    """The file that a jams file names, at that path or moved together with the jams file."""
    name = PureWindowsPath(recorded).name if "\\" in recorded else Path(recorded).name
    places = [jams.parent / f"{jams.stem}_events" / name, jams.parent / name, Path(recorded)]
    for place in places:
        if place.is_file():
            return place
    raise UserError(f"{jams}: names {recorded}, which is neither there nor at {places[0]}; copy it")
