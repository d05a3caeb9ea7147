"""Renders four-second snippets of the built-in songs.

Their names have eight digits: one for the split (1 train, 2 val, 3 test), four for the song, three
for the snippet. `30012007` is snippet 7 of song 12 of the test split.
"""

import functools
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from audio import convert, encode_stem, mp3_round_trip
from errors import UserError
from files import usual_mode, write_files

from .produced import ProducedSong
from .song import SPLITS, STEMS, Song
from .sound import SAMPLE_RATE, num_samples

SECONDS = 4.0
LEAD_IN = 0.25  # seconds before a snippet for the MP3 encoder's initial state
PER_SONG = 10
STYLES = {"plain": Song, "produced": ProducedSong}
# part of the folder's name: changes with the audio of the snippets, so that old ones are not used
RECIPES = {"plain": "recipe2", "produced": "produced2"}


def snippet_name(split, song, snippet):
    """The name of a snippet by its split and the numbers of song and snippet."""
    return f"{SPLITS.index(split) + 1}{song:04d}{snippet:03d}"


def parse_name(name):
    """(split, song, snippet) of an eight-digit name."""
    return SPLITS[int(name[0]) - 1], int(name[1:5]), int(name[5:])


@functools.lru_cache(maxsize=4)
def _song(split, number, seed, style):
    """(the song, start of each snippet in seconds)."""
    for seconds in (84.0, 126.0, 168.0, 252.0):  # longer until the voice sings in enough snippets
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
    """{stem: (samples, 2)} of a snippet that was encoded as MP3 and decoded.

    Each stem is encoded separately, as in MUSDB18, so that they still add up to the song.
    """
    stems = song.render(start - LEAD_IN, LEAD_IN + SECONDS)
    return {
        stem: mp3_round_trip(sound.T.astype(np.float32), SAMPLE_RATE, song.kilobits).T[
            num_samples(LEAD_IN) :
        ]
        for stem, sound in stems.items()
    }


def render(name, folder, sample_rate, num_channels, seed=0, style="plain"):
    """Write `folder/name/{vocals,drums,bass,other}.wav` atomically; the same bytes each time.

    Args:
        name: of the snippet, eight digits.
        folder: of the split.
        sample_rate, num_channels: of the files, in Hz and 1 or 2.
        seed: of the collection of songs.
        style: "plain" or "produced".

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
    gain = min(1.0, 0.98 / loudest)  # the same for all stems, which keeps their balance
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
        os.chmod(temporary, usual_mode(0o777))
        try:
            os.rename(temporary, folder / name)
        except OSError:
            if not (folder / name).is_dir():  # otherwise another process wrote the same bytes
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
