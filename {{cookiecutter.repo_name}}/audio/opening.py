"""Opens audio files by the module for their format, with the correct length.

`open_file` returns a context manager with the methods and attributes of `soundfile.SoundFile` that
this project uses (`samplerate`, `channels`, `frames`, `subtype`, `seek`, `read`), and `flaw`: words
for what is missing or damaged, or None.
"""

import functools
import os
import re
import stat

import soundfile

from errors import UserError

from . import flac
from .lengths import FileSection, OpenAudio, PatchedFile, count_samples, sound_file, truncation
from .mp3 import Mp3, is_mp3
from .ogg import Ogg
from .unsupported import unsupported_format
from .wav import PlainWav, missing_size_offset, oversized_data

#: suffixes of audio files in lower case, by which folders are searched
SUFFIXES = (
    ".wav",
    ".flac",
    ".ogg",
    ".oga",
    ".opus",
    ".mp3",
    ".aiff",
    ".aif",
    ".aifc",
    ".w64",
    ".rf64",
    ".caf",
    ".au",
)
STREAMED = 0x7FFF0000  # bytes; larger sizes are placeholders of writers that did not know the size
UNKNOWN = 2**62  # samples or bytes; libsndfile uses larger numbers if a size is unknown
RATES = 1000, 1_000_000  # valid sample rates in Hz; others come from damaged headers
# lines of libsndfile's log about sizes that are larger than the file
SIZES = re.compile(r"^\s*(data|SSND|Data Size|Riff size|riff)\s*: (\d+) \(should be (\d+)\)", re.M)


def open_file(path, damaged=False):
    """Open an audio file.

    Args:
        damaged: also open truncated and damaged files? The caller then has to report `flaw`.

    Raises:
        UserError: the file does not exist, is not audio, has an impossible sample rate, or is
            truncated or damaged.
    """
    stamp = _stamp(path)
    file = PlainWav.of(path) or _open(path, stamp)
    problem = None
    if not RATES[0] <= file.samplerate <= RATES[1]:
        problem = (
            f"its header says {file.samplerate} Hz, expected {RATES[0]:,} to {RATES[1]:,}; "
            "write its true rate there, or replace it"
        )
    elif file.flaw is not None and not damaged:
        problem = f"{file.flaw}; copy it again"
    if problem is not None:
        file.close()
        raise UserError(f"{path}: {problem}")
    return file


def _open(path, stamp):
    """Open a file that is not a plain WAV file."""
    try:
        with open(path, "rb") as file:
            head = file.read(64)
        if (
            kind := unsupported_format(head)
        ) is not None:  # checked first: libmpg123 prints messages about it
            raise UserError(
                f"{path}: is {kind}, which cannot be read here; convert it to WAV or FLAC first, "
                "with ffmpeg for example"
            )
        if is_mp3(path):
            return Mp3(path, stamp)
        if head[:4] == b"OggS" and (b"vorbis" in head or b"OpusHead" in head):
            return Ogg(path, stamp)
        if head[:4] == b"fLaC" and (measured := _flac(str(path), stamp)) is not None:
            actual, declared, open_flac = measured
            return _KnownLength(open_flac(), actual, declared)
        return _by_libsndfile(path, stamp)
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        reason = getattr(error, "error_string", error)
        if str(path).lower().endswith(".mp3"):  # libsndfile says here that the file does not exist
            reason = "no MP3 in it"
        raise UserError(
            f"{path}: cannot be read as audio ({reason}); WAV, FLAC, OGG and MP3 can, "
            "other formats have to be converted first"
        ) from error


def _stamp(path):
    """(size in bytes, time of modification): the key of cached facts about a file.

    Raises:
        UserError: there is no such file, it is empty, or it is a folder, pipe or device.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        details = "" if isinstance(error, FileNotFoundError) else f" that can be read ({error})"
        raise UserError(f"{path}: no such file{details}") from error
    if stat.S_ISDIR(status.st_mode):
        raise UserError(f"{path}: is a folder where an audio file is expected")
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: is no file but a pipe or a device")
    if status.st_size == 0:
        raise UserError(f"{path}: is empty (0 bytes); replace it")
    return status.st_size, status.st_mtime_ns


@functools.lru_cache(maxsize=10_000)
def _flac(path, stamp):
    return flac.measure(path)


class _KnownLength(OpenAudio):
    """A SoundFile of which `actual` samples can be decoded and `declared` are in the header."""

    def __init__(self, file, actual, declared):
        self.file, self.frames, self.flaw = file, actual, None
        self.samplerate, self.channels = file.samplerate, file.channels
        self.subtype = file.subtype
        if actual < declared:
            self.flaw = truncation(actual, declared, file.samplerate)

    def seek(self, frame):
        if self.file.tell() != frame:
            self.file.seek(frame)

    def read(self, frames, **kwargs):
        return self.file.read(max(0, min(frames, self.frames - self.file.tell())), **kwargs)


class _ForwardOnly(_KnownLength):
    """A file whose decoder, such as that of GSM 6.10, cannot seek: it reads forward, and reopens
    the file to go back."""

    def __init__(self, path, file, actual, declared):
        super().__init__(file, actual, declared)
        self.path, self.at = path, 0

    def seek(self, frame):
        if frame < self.at:
            self.file.close()
            self.file, self.at = sound_file(self.path), 0
        while self.at < min(frame, self.frames):
            self.read(min(1 << 16, frame - self.at))

    def read(self, frames, **kwargs):
        data = self.file.read(max(0, min(frames, self.frames - self.at)), **kwargs)
        self.at += len(data)
        return data


def _by_libsndfile(path, stamp):
    """Open a file with libsndfile, and correct the length that it reports."""
    size = stamp[0]
    file = sound_file(path)
    plain = file.subtype.startswith(("PCM", "FLOAT", "DOUBLE", "ULAW", "ALAW"))
    if plain and (data := oversized_data(path, size)) is not None:
        file = _without_header(path, file, *data)
        return _KnownLength(file, file.frames, file.frames)
    offset = missing_size_offset(path) if file.frames == 0 and file.format == "WAV" else None
    if offset is not None:
        file.close()
        file = soundfile.SoundFile(PatchedFile(path, offset, b"\xff\xff\xff\xff"))
    actual = declared = file.frames
    if not plain or file.format in ("FLAC", "OGG") or actual > size:
        actual = count_samples(str(path), stamp)
        # libsndfile only estimates the number of samples of MPEG files
        if declared > UNKNOWN or file.subtype.startswith("MPEG"):
            declared = actual
    # libsndfile reports the size of a truncated file, and the size in its header only in its log
    for name, in_header, in_file in SIZES.findall(file.extra_info):
        limit = STREAMED if name in ("data", "SSND", "Data Size") else UNKNOWN
        if int(in_file) < int(in_header) < limit:
            declared = round(actual * int(in_header) / max(1, int(in_file)))
    if not file.seekable():
        return _ForwardOnly(path, file, actual, declared)
    return _KnownLength(file, actual, declared)


def _without_header(path, file, offset, size):
    """The `size` bytes at `offset` of an open WAV file as a SoundFile of raw samples."""
    form = {"samplerate": file.samplerate, "channels": file.channels, "subtype": file.subtype}
    file.close()
    section = FileSection(path, offset, offset + size)
    return soundfile.SoundFile(section, format="RAW", endian="LITTLE", **form)
