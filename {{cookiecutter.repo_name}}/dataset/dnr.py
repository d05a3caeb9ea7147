"""DnR: speech over music over sound effects, as in films."""

from typing import Literal

from errors import UserError

from .base import StemDataset
from .folders import audio_files, folders, no_stems, normalized
from .tracks import Track

FOLDERS = {"train": "tr", "val": "cv", "test": "tt"}
STEMS = ("speech", "music", "sfx")


class DnR(StemDataset):
    """Divide and Remaster, version 2, as it is unpacked::

        folder/                       dnr_v2/
          tr/                         mixtures of one minute
            1002/
              mix.wav  speech.wav  music.wav  sfx.wav  annots.csv
          cv/  tt/

    Publisher: Petermann, Wichern, Wang, Le Roux 2022 ("The cocktail fork problem"),
    https://zenodo.org/records/6949108. License: CC BY 4.0; made from LibriSpeech, FMA and
    FSD50K. 44.1 kHz mono.

    Args:
        folder: the folder with `tr`, `cv` and `tt`.
        split: "train" (tr), "val" (cv) or "test" (tt).
        groups: as in every dataset.
        mixture: "sum" of the sources, or "file": mix.wav.
        missing: what to do with a mixture that lacks a stem: "error", "skip" or "silence".
    """

    channels = 1
    stems = STEMS
    padded = False

    def __init__(
        self,
        folder,
        split,
        sample_rate,
        num_channels,
        stft_params,
        groups: dict | None = None,
        mixture: Literal["sum", "file"] = "sum",
        missing: Literal["error", "skip", "silence"] = "error",
    ):
        self.mixture, self.missing = mixture, missing
        self.layout = f"{FOLDERS.get(split)}/<id>/ with mix, {', '.join(STEMS)} (.wav)"
        super().__init__(folder, split, sample_rate, num_channels, stft_params, groups)

    def recognises(self, folder):
        return all((folder / name).is_dir() for name in FOLDERS.values())

    def list_tracks(self, folder):
        tracks = [self._track(place) for place in folders(folder / FOLDERS[self.split])]
        return [track for track in tracks if track is not None]

    def _track(self, place):
        """The track in a folder; None: it has no stems and is to be skipped."""
        files, name = audio_files(place), normalized(place.name)
        stems = {stem: (files[stem],) for stem in STEMS if stem in files}
        if not stems:
            if self.missing == "skip":
                return None
            raise UserError(no_stems(place, STEMS))
        if self.mixture == "file" and "mix" not in files:
            raise UserError(f"{place}: no mix.wav; add it, or write mixture: sum")
        return Track(name, stems, song=name, mix=files.get("mix"))
