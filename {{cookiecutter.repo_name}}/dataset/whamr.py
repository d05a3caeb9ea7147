"""WHAMR!: WHAM! in rooms."""

from typing import Literal

from .wham import SOURCES
from .wsj0mix import SpeechMixtures


class WHAMR(SpeechMixtures):
    """WHAMR! as its published scripts write it::

        folder/
          wav8k/                            or wav16k/
            min/                            or max/
              tr/                           20,000 mixtures to train; cv/: 5,000; tt/: 3,000
                mix_clean_anechoic/         s1 + s2, without a room
                mix_clean_reverb/           the same in a room
                mix_both_anechoic/          s1 + s2 + noise
                mix_both_reverb/
                mix_single_anechoic/        s1 + noise
                mix_single_reverb/
                s1_anechoic/  s1_reverb/  s2_anechoic/  s2_reverb/  noise/

    Publisher: Maciejewski, Wichern, McQuinn, Le Roux 2020, http://wham.whisper.ai. License: the
    noise and the scripts are CC BY-NC 4.0; the speech is the LDC's WSJ0, which has to be bought.

    Args:
        folder: the folder with `wav8k` or `wav16k`.
        split: "train" (tr), "val" (cv) or "test" (tt).
        mix: "mix_clean", "mix_both" or "mix_single".
        room: is the mixture in a room ("reverb") or not ("anechoic")?
        target: the same of the sources: "anechoic" asks for separation and dereverberation.
        wav: "wav8k" or "wav16k"; None: the one of the experiment's rate.
        mode: "min" or "max".
        groups: by default every signal of the mixture is a source, the noise too;
            {s1: [s1], s2: [s2]} leaves the noise in the mixture and asks for the speakers only.
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
        self.sources = {
            name: name if name == "noise" else f"{name}_{target}" for name in SOURCES[mix]
        }
        super().__init__(
            folder, split, sample_rate, num_channels, stft_params, groups, wav, mode, mixture
        )
