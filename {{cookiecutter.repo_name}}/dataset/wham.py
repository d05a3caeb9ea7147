"""WHAM!: WSJ0-2mix in the noise of cafes, bars and restaurants."""

from typing import Literal

from .wsj0mix import SpeechMixtures

SOURCES = {
    "mix_clean": ("s1", "s2"),
    "mix_both": ("s1", "s2", "noise"),
    "mix_single": ("s1", "noise"),
}


class WHAM(SpeechMixtures):
    """WHAM! as its published scripts write it::

        folder/
          wav8k/                     or wav16k/
            min/                     or max/
              tr/                    20,000 mixtures; cv/: 5,000; tt/: 3,000
                mix_clean/           s1 + s2
                mix_both/            s1 + s2 + noise
                mix_single/          s1 + noise
                s1/  s2/  noise/

    Publisher: Wichern, Antognini, Flynn, Zhu, McQuinn, Crow, Manilow, Le Roux 2019,
    http://wham.whisper.ai. License: the noise and the scripts are CC BY-NC 4.0; the speech is the
    LDC's WSJ0, which is not free.

    Args:
        folder: the folder with `wav8k` or `wav16k`.
        split: "train" (tr), "val" (cv) or "test" (tt).
        mix: "mix_clean", "mix_both" or "mix_single".
        wav: "wav8k" or "wav16k"; None: by the experiment's sample rate.
        mode: "min" or "max": mixtures are as long as the shortest or the longest utterance.
        groups: by default every signal of the mixture is a source, including the noise; with
            {s1: [s1], s2: [s2]} the speakers are the sources, and the noise stays in the mixture.
        mixture: "file": the file in the folder `mix`, or "sum" of the sources.
    """

    published = {"train": 20000, "val": 5000, "test": 3000}

    def __init__(
        self,
        folder,
        split,
        sample_rate,
        num_channels,
        stft_params,
        mix: Literal["mix_clean", "mix_both", "mix_single"] = "mix_clean",
        wav: Literal["wav8k", "wav16k"] | None = None,
        mode: Literal["min", "max"] = "min",
        groups: dict | None = None,
        mixture: Literal["file", "sum"] = "file",
    ):
        self.mix_folder, self.sources = mix, {name: name for name in SOURCES[mix]}
        super().__init__(
            folder, split, sample_rate, num_channels, stft_params, groups, wav, mode, mixture
        )
