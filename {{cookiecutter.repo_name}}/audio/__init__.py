"""Sound in and out: any file that libsndfile reads, at the rate and channels that are asked for.

Audio is float32 `(channels, samples)`, full scale being 1. A file is as long as what decodes of it,
whatever its header promises: each kind of file has a module here that knows where it can lie.
"""

from .conversion import convert, resampled_length
from .lengths import sound_file
from .opening import SUFFIXES, opened
from .reading import info, read, stretch
from .writing import encode, encode_stem

__all__ = [
    "SUFFIXES",
    "convert",
    "encode",
    "encode_stem",
    "info",
    "opened",
    "read",
    "resampled_length",
    "sound_file",
    "stretch",
]
