"""Whole files and excerpts of them."""

import numpy as np
import soundfile

from errors import UserError

from .conversion import around, convert, resampled_length
from .levels import check_level
from .opening import opened


def info(path):
    """(sample rate, channels, samples) of an audio file; the samples are those that decode.

    Only a header or the last bytes are read of most files, and once in a process all of an MP3 or
    Ogg file, which is not decoded.

    Raises:
        UserError: no such file, not audio, cut short.
    """
    with opened(path) as file:
        return file.samplerate, file.channels, file.frames


def read(path, sample_rate=None, num_channels=None, start=0, length=None, damaged=False):
    """Read `length` samples from `start` (None: all) as float32 `(channels, samples)`.

    start, length: in samples of the file's own rate; only this part is read. The result is
    resampled to `sample_rate` (soxr, high quality) and mixed down to one channel, or one channel
    converted to `num_channels`, where these are given. `damaged`: read what there is of a file that
    is cut short, instead of refusing it.

    Raises:
        UserError: no such file, not audio, cut short, without a sample, samples that are NaN,
            infinite or above 1e12.
    """
    with opened(path, damaged) as file:
        data, rate = _samples(path, file, start, length), file.samplerate
    return convert(data, rate, sample_rate or rate, num_channels)


def read_excerpt(path, sample_rate, num_channels, start=0, length=None, channel=None):
    """Samples `start` to `start + length` of the file as it would be whole at `sample_rate`.

    Only these, and for another rate some milliseconds around them, are read; the result is what
    `read(path, sample_rate, num_channels)` gives there: to the last bit at the file's own rate (but
    within 0.01 of full scale for speech in Opus, whose decoder remembers more than half a second),
    to 1e-6 of full scale at another one.

    Args:
        start, length: in samples at `sample_rate`; None: up to the file's end.
        channel: take only this one of the file's channels, counted from 0.

    Returns:
        float32 `(channels, length)`; beyond the file's end there is silence.

    Raises:
        UserError: as `read`; the file has no such channel, or cannot become `num_channels`.
    """
    with opened(path) as file:
        rate, frames = file.samplerate, file.frames
        if channel is not None and channel >= file.channels:
            raise UserError(
                f"{path}: has {file.channels} channel{'s' * (file.channels > 1)} where channel "
                f"{channel + 1} is to be read"
            )
        if length is None:
            length = max(0, resampled_length(frames, rate, sample_rate) - start)
        first, last, skipped = around(start, start + length, rate, sample_rate)
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
    """float32 (channels, samples) of an opened file, at its rate; complete and finite."""
    frames, integers = file.frames, file.subtype == "PCM_16"
    try:
        file.seek(min(start, frames))
        requested = frames - start if length is None else length
        # numpy converts 16-bit integers several times faster than libsndfile, to the same numbers
        data = file.read(requested, dtype="int16" if integers else "float32", always_2d=True).T
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise UserError(f"{path}: broken audio file ({error}); replace it") from error
    if data.shape[1] == 0:
        raise UserError(
            f"{path}: holds no samples (0 read from sample {start} of {frames}); replace it"
        )
    if data.shape[1] < min(requested, frames - start):
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
    check_level(f"{path}:", data)
    return data
