"""The built-in sample: thousands of snippets that are made here and need no download."""

import logging
import sys
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from errors import UserError
from pool import available_cores, process_pool
from songs import snippets

from .base import StemDataset
from .tracks import Track

log = logging.getLogger("dataset")

SONGS = {"train": 300, "val": 30, "test": 300}


class Sample(StemDataset):
    """Four-second snippets of songs that are synthesised on this machine.

    Like MUSDB18's, the songs have the stems vocals, drums, bass and other; as two sources they are
    vocals and accompaniment, the sum of the other three. Songs, singers, instruments and drum kits
    of one split never occur in another. A snippet is made when it is first asked for (0.3
    CPU-seconds), kept, and the same each time::

        folder/
          16000hz-1ch-seed0-recipe2/
            test/
              30012007/            split 3 (test), song 0012, snippet 007
                vocals.wav  drums.wav  bass.wav  other.wav

    Publisher: none; nothing is downloaded and no license applies to what is made. 300 songs (3,000
    snippets) to train and to test, 30 songs (300 snippets) to validate.

    Args:
        folder: where snippets are kept.
        split: "train", "val" or "test".
        num_songs: use only the first so many songs of the split (10 snippets each).
        seed: another seed is another collection of songs.
        style: "plain" (all sound is synthesised, with numpy and scipy), or "produced" (sampled
            instruments, arranged and mastered: nearer to records; needs two more packages).
        groups: {label: [stems]}, by default {"vocals": [vocals], "accompaniment": [the others]}.

    Raises:
        UserError: `num_songs` is out of range; a snippet cannot be written, or a package that
            plays it is not installed.
    """

    def __init__(
        self,
        folder,
        split,
        sample_rate,
        num_channels,
        stft_params,
        num_songs: int | None = None,
        seed: int = 0,
        style: Literal["plain", "produced"] = "plain",
        groups: dict | None = None,
    ):
        if split not in SONGS:
            raise UserError(f"split is {split!r}; Sample has {', '.join(SONGS)}")
        self.num_songs = SONGS[split] if num_songs is None else num_songs
        if not 1 <= self.num_songs <= SONGS[split]:
            raise UserError(
                f"num_songs is {self.num_songs}; Sample's {split} split has 1 to "
                f"{SONGS[split]} songs"
            )
        self.seed, self.style = seed, style
        if groups is None:
            groups = {"vocals": ["vocals"], "accompaniment": ["drums", "bass", "other"]}
        super().__init__(folder, split, sample_rate, num_channels, stft_params, groups)

    def list_tracks(self, folder):
        kind = f"{self.sample_rate}hz-{self.num_channels}ch-seed{self.seed}"
        self.place = folder / f"{kind}-{snippets.RECIPES[self.style]}" / self.split
        length = int(round(snippets.SECONDS * self.sample_rate))
        tracks = []
        for song in range(self.num_songs):
            for number in range(snippets.PER_SONG):
                name = snippets.snippet_name(self.split, song, number)
                stems = {s: (self.place.joinpath(name, f"{s}.wav"),) for s in snippets.STEMS}
                tracks.append(
                    Track(name, stems, self.sample_rate, length, f"{self.split}{song:04d}")
                )
        return tracks

    def ensure(self, indices, progress=True):
        """Render the snippets that are not there yet, many on all cores and with a progress bar."""
        missing = [
            self.tracks[i].name for i in indices if not (self.place / self.tracks[i].name).is_dir()
        ]
        work = (
            missing,
            [self.place] * len(missing),
            [self.sample_rate] * len(missing),
            [self.num_channels] * len(missing),
            [self.seed] * len(missing),
            [self.style] * len(missing),
        )
        processes = min(available_cores(), len(missing) // 16)
        if processes < 2:
            for job in zip(*work, strict=True):
                snippets.render(*job)
            return
        if progress and not sys.stderr.isatty():  # where there is no bar
            log.info("rendering %d snippets into %s", len(missing), _short(self.place))
        bar = tqdm(
            total=len(missing),
            desc=f"making snippets in {_short(self.place)}",
            unit="snippet",
            disable=None if progress else True,
        )
        with bar, process_pool(processes) as executor:
            for _ in executor.map(snippets.render, *work, chunksize=snippets.PER_SONG):
                bar.update()


def _short(path):
    path = Path(path).absolute()
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
