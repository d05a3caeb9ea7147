"""Reads audio files and excerpts of them."""

import numpy as np
import soundfile

from errors import UserError, amount

from .conversion import convert, resampled_length, source_range
from .levels import check_level
from .opening import open_file


def info(path):
    """(sample rate in Hz, channels, samples that can be decoded) of an audio file.

    For most formats only the header or the last bytes are read. MP3 and Ogg files are read
    completely, once in a process, but not decoded.

    Raises:
        UserError: the file does not exist, is not audio or is truncated.
    """
    with open_file(path) as file:
        return file.samplerate, file.channels, file.frames


def read(path, sample_rate=None, num_channels=None, start=0, length=None, damaged=False):
    """Read a file, or a part of it, and convert it.

    Args:
        sample_rate: in Hz; None: the file's own rate.
        num_channels: as of `convert`; None: the file's own channels.
        start, length: in samples at the file's own rate; length None: up to the end. Only this
            part is read.
        damaged: read what can be decoded of a truncated file? Otherwise it is an error.

    Returns:
        float32 (channels, samples).

    Raises:
        UserError: the file does not exist, is not audio, is truncated or has no samples, or
            samples are NaN, infinite or above 1e12.
    """
    with open_file(path, damaged) as file:
        data, rate = _samples(path, file, start, length), file.samplerate
    return convert(data, rate, sample_rate or rate, num_channels)


def read_excerpt(path, sample_rate, num_channels, start=0, length=None, channel=None):
    """Read the samples `start` to `start + length` of a file at `sample_rate`.

    Only these samples, and a few milliseconds around them at another rate, are read. The result
    equals the same part of `read(path, sample_rate, num_channels)`: exactly at the file's own rate
    (except speech in Opus, within 0.01 of full scale, because its decoder depends on more than half
    a second of the past), and to 1e-6 of full scale at another rate.

    Args:
        start, length: in samples at `sample_rate`; length None: up to the end.
        channel: read only this channel of the file, from 0; None: all.

    Returns:
        float32 (channels, length), with zeros beyond the end of the file.

    Raises:
        UserError: as `read` and `convert`; the file has no such channel.
    """
    with open_file(path) as file:
        rate, frames = file.samplerate, file.frames
        if channel is not None and channel >= file.channels:
            raise UserError(
                f"{path}: has {amount(file.channels, 'channel')}, and channel {channel + 1} is to "
                "be read"
            )
        if length is None:
            length = max(0, resampled_length(frames, rate, sample_rate) - start)
        first, last, skipped = source_range(start, start + length, rate, sample_rate)
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


def _samples(path, file, start, length):
    """Read a part of an open file at its own rate, and check it: float32 (channels, samples)."""
    frames, is_int16 = file.frames, file.subtype == "PCM_16"
    try:
        file.seek(min(start, frames))
        requested = frames - start if length is None else length
        # numpy converts 16-bit integers several times faster than libsndfile, with the same result
        data = file.read(requested, dtype="int16" if is_int16 else "float32", always_2d=True).T
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise UserError(f"{path}: broken audio file ({error}); replace it") from error
    if data.shape[1] == 0:
        raise UserError(
            f"{path}: holds no samples (0 read from sample {start} of {frames}); replace it"
        )
    if data.shape[1] < min(requested, frames - start):
        raise UserError(
            f"{path}: cut short, it has {start + data.shape[1]} of {frames} samples; copy it again"
        )
    if is_int16:
        return np.multiply(data, np.float32(1 / 32768), dtype=np.float32)
    is_finite = np.isfinite(data).all(axis=0)
    if not is_finite.all():
        raise UserError(
            f"{path}: holds NaN or infinite samples (the first at sample "
            f"{start + int(np.argmin(is_finite))}); repair the file"
        )
    check_level(f"{path}:", data)
    return data
