"""A reader for plain 16-bit WAV files, at half the cost of libsndfile."""

import os
import re
import struct

import numpy as np

from .lengths import Opened

HEADER = 4096  # bytes in which a plain WAV file's sound has begun
LIMIT = 2**32  # bytes; the sizes in a header are below
UNKNOWN = 0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF  # what stands there for a size that nobody knew


class PlainWav(Opened):
    """A whole 16-bit PCM WAV file, with what is used here of a SoundFile at half its cost."""

    subtype = "PCM_16"
    flaw = None

    @classmethod
    def of(cls, path):
        """The file opened, or None where anything is unusual: that is left to libsndfile."""
        try:
            file = open(path, "rb")  # noqa: SIM115  (the caller closes it)
        except (OSError, ValueError):
            return None
        header = file.read(HEADER)
        kind, at, size = _chunks(header)
        if len(kind) == 16:
            tag, channels, rate, _, width, bits = struct.unpack("<HHIIHH", kind)
            there = os.fstat(file.fileno()).st_size
            whole = 0 < size <= there - at and there <= LIMIT
            if (tag, bits, width) == (1, 16, 2 * channels) and rate and whole and size % width == 0:
                return cls(file, at, rate, channels, size // width)
        file.close()
        return None

    def __init__(self, file, begin, samplerate, channels, frames):
        self.file, self.begin = file, begin
        self.samplerate, self.channels, self.frames = samplerate, channels, frames
        self.at = 0

    def seek(self, frame):
        self.at = frame

    def read(self, frames, dtype, always_2d):
        """int16 (frames, channels), fewer at the file's end; the arguments are SoundFile's."""
        assert dtype == "int16" and always_2d
        data = np.empty((max(0, min(frames, self.frames - self.at)), self.channels), dtype="<i2")
        self.file.seek(self.begin + self.at * 2 * self.channels)
        data = data[: self.file.readinto(data) // (2 * self.channels)]
        self.at += len(data)
        return data


def without_size(path):
    """The place of the size of a WAV file's sound, if the recorder broke off before it wrote one.

    None: the size is there, or there is no sound.
    """
    with open(path, "rb") as file:
        header = file.read(HEADER)
    _, at, size = _chunks(header)
    if size != 0 or at >= len(header) or re.match(rb"[ -~]{4}", header[at : at + 4]):
        return None  # another chunk follows: the file is empty indeed
    return at - 4


def beyond_limit(path, there):
    """(place, bytes) of the sound of a WAV file that is longer than its header can tell: the header
    holds no size, or the last 32 bits of it. None: it is right.

    there: bytes of the file.
    """
    if there <= LIMIT:
        return None
    with open(path, "rb") as file:
        header = file.read(HEADER)
    kind, at, size = _chunks(header)
    if not kind or at > len(header):
        return None
    rest = there - at
    whole = rest if size in UNKNOWN else size + (rest - size) // LIMIT * LIMIT
    return (at, whole) if whole > size else None


def _chunks(header):
    """(the chunk "fmt ", the place of the sound, its size), b"" and 0 where there is none."""
    kind, at = b"", 12
    if header[:4] != b"RIFF" or header[8:12] != b"WAVE":
        return kind, 0, 0
    while header[at : at + 4] not in (b"data", b""):
        if header[at : at + 4] == b"fmt " and not kind:
            kind = header[at + 8 : at + 24]
        at += 8 + int.from_bytes(header[at + 4 : at + 8], "little")
        at += at % 2  # a chunk of odd length is followed by a byte of padding
    return kind, at + 8, int.from_bytes(header[at + 4 : at + 8], "little")
