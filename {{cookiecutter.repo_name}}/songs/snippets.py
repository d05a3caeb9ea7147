"""Four-second snippets of the built-in songs, named by eight digits, made on demand.

`30012007` is snippet 7 of song 12 of the test split: the first digit is the split (1 train, 2 val,
3 test), then four digits for the song, three for the snippet.
"""

import functools
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from audio import convert, encode_stem, mp3_round_trip
from errors import UserError
from files import write_files

from .produced import ProducedSong
from .song import SPLITS, STEMS, Song
from .sound import SAMPLE_RATE, samples

SECONDS = 4.0
LEAD = 0.25  # seconds before a snippet in which an MP3 encoder settles
PER_SONG = 10
STYLES = {"plain": Song, "produced": ProducedSong}
# goes up when the snippets' sound or format changes: old files are not taken for new
RECIPES = {"plain": "recipe2", "produced": "produced2"}


def snippet_name(split, song, snippet):
    return f"{SPLITS.index(split) + 1}{song:04d}{snippet:03d}"


def parse_name(name):
    """(split, song, snippet) of an eight-digit name."""
    return SPLITS[int(name[0]) - 1], int(name[1:5]), int(name[5:])


@functools.lru_cache(maxsize=4)
def _song(split, number, seed, style):
    """(song, [start of each snippet in seconds])"""
    for seconds in (84.0, 126.0, 168.0, 252.0):  # a song with long rests has to be longer
        song = STYLES[style](split, number, seed, seconds)
        starts, are_sung = song.excerpts(SECONDS, PER_SONG)
        if are_sung:
            break
    return song, starts


def locate(name, seed=0, style="plain"):
    """(song, start in seconds) of a snippet."""
    split, number, snippet = parse_name(name)
    song, starts = _song(split, number, seed, style)
    return song, float(starts[snippet])


def _compressed(song, start):
    """{stem: (samples, 2)} of a snippet as MP3 leaves it: each stem by itself, as in MUSDB18, so
    that they still add up to the song. The encoder begins a little before."""
    stems = song.render(start - LEAD, LEAD + SECONDS)
    return {
        stem: mp3_round_trip(sound.T.astype(np.float32), SAMPLE_RATE, song.kilobits).T[
            samples(LEAD) :
        ]
        for stem, sound in stems.items()
    }


def render(name, folder, sample_rate, num_channels, seed=0, style="plain"):
    """Make `folder/name/{vocals,drums,bass,other}.wav`, all four or none; same bytes each time.

    Raises:
        UserError: the folder cannot be written to; a package for sampled instruments is missing.
    """
    song, start = locate(name, seed, style)
    stems = song.render(start, SECONDS) if song.kilobits is None else _compressed(song, start)
    length = int(round(SECONDS * sample_rate))
    sounds = {
        stem: convert(stems[stem].T, SAMPLE_RATE, sample_rate, num_channels)[:, :length]
        for stem in STEMS
    }
    loudest = max(np.abs(s).max() for s in (*sounds.values(), sum(sounds.values())))
    gain = min(1.0, 0.98 / loudest)  # the same for all stems: their balance stays
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder, prefix=f".{name}."))
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror}); "
            "set DATA_DIRECTORY to a folder that can"
        ) from error
    try:
        write_files(
            {
                temporary / f"{stem}.wav": encode_stem(gain * sound, sample_rate)
                for stem, sound in sounds.items()
            }
        )
        os.chmod(temporary, 0o755)
        try:
            os.rename(temporary, folder / name)
        except OSError:
            if not (folder / name).is_dir():  # else another process was faster, with the same bytes
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
