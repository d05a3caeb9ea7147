"""Sorts recordings of single speakers into the folders that `SpeakerFolder` reads."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

import audio
from errors import UserError, amount, raise_all
from files import files_below, write_files
from pool import available_cores

from .arguments import check_patterns, check_rate
from .convert import encode_16_bit
from .sorting import SPLITS, files_by_name, log, select_split


class SpeakerClips:
    """Convert clips of speakers to mono at one sample rate, with each speaker in one split::

        folder/
          train/  val/  test/
            ca/                     a speaker
              0000.wav  0001.wav  ...

    Args:
        voices: regular expressions, searched for in the path of each file; their one group is the
            name of the speaker. The same name in different folders is the same speaker.
        splits: {"val" or "test": [regular expressions]} that match whole names of speakers; the
            other speakers are for training.
        sample_rate: in Hz; recordings with a lower rate are not used.
        shortest: in seconds; shorter clips are not used.
    """

    def __init__(
        self, voices: list[str], splits: dict, sample_rate: int = 8000, shortest: float = 0.3
    ):
        self.voices, self.splits = voices, splits
        self.sample_rate, self.shortest = sample_rate, shortest
        check_rate("SpeakerClips", sample_rate)
        check_patterns("SpeakerClips", {"voices": voices}, num_groups=1)
        check_patterns("SpeakerClips", {f"splits.{key}": value for key, value in splits.items()})
        raise_all(
            f"SpeakerClips: splits has the unknown split {split!r}; write val, test"
            for split in splits
            if split not in SPLITS[1:]
        )

    def run(self, source, folder):
        missing = (
            f"SpeakerClips finds no recordings by {', '.join(self.voices)}; is FetchPackages the "
            "step before?"
        )
        found = files_by_name(source, files_below(source), self.voices, self._is_usable, missing)
        work, problems = [], []
        for split in SPLITS:
            if split != "train" and split not in self.splits:
                continue
            speakers = select_split(split, found, self.splits, "voices", "SpeakerClips")
            seconds = 0.0
            for name, paths in speakers.items():
                place = Path(folder) / split / re.sub(r"[^\w-]+", "-", name)
                work += [(path, place / f"{i:04d}.wav") for i, path in enumerate(paths)]
                seconds += sum(length / rate for rate, _, length in map(audio.info, paths))
            log.info("%s: %s, %.0f min", split, amount(len(speakers), "speaker"), seconds / 60)
        with ThreadPoolExecutor(available_cores()) as pool:
            bar = {"total": len(work), "desc": "converting", "unit": "clip", "disable": None}
            problems = list(tqdm(pool.map(lambda job: self._convert(*job), work), **bar))
        raise_all(problem for problem in problems if problem is not None)

    def _is_usable(self, path):
        rate, _, length = audio.info(path)
        return rate >= self.sample_rate and length >= self.shortest * rate

    def _convert(self, path, target):
        """Write a clip unless it exists; return None or the problem."""
        if target.exists():
            return None
        try:
            sound = audio.read(path, self.sample_rate, 1)
        except UserError as error:  # collected, so that all bad files are named
            return str(error)
        write_files({target: encode_16_bit(sound, self.sample_rate, "wav", target)})
        return None
