"""Synthesises multitrack songs, from which the built-in sample is cut.

`Song(split, number).render(start, seconds)` returns the stems vocals, drums, bass and other. It
needs only numpy and scipy, and the same numbers give the same audio. `ProducedSong` is closer to
commercial records, and needs a SoundFont and a library that plays it.
"""

from .produced import ProducedSong
from .song import SPLITS, STEMS, Song
from .sound import SAMPLE_RATE

__all__ = ["SAMPLE_RATE", "SPLITS", "STEMS", "ProducedSong", "Song"]
