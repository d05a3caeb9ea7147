"""Recordings of single speakers, sorted into the folders that `SpeakerFolder` reads."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

import audio
from errors import UserError, amount, raise_all
from files import files_below, write_files
from pool import available_cores

from .convert import sixteen_bits
from .sorting import SPLITS, log, named, of_split


class SpeakerClips:
    """Clips of speakers at one rate, in mono, each speaker in one split::

        folder/
          train/  val/  test/
            ca/                     a speaker
              0000.wav  0001.wav  ...

    Args:
        voices: regular expressions, searched for in the path of each file; the one group is the
            speaker's name: what has the same name anywhere is the same speaker.
        splits: {"val" or "test": [regular expressions]} that a speaker's name matches in full; all
            others are for training.
        sample_rate: in Hz; recordings of a lower rate are left out.
        shortest: seconds; shorter clips are left out.
    """

    def __init__(
        self, voices: list[str], splits: dict, sample_rate: int = 8000, shortest: float = 0.3
    ):
        self.voices, self.splits = voices, splits
        self.sample_rate, self.shortest = sample_rate, shortest
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
        found = named(source, files_below(source), self.voices, self._is_usable, missing)
        work, problems = [], []
        for split in SPLITS:
            if split != "train" and split not in self.splits:
                continue
            mine = of_split(split, found, self.splits, "voices", "SpeakerClips")
            seconds = 0.0
            for name, paths in mine.items():
                place = Path(folder) / split / re.sub(r"[^\w-]+", "-", name)
                work += [(path, place / f"{i:04d}.wav") for i, path in enumerate(paths)]
                seconds += sum(length / rate for rate, _, length in map(audio.info, paths))
            log.info("%s: %s, %.0f min", split, amount(len(mine), "speaker"), seconds / 60)
        with ThreadPoolExecutor(available_cores()) as pool:
            bar = {"total": len(work), "desc": "converting", "unit": "clip", "disable": None}
            problems = list(tqdm(pool.map(lambda job: self._convert(*job), work), **bar))
        raise_all(problem for problem in problems if problem is not None)

    def _is_usable(self, path):
        rate, _, length = audio.info(path)
        return rate >= self.sample_rate and length >= self.shortest * rate

    def _convert(self, path, target):
        """Write a clip, unless it is there: None, or what is wrong with it."""
        if target.exists():
            return None
        try:
            sound = audio.read(path, self.sample_rate, 1)
        except UserError as error:  # one bad file does not hide the others
            return str(error)
        write_files({target: sixteen_bits(sound, self.sample_rate, "wav", target)})
        return None
