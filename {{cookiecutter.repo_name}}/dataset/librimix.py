"""Libri2Mix and Libri3Mix: mixtures of two or three speakers of LibriSpeech, clean or noisy."""

import csv
from typing import Literal

from errors import UserError, raise_all

from .wsj0mix import SpeechMixtures

PUBLISHED = {  # {part: (number of mixtures of two speakers, of three)}
    "train-100": (13900, 9300),
    "train-360": (50800, 33900),
    "dev": (3000, 3000),
    "test": (3000, 3000),
}


class LibriMix(SpeechMixtures):
    """Libri2Mix or Libri3Mix as its published scripts write it::

        folder/                           Libri2Mix/ or Libri3Mix/
          wav8k/                          or wav16k/
            min/                          or max/
              train-100/                  13,900 mixtures of two, 9,300 of three
                mix_clean/                s1 + s2 (+ s3)
                mix_both/                 with noise
                mix_single/               s1 + noise
                s1/  s2/  noise/          and s3/ in Libri3Mix
                  103-1240-0003_1235-135887-0017.wav
              train-360/                  50,800; 33,900
              dev/  test/                 3,000 each
              metadata/
                mixture_train-100_mix_clean.csv

    Publisher: Cosentino, Pariente, Cornell, Deleforge, Vincent 2020,
    https://github.com/JorisCos/LibriMix. License: LibriSpeech is CC BY 4.0, the noise of WHAM! CC
    BY-NC 4.0. No speaker is in two parts.

    The mixtures are those in the list in metadata/ (column `mixture_ID`), and each must have all
    its files. Without a list they are those whose files are in the folders.

    Args:
        folder: the folder with `wav8k` or `wav16k`.
        split: "train", "val" (dev) or "test".
        num_speakers: 2 or 3.
        train: the part that is the training split: "train-100" or "train-360".
        mix: "mix_clean", "mix_both" or "mix_single".
        wav: "wav8k" or "wav16k"; None: by the experiment's sample rate.
        mode: "min" or "max": mixtures are as long as the shortest or the longest utterance.
        groups: by default every signal of the mixture is a source, including the noise; with
            {s1: [s1], s2: [s2]} the speakers are the sources, and the noise stays in the mixture.
        mixture: "file": the file in the folder `mix`, or "sum" of the sources.
    """

    def __init__(
        self,
        folder,
        split,
        sample_rate,
        num_channels,
        stft_params,
        num_speakers: int = 2,
        train: Literal["train-100", "train-360"] = "train-100",
        mix: Literal["mix_clean", "mix_both", "mix_single"] = "mix_clean",
        wav: Literal["wav8k", "wav16k"] | None = None,
        mode: Literal["min", "max"] = "min",
        groups: dict | None = None,
        mixture: Literal["file", "sum"] = "file",
    ):
        if num_speakers not in (2, 3):
            raise UserError(f"num_speakers is {num_speakers}; LibriMix has 2 or 3")
        self.parts = {"train": train, "val": "dev", "test": "test"}
        self.published = {
            name: PUBLISHED[part][num_speakers - 2] for name, part in self.parts.items()
        }
        speakers = [f"s{number + 1}" for number in range(num_speakers)]
        sources = {
            "mix_clean": speakers,
            "mix_both": [*speakers, "noise"],
            "mix_single": ["s1", "noise"],
        }
        self.mix_folder, self.sources = mix, {name: name for name in sources[mix]}
        super().__init__(
            folder, split, sample_rate, num_channels, stft_params, groups, wav, mode, mixture
        )

    def names_of(self, place, signals):
        path = place.parent / "metadata" / f"mixture_{place.name}_{self.mix_folder}.csv"
        existing = super().names_of(place, signals)
        if not path.is_file() or not existing:  # an empty folder has an error message of its own
            return existing
        try:
            with open(path, encoding="utf-8-sig", newline="") as file:
                names = [row["mixture_ID"] for row in csv.DictReader(file)]
        except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
            raise UserError(
                f"{path}: not a list of LibriMix's scripts ({error!r}); expected the columns "
                "mixture_ID, mixture_path, source_1_path, ...; write it again or remove it"
            ) from error
        if not names:
            raise UserError(f"{path}: lists no mixture; write it again or remove it")
        raise_all(
            f"{path}: lists {name}, but {place} has no file of it; make the mixtures again, or "
            "remove the line"
            for name in names
            if name not in existing
        )
        return sorted(names)
