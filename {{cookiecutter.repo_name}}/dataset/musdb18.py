"""MUSDB18 and MUSDB18-HQ: 150 songs with the stems vocals, drums, bass and other."""

from typing import Literal

from errors import UserError

from .base import StemDataset
from .folders import audio_files, folders, no_stems, normalized
from .tracks import Track

STEMS = ("vocals", "drums", "bass", "other")
SUBSETS = {"train": "train", "val": "train", "test": "test"}
# the validation songs of the publisher's package musdb (configs/mus.yaml), which are in train/
VALIDATION = (
    "ANiMAL - Rockshow",
    "Actions - One Minute Smile",
    "Alexander Ross - Goodbye Bolero",
    "Clara Berry And Wooldog - Waltz For My Victims",
    "Fergessen - Nos Palpitants",
    "James May - On The Line",
    "Johnny Lokke - Promises & Lies",
    "Leaf - Summerghost",
    "Meaxic - Take A Step",
    "Patrick Talbot - A Reason To Leave",
    "Skelpolu - Human Mistakes",
    "Traffic Experiment - Sirens",
    "Triviul - Angelsaint",
    "Young Griffo - Pennies",
)


class MUSDB18(StemDataset):
    """MUSDB18-HQ as it is unpacked, or MUSDB18 once `scripts.prepare` has decoded its stems::

        folder/
          train/                                   100 songs, 14 of them for validation
            A Classic Education - NightOwl/
              mixture.wav  vocals.wav  drums.wav  bass.wav  other.wav
          test/                                    50 songs
            AM Contra - Heart Peripheral/
              ...

    Publisher: Rafii, Liutkus, Stoter, Mimilakis, Bittner 2017 and 2019,
    https://sigsep.github.io/datasets/musdb.html (on Zenodo). License: for non-commercial research
    and education; each song has its own license, listed on that page. 44.1 kHz stereo, 86 songs for
    training, 14 for validation (those of the publisher's package musdb), 50 for testing.

    Args:
        folder: the folder with `train` and `test`.
        split: "train", "val" or "test".
        groups: as in every dataset; {vocals: [vocals], accompaniment: ["*"]} for two sources.
        mixture: "sum" of the sources, or "file": mixture.wav.
        missing: what to do with a song that lacks a stem: "error", "skip" or "silence".
    """

    stems = STEMS
    padded = False
    download = "musdb18/hq.yml"
    published = {"train": 86, "val": 14, "test": 50}

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
        self.layout = f"{SUBSETS.get(split)}/<song>/ with {', '.join(STEMS)} (.wav)"
        super().__init__(folder, split, sample_rate, num_channels, stft_params, groups)

    def recognises(self, folder):
        return (folder / "train").is_dir() and (folder / "test").is_dir()

    def list_tracks(self, folder):
        subset = folder / SUBSETS[self.split]
        compressed = sorted(subset.glob("*.stem.mp4"))
        tracks = []
        for place in folders(subset):
            files = audio_files(place)
            if not files:
                continue
            name = normalized(place.name)
            if self.split != "test" and (name in VALIDATION) != (self.split == "val"):
                continue
            stems = {stem: (files[stem],) for stem in STEMS if stem in files}
            if not stems:
                if self.missing == "skip":
                    continue
                raise UserError(no_stems(place, STEMS))
            if self.mixture == "file" and "mixture" not in files:
                raise UserError(f"{place}: no mixture.wav; add it, or write mixture: sum")
            tracks.append(Track(name, stems, song=name, mix=files.get("mixture")))
        if compressed and not tracks:
            raise UserError(
                f"{subset}: {len(compressed)} compressed files ({compressed[0].name}, ...); decode "
                "them once with ffmpeg: python -m scripts.prepare -p data_prep/musdb18/stems.yml, "
                "and set `folder` to the folder that it makes"
            )
        return tracks
