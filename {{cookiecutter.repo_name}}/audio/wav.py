"""WAV files: a fast reader for 16-bit files, and corrections of wrong sizes in headers."""

import os
import re
import struct

import numpy as np

from .lengths import OpenAudio

HEADER = 4096  # bytes; in a plain WAV file the samples begin within them
LIMIT = 2**32  # bytes; sizes in a header are smaller
UNKNOWN = 0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF  # placeholders for an unknown size


class PlainWav(OpenAudio):
    """A complete 16-bit PCM WAV file, read like a SoundFile in half the time."""

    subtype = "PCM_16"
    flaw = None

    @classmethod
    def of(cls, path):
        """Open a file; None if anything in it is unusual, which is left to libsndfile."""
        try:
            file = open(path, "rb")  # noqa: SIM115  (the caller closes it)
        except (OSError, ValueError):
            return None
        header = file.read(HEADER)
        kind, at, size = _chunks(header)
        if len(kind) == 16:
            tag, channels, rate, _, width, bits = struct.unpack("<HHIIHH", kind)
            file_size = os.fstat(file.fileno()).st_size
            is_pcm16 = (tag, bits, width) == (1, 16, 2 * channels) and channels > 0 and rate > 0
            is_complete = 0 < size <= file_size - at and file_size <= LIMIT
            if is_pcm16 and is_complete and size % width == 0:
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


def missing_size_offset(path):
    """The offset of the size of the samples, if a recorder stopped before it wrote the size.

    None: the size is there, or there are no samples.
    """
    with open(path, "rb") as file:
        header = file.read(HEADER)
    _, at, size = _chunks(header)
    if size != 0 or at >= len(header) or re.match(rb"[ -~]{4}", header[at : at + 4]):
        return None  # another chunk follows: there are no samples
    return at - 4


def oversized_data(path, file_size):
    """(offset, bytes) of the samples of a WAV file that is too large for the sizes in its header.

    There the header has no size, or the lower 32 bits of it. None: the header is correct.

    file_size: in bytes.
    """
    if file_size <= LIMIT:
        return None
    with open(path, "rb") as file:
        header = file.read(HEADER)
    kind, at, size = _chunks(header)
    if not kind or at > len(header):
        return None
    rest = file_size - at
    actual = rest if size in UNKNOWN else size + (rest - size) // LIMIT * LIMIT
    return (at, actual) if actual > size else None


def _chunks(header):
    """(chunk "fmt ", offset of the samples, their size in bytes); b"" and 0 if there are none."""
    kind, at = b"", 12
    if header[:4] != b"RIFF" or header[8:12] != b"WAVE":
        return kind, 0, 0
    while header[at : at + 4] not in (b"data", b""):
        if header[at : at + 4] == b"fmt " and not kind:
            kind = header[at + 8 : at + 24]
        at += 8 + int.from_bytes(header[at + 4 : at + 8], "little")
        at += at % 2  # a chunk of odd length is followed by a byte of padding
    return kind, at + 8, int.from_bytes(header[at + 4 : at + 8], "little")
