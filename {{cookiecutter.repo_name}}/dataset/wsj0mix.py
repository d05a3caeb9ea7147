"""WSJ0-2mix and WSJ0-3mix: mixtures of two or three speakers of the Wall Street Journal corpus."""

from typing import Literal

from errors import UserError, raise_all

from .base import StemDataset
from .folders import audio_files
from .tracks import Track


class SpeechMixtures(StemDataset):
    """Base class of WSJ0Mix, WHAM, WHAMR and LibriMix.

    Their files are {wav8k,wav16k}/{min,max}/<split>/<signal>/<name>.wav, with the same names for
    all signals. Subclasses set these attributes:

    sources: {label: folder of the signal}.
    mix_folder: the folder of the mixtures.
    parts: {split: folder of the split}.
    """

    channels = 1
    padded = False
    parts = {"train": "tr", "val": "cv", "test": "tt"}

    def __init__(
        self, folder, split, sample_rate, num_channels, stft_params, groups, wav, mode, mixture
    ):
        self.wav = wav or ("wav8k" if sample_rate <= 8000 else "wav16k")
        self.mode, self.mixture = mode, mixture
        self.rate = {"wav8k": 8000, "wav16k": 16000}[self.wav]
        self.layout = f"{self.wav}/{mode}/{self.parts.get(split)}/ with the folders " + ", ".join(
            (self.mix_folder, *self.sources.values())
        )
        super().__init__(folder, split, sample_rate, num_channels, stft_params, groups)

    def recognises(self, folder):
        return (folder / self.wav / self.mode).is_dir()

    def names_of(self, place, signals):
        """The names of the mixtures of a split, sorted.

        Args:
            place: the folder of the split.
            signals: {signal: {name: path}} of the files in it.
        """
        return sorted({name for files in signals.values() for name in files})

    def list_tracks(self, folder):
        place = folder / self.wav / self.mode / self.parts[self.split]
        folders = (self.mix_folder, *self.sources.values())
        signals = {name: audio_files(place / name) for name in folders}
        names = self.names_of(place, signals)
        raise_all(
            f"{place / signal}: no {name}.wav, which other folders beside it have; add or remove it"
            for name in names
            for signal, files in signals.items()
            if name not in files
        )
        return [
            Track(
                name,
                {label: (signals[signal][name],) for label, signal in self.sources.items()},
                song=name,
                mix=signals[self.mix_folder][name],
            )
            for name in names
        ]


class WSJ0Mix(SpeechMixtures):
    """WSJ0-2mix or 3mix, as the published scripts or `scripts.prepare` write it::

        folder/
          wav8k/                     or wav16k/
            min/                     or max/: cut to the shortest, or padded to the longest
              tr/                    20,000 mixtures for training
                mix/  s1/  s2/       and s3/
                  01to030v_2.3106_20do010w_-2.3106.wav
              cv/                    5,000 for validation, with the same speakers
              tt/                    3,000 for testing, with other speakers

    Publisher: Hershey, Chen, Le Roux, Watanabe 2016 (the lists and scripts); the speech is the
    LDC's WSJ0, https://catalog.ldc.upenn.edu/LDC93S6A. License: the LDC's, which is not free; there
    is no download. data_prep/wsj0/ makes the mixtures from a licensed copy and the published lists.

    Args:
        folder: the folder with `wav8k` or `wav16k`.
        split: "train" (tr), "val" (cv) or "test" (tt).
        num_speakers: 2 or 3.
        wav: "wav8k" or "wav16k"; None: by the experiment's sample rate.
        mode: "min" or "max".
        groups: as in every dataset.
        mixture: "file": the file in mix/, or "sum" of the sources.
    """

    mix_folder = "mix"
    published = {"train": 20000, "val": 5000, "test": 3000}

    def __init__(
        self,
        folder,
        split,
        sample_rate,
        num_channels,
        stft_params,
        num_speakers: int = 2,
        wav: Literal["wav8k", "wav16k"] | None = None,
        mode: Literal["min", "max"] = "min",
        groups: dict | None = None,
        mixture: Literal["file", "sum"] = "file",
    ):
        if num_speakers not in (2, 3):
            raise UserError(f"num_speakers is {num_speakers}; WSJ0-mix has 2 or 3")
        self.sources = {f"s{number + 1}": f"s{number + 1}" for number in range(num_speakers)}
        super().__init__(
            folder, split, sample_rate, num_channels, stft_params, groups, wav, mode, mixture
        )
