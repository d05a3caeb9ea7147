"""Audio files: any that libsndfile reads, at the requested rate and channels.

Audio is float32 `(channels, samples)`, full scale being 1. A file is as long as what decodes of it,
even if the header is wrong: each format has a module here that checks it.
"""

from .coding import mp3_kilobits, through_mp3
from .conversion import convert, resampled_length
from .lengths import sound_file
from .levels import check_level, level_db
from .opening import RATES, SUFFIXES, opened
from .reading import info, read, read_excerpt
from .silence import trim_silence
from .writing import encode, encode_stem, flac_holds

__all__ = [
    "RATES",
    "SUFFIXES",
    "convert",
    "encode",
    "encode_stem",
    "flac_holds",
    "info",
    "level_db",
    "mp3_kilobits",
    "opened",
    "read",
    "resampled_length",
    "sound_file",
    "read_excerpt",
    "check_level",
    "through_mp3",
    "trim_silence",
]
