"""The built-in sample: thousands of synthesised snippets that need no download."""

import functools
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

    The songs have the stems of MUSDB18: vocals, drums, bass and other. By default there are two
    sources, vocals and accompaniment (the sum of the other three). No song, singer, instrument or
    drum kit is in two splits. A snippet is rendered when it is first read (0.3 CPU-seconds), stored
    in `folder`, and the same on each machine::

        folder/
          16000hz-1ch-seed0-recipe2/
            test/
              30012007/            split 3 (test), song 0012, snippet 007
                vocals.wav  drums.wav  bass.wav  other.wav

    Publisher: none; nothing is downloaded, and no license applies to the audio. 300 songs (3,000
    snippets) each for training and testing, 30 songs (300 snippets) for validation.

    Args:
        folder: the folder in which snippets are stored.
        split: "train", "val" or "test".
        num_songs: use only this many songs of the split (10 snippets each); None: all.
        seed: each seed gives another collection of songs.
        style: "plain" (synthesised with numpy and scipy) or "produced" (sampled instruments,
            arranged and mastered, closer to commercial records; needs two more packages).
        groups: {label: [stems]}, by default {"vocals": [vocals], "accompaniment": [the others]}.

    Raises:
        UserError: `num_songs` is out of range; a snippet cannot be written, or a package for
            `style: produced` is not installed.
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
        tracks, place = [], str(self.place)
        for song in range(self.num_songs):
            for number in range(snippets.PER_SONG):
                name = snippets.snippet_name(self.split, song, number)
                # text: 12,000 paths take a tenth of a second to make
                stems = {stem: (f"{place}/{name}/{stem}.wav",) for stem in snippets.STEMS}
                tracks.append(
                    Track(name, stems, self.sample_rate, length, song=f"{self.split}{song:04d}")
                )
        return tracks

    def ensure(self, indices, progress=True):
        """Render the missing snippets, by several processes if there are many."""
        names = [self.tracks[index].name for index in indices]
        missing = [name for name in names if not (self.place / name).is_dir()]
        render = functools.partial(
            snippets.render,
            folder=self.place,
            sample_rate=self.sample_rate,
            num_channels=self.num_channels,
            seed=self.seed,
            style=self.style,
        )
        processes = min(available_cores(), len(missing) // 16)
        if processes < 2:
            for name in missing:
                render(name)
            return
        if progress and not sys.stderr.isatty():  # no bar is shown there
            log.info("rendering %d snippets into %s", len(missing), _short(self.place))
        bar = tqdm(
            total=len(missing),
            desc=f"making snippets in {_short(self.place)}",
            unit="snippet",
            disable=None if progress else True,
        )
        with bar, process_pool(processes) as executor:
            for _ in executor.map(render, missing, chunksize=snippets.PER_SONG):
                bar.update()


def _short(path):
    """The path relative to the current folder, if it is below it."""
    path = Path(path).absolute()
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
