"""Opening a file by the module for its format, with its true length and its flaws.

What `opened` returns has what is used here of a `soundfile.SoundFile` (`samplerate`, `channels`,
`frames`, `subtype`, `seek`, `read`, in a `with`), and `flaw`: None, or what is missing of the file.
"""

import functools
import os
import re
import stat

import soundfile

from errors import UserError

from . import flac
from .foreign import foreign
from .lengths import Corrected, Opened, Window, counted, cut_short, sound_file
from .mp3 import Mp3, is_mp3
from .ogg import Ogg
from .wav import PlainWav, beyond_limit, without_size

#: endings of audio files, in lower case: what a folder is searched for
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
STREAMED = 0x7FFF0000  # bytes; writers to a pipe do not know the size and put a larger placeholder
ENDLESS = 2**62  # samples or bytes; libsndfile's word for: unknown
RATES = 1000, 1_000_000  # Hz; others are damaged headers, and would be resampled to absurd lengths
SIZES = re.compile(r"^\s*(data|SSND|Data Size|Riff size|riff)\s*: (\d+) \(should be (\d+)\)", re.M)


def opened(path, damaged=False):
    """Open an audio file.

    Args:
        damaged: open a file of which a part is missing too, and leave it to the caller to tell
            (`flaw`).

    Raises:
        UserError: no such file, not audio, of an impossible rate, or a part of it is missing.
    """
    stamp = _stamp(path)
    file = PlainWav.of(path) or _opened(path, stamp)
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


def _opened(path, stamp):
    try:
        with open(path, "rb") as file:
            head = file.read(64)
        if (kind := foreign(head)) is not None:  # first: libmpg123 prints what it thinks of it
            raise UserError(
                f"{path}: is {kind}, which cannot be read here; convert it to WAV or FLAC first, "
                "with ffmpeg for example"
            )
        if is_mp3(path):
            return Mp3(path, stamp)
        if head[:4] == b"OggS" and (b"vorbis" in head or b"OpusHead" in head):
            return Ogg(path, stamp)
        if head[:4] == b"fLaC" and (about := _flac(str(path), stamp)) is not None:
            return _File(about[2](), *about[:2])
        return _by_libsndfile(path, stamp)
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        reason = getattr(error, "error_string", error)
        if str(path).lower().endswith(".mp3"):  # of which libsndfile says that there is no file
            reason = "no MP3 in it"
        raise UserError(
            f"{path}: cannot be read as audio ({reason}); WAV, FLAC, OGG and MP3 can, "
            "other formats have to be converted first"
        ) from error


def _stamp(path):
    """(bytes, time of the last change): if they change, what is cached about a file is stale."""
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        there = "" if isinstance(error, FileNotFoundError) else f" that can be read ({error})"
        raise UserError(f"{path}: no such file{there}") from error
    if stat.S_ISDIR(status.st_mode):
        raise UserError(f"{path}: is a folder where an audio file is expected")
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: is no file but a pipe or a device")
    if status.st_size == 0:
        raise UserError(f"{path}: is empty (0 bytes); replace it")
    return status.st_size, status.st_mtime_ns


@functools.lru_cache(maxsize=10_000)
def _flac(path, stamp):
    return flac.measured(path)


class _File(Opened):
    """A SoundFile whose number of samples is known."""

    def __init__(self, file, there, promised):
        self.file, self.frames, self.flaw = file, there, None
        self.samplerate, self.channels = file.samplerate, file.channels
        self.subtype = file.subtype
        if there < promised:
            self.flaw = cut_short(there, promised, file.samplerate)

    def seek(self, frame):
        if self.file.tell() != frame:
            self.file.seek(frame)

    def read(self, frames, **kwargs):
        return self.file.read(max(0, min(frames, self.frames - self.file.tell())), **kwargs)


class _Forward(_File):
    """A file whose decoder, such as that of GSM 6.10, only goes forward: to go back, it starts
    again."""

    def __init__(self, path, file, there, promised):
        super().__init__(file, there, promised)
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
    file = sound_file(path)
    plain = file.subtype.startswith(("PCM", "FLOAT", "DOUBLE", "ULAW", "ALAW"))
    if plain and (sound := beyond_limit(path, stamp[0])) is not None:
        file = _without_header(path, file, *sound)
        return _File(file, file.frames, file.frames)
    place = without_size(path) if file.frames == 0 and file.format == "WAV" else None
    if place is not None:
        file.close()
        file = soundfile.SoundFile(Corrected(path, place, b"\xff\xff\xff\xff"))
    there = promised = file.frames
    if not plain or file.format in ("FLAC", "OGG") or there > stamp[0]:
        there = counted(str(path), stamp)
        # libsndfile guesses how many frames of MPEG there are
        if promised > ENDLESS or file.subtype.startswith("MPEG"):
            promised = there
    # libsndfile takes what is there for the whole, and tells only its log that more was promised
    for name, size, found in SIZES.findall(file.extra_info):
        most = STREAMED if name in ("data", "SSND", "Data Size") else ENDLESS
        if int(found) < int(size) < most:
            promised = round(there * int(size) / max(1, int(found)))
    if not file.seekable():
        return _Forward(path, file, there, promised)
    return _File(file, there, promised)


def _without_header(path, file, place, size):
    """The samples at a place of an opened WAV file, `size` bytes of them, as a SoundFile."""
    form = {"samplerate": file.samplerate, "channels": file.channels, "subtype": file.subtype}
    file.close()
    window = Window(path, place, place + size)
    return soundfile.SoundFile(window, format="RAW", endian="LITTLE", **form)
