"""Multitrack songs synthesised on the user's machine: the built-in sample is cut from them.

`Song(split, number).render(start, seconds)` gives the stems vocals, drums, bass and other. Numpy
and scipy are all it takes, and the same numbers give the same sound. `ProducedSong` is nearer to
records, and takes a SoundFont and its player.
"""

from .produced import ProducedSong
from .song import SPLITS, STEMS, Song
from .sound import SAMPLE_RATE

__all__ = ["SAMPLE_RATE", "SPLITS", "STEMS", "ProducedSong", "Song"]
