"""Sound in and out: any file that libsndfile reads, at the rate and channels that are asked for.

Audio is float32 `(channels, samples)`, full scale being 1.
"""

import io
import math
import os
import re
import stat
import struct

import numpy as np
import soundfile
import soxr

from files import UserError

STREAMED = 0x7FFF0000  # bytes; what writers to a pipe promise, who cannot know, is more
OGG_PAGE = 65307  # bytes of the largest page
HEADER = 4096  # bytes in which a plain WAV file's sound has begun
MARGIN = 256  # samples of the lower rate that soxr's HQ filter is given on each side


def info(path):
    """(sample rate, channels, samples) of an audio file, from its header."""
    header = _opened(path)
    with header:
        return header.samplerate, header.channels, header.frames


def read(path, sample_rate=None, num_channels=None, start=0, length=None):
    """Read `length` samples from `start` (None: all) as float32 `(channels, samples)`.

    start, length: in samples of the file's own rate; only what is asked for is read. The result is
    resampled to `sample_rate` (soxr, high quality) and mixed down to one channel, or one channel
    laid out to `num_channels`, where these are given.

    Raises:
        UserError: no such file, not audio, cut short, without a sample, NaN or infinite samples.
    """
    with _opened(path) as file:
        data, rate = _samples(path, file, start, length), file.samplerate
    return convert(data, rate, sample_rate or rate, num_channels)


def stretch(path, sample_rate, num_channels, start=0, length=None, channel=None):
    """Samples `start` to `start + length` of the file as it would be whole at `sample_rate`.

    Only these, and for another rate some milliseconds around them, are read; the result is what
    `read(path, sample_rate, num_channels)` gives there: to the last bit at the file's own rate, to
    1e-6 of full scale at another one.

    Args:
        start, length: in samples at `sample_rate`; None: up to the file's end.
        channel: take only this one of the file's channels, counted from 0.

    Returns:
        float32 `(channels, length)`; beyond the file's end there is silence.

    Raises:
        UserError: as `read`; the file has no such channel, or cannot become `num_channels`.
    """
    with _opened(path) as file:
        rate, frames = file.samplerate, file.frames
        if channel is not None and channel >= file.channels:
            raise UserError(
                f"{path}: has {file.channels} channel{'s' * (file.channels > 1)} where channel "
                f"{channel + 1} is to be read"
            )
        if length is None:
            length = max(0, resampled_length(frames, rate, sample_rate) - start)
        first, last, skipped = _around(start, start + length, rate, sample_rate)
        last = min(last, frames)
        data = _samples(path, file, first, last - first) if first < last else None
    if data is None:
        return np.zeros((num_channels, length), dtype=np.float32)
    if channel is not None:
        data = data[channel : channel + 1]
    try:
        data = convert(data, rate, sample_rate, num_channels)[:, skipped : skipped + length]
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if data.shape[1] == length:
        return data
    return np.pad(data, ((0, 0), (0, length - data.shape[1])))


def resampled_length(frames, rate, sample_rate):
    """How many samples `frames` samples at `rate` become at `sample_rate`."""
    return (2 * frames * sample_rate + rate) // (2 * rate)  # a half is rounded up, as by soxr


def _around(start, end, rate, sample_rate):
    """(first, last, skipped): the samples at `rate` from which those at `sample_rate` are made.

    A resampled stretch equals a slice of the resampled whole if it begins where a sample of the
    one rate falls together with one of the other, and if the filter sees the samples before and
    after: MARGIN samples of the lower of the two rates.
    """
    if rate == sample_rate:
        return start, end, 0
    common = math.gcd(rate, sample_rate)
    block, resampled_block = rate // common, sample_rate // common
    margin = math.ceil(MARGIN * max(1.0, rate / sample_rate))
    blocks = max(0, (start * block // resampled_block - margin) // block)
    last = -(-end * block // resampled_block) + margin
    return blocks * block, last, start - blocks * resampled_block


def _samples(path, file, start, length):
    """float32 (channels, samples) of an opened file, at its rate; complete and finite."""
    frames, integers = file.frames, file.subtype == "PCM_16"
    try:
        file.seek(min(start, frames))
        wanted = frames - start if length is None else length
        # numpy converts 16-bit integers several times faster than libsndfile, to the same numbers
        data = file.read(wanted, dtype="int16" if integers else "float32", always_2d=True).T
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise UserError(f"{path}: broken audio file ({error}); replace it") from error
    if data.shape[1] == 0:
        raise UserError(
            f"{path}: holds no samples (0 read from sample {start} of {frames}); replace it"
        )
    if data.shape[1] < min(wanted, frames - start):
        raise UserError(
            f"{path}: cut short, {start + data.shape[1]} of {frames} samples are "
            "there; copy it again"
        )
    if integers:
        return np.multiply(data, np.float32(1 / 32768), dtype=np.float32)
    if not np.isfinite(data).all():
        raise UserError(
            f"{path}: holds NaN or infinite samples (the first at sample "
            f"{start + int(np.argmin(np.isfinite(data).all(axis=0)))}); "
            "repair the file"
        )
    return data


def convert(data, rate, sample_rate, num_channels=None):
    """`data` (channels, samples) from `rate` to `sample_rate`, and to `num_channels` if given."""
    if num_channels is not None and data.shape[0] != num_channels:
        if num_channels == 1:
            data = data.mean(axis=0, keepdims=True)
        elif data.shape[0] == 1:
            data = np.repeat(data, num_channels, axis=0)
        else:
            raise UserError(
                f"audio of {data.shape[0]} channels cannot become {num_channels}; "
                "mix it down to one channel first"
            )
    if rate != sample_rate:
        data = soxr.resample(data.T, rate, sample_rate, quality="HQ").T
    return np.ascontiguousarray(data, dtype=np.float32)


def encode(data, sample_rate):
    """The bytes of a WAV file with `data` (channels, samples) at its own level.

    24-bit integers (error below 1e-7 of full scale) where the peak is below 1; a louder signal
    becomes 32-bit float, so that nothing clips or wraps round.

    Raises:
        UserError: NaN or infinite samples.
    """
    peak = float(np.abs(data).max(initial=0.0))
    if not np.isfinite(peak):
        raise UserError("the audio to write holds NaN or infinite samples")
    return _encode(data, sample_rate, "WAV", "PCM_24" if peak < 1.0 else "FLOAT")


def encode_stem(data, sample_rate):
    """The bytes of a 16-bit WAV file with a dataset's stem, whose peak is below 1."""
    # rounded here: libsndfile cuts off what 16 bits do not hold, and only in WAV
    numbers = np.clip(np.rint(data * np.float32(2**15)), -(2**15), 2**15 - 1).astype(np.int16)
    return _encode(numbers, sample_rate, "WAV", "PCM_16")


def _encode(data, sample_rate, kind, subtype):
    # in memory: on a full disk libsndfile says no more than "System error"
    buffer = io.BytesIO()
    soundfile.write(buffer, data.T, sample_rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def _opened(path):
    if (plain := _PlainWav.of(path)) is not None:
        return plain
    try:
        status = os.stat(path)
    except OSError as error:
        there = "" if isinstance(error, FileNotFoundError) else f" that can be read ({error})"
        raise UserError(f"{path}: no such file{there}") from error
    if stat.S_ISDIR(status.st_mode):
        raise UserError(f"{path}: is a folder where an audio file is expected")
    if status.st_size == 0:
        raise UserError(f"{path}: is empty (0 bytes); replace it")
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        raise UserError(
            f"{path}: cannot be read as audio ({error}); WAV, FLAC, OGG and MP3 can, "
            "other formats have to be converted first"
        ) from error
    # libsndfile takes what is there for the whole, and tells only its log that more was promised
    sizes = re.search(r"^ ?(?:data|SSND) : (\d+) \(should be (\d+)\)", file.extra_info, re.M)
    if sizes and int(sizes[2]) < int(sizes[1]) < STREAMED:
        file.close()
        raise UserError(
            f"{path}: cut short, {sizes[2]} of {sizes[1]} bytes of sound are there; copy it again"
        )
    if file.format == "OGG" and not _ends_as_ogg(path):
        file.close()
        raise UserError(f"{path}: cut short, its last page is missing; copy it again")
    return file


class _PlainWav:
    """A whole 16-bit PCM WAV file, with what is used here of a SoundFile at half its cost."""

    subtype = "PCM_16"

    @classmethod
    def of(cls, path):
        """The file opened, or None where anything is unusual: that is left to libsndfile."""
        try:
            file = open(path, "rb")  # noqa: SIM115  (the caller closes it)
        except OSError:
            return None
        header = file.read(HEADER)
        kind, at = None, 12
        while header[at : at + 4] not in (b"data", b""):
            if header[at : at + 4] == b"fmt " and kind is None:
                kind = header[at + 8 : at + 24]
            at += 8 + int.from_bytes(header[at + 4 : at + 8], "little")
            at += at % 2  # a chunk of odd length is followed by a byte of padding
        size = int.from_bytes(header[at + 4 : at + 8], "little")
        if header[:4] == b"RIFF" and header[8:12] == b"WAVE" and len(kind or b"") == 16:
            tag, channels, rate, _, width, bits = struct.unpack("<HHIIHH", kind)
            whole = 0 < size <= os.fstat(file.fileno()).st_size - at - 8
            if (tag, bits, width) == (1, 16, 2 * channels) and rate and whole and size % width == 0:
                return cls(file, at + 8, rate, channels, size // width)
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
        return data[: self.file.readinto(data) // (2 * self.channels)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


def _ends_as_ogg(path):
    """Does an Ogg file end with the page that says so (RFC 3533)? To libsndfile any end will do."""
    with open(path, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - OGG_PAGE))
        tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or not page.startswith(b"OggS") or not page[5] & 4:
        return False
    return len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
