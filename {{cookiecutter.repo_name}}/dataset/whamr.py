"""WHAMR!: the mixtures of WHAM! with reverberation."""

from typing import Literal

from .wham import SOURCES
from .wsj0mix import SpeechMixtures


class WHAMR(SpeechMixtures):
    """WHAMR! as its published scripts write it::

        folder/
          wav8k/                            or wav16k/
            min/                            or max/
              tr/                           20,000 mixtures; cv/: 5,000; tt/: 3,000
                mix_clean_anechoic/         s1 + s2, without reverberation
                mix_clean_reverb/           the same with reverberation
                mix_both_anechoic/          s1 + s2 + noise
                mix_both_reverb/
                mix_single_anechoic/        s1 + noise
                mix_single_reverb/
                s1_anechoic/  s1_reverb/  s2_anechoic/  s2_reverb/  noise/

    Publisher: Maciejewski, Wichern, McQuinn, Le Roux 2020, http://wham.whisper.ai. License: the
    noise and the scripts are CC BY-NC 4.0; the speech is the LDC's WSJ0, which is not free.

    Args:
        folder: the folder with `wav8k` or `wav16k`.
        split: "train" (tr), "val" (cv) or "test" (tt).
        mix: "mix_clean", "mix_both" or "mix_single".
        room: the mixture, with reverberation ("reverb") or without ("anechoic").
        target: the sources, in the same way. A reverberant mixture with anechoic sources is the
            task of separation and dereverberation.
        wav: "wav8k" or "wav16k"; None: by the experiment's sample rate.
        mode: "min" or "max": mixtures are as long as the shortest or the longest utterance.
        groups: by default every signal of the mixture is a source, including the noise; with
            {s1: [s1], s2: [s2]} the speakers are the sources, and the noise stays in the mixture.
        mixture: "file": the file in the folder of the mixture, or "sum" of the sources.
    """

    published = {"train": 20000, "val": 5000, "test": 3000}

    def __init__(
        self,
        folder,
        split,
        sample_rate,
        num_channels,
        stft_params,
        mix: Literal["mix_clean", "mix_both", "mix_single"] = "mix_both",
        room: Literal["reverb", "anechoic"] = "reverb",
        target: Literal["anechoic", "reverb"] = "anechoic",
        wav: Literal["wav8k", "wav16k"] | None = None,
        mode: Literal["min", "max"] = "min",
        groups: dict | None = None,
        mixture: Literal["file", "sum"] = "file",
    ):
        self.mix_folder = f"{mix}_{room}"
        self.mixture_holds_sources = room == target
        self.sources = {
            name: name if name == "noise" else f"{name}_{target}" for name in SOURCES[mix]
        }
        super().__init__(
            folder, split, sample_rate, num_channels, stft_params, groups, wav, mode, mixture
        )
