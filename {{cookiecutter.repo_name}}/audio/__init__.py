"""Audio files: reads all formats of libsndfile, at any sample rate and number of channels.

Audio is float32 `(channels, samples)` with full scale 1. The length of a file is the number of
samples that can be decoded, even if its header states another one: each format has a module here
that checks this.
"""

from .coding import mp3_kilobits, mp3_round_trip
from .conversion import convert, resampled_length
from .lengths import sound_file
from .levels import check_level, level_db
from .opening import RATES, SUFFIXES, open_file
from .reading import info, read, read_excerpt
from .silence import trim_silence
from .unsupported import UNSUPPORTED
from .writing import encode, encode_stem, flac_holds

__all__ = [
    "RATES",
    "SUFFIXES",
    "UNSUPPORTED",
    "check_level",
    "convert",
    "encode",
    "encode_stem",
    "flac_holds",
    "info",
    "level_db",
    "mp3_kilobits",
    "mp3_round_trip",
    "open_file",
    "read",
    "read_excerpt",
    "resampled_length",
    "sound_file",
    "trim_silence",
]
