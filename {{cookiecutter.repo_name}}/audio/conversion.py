"""Resampling (soxr, quality HQ) and conversion of the number of channels."""

import math

import numpy as np
import soxr

from errors import UserError

MARGIN = 256  # samples at the lower rate on each side of an excerpt: longer than soxr's HQ filter


def convert(data, rate, sample_rate, num_channels=None):
    """Resample audio and convert its number of channels.

    Args:
        data: (channels, samples).
        rate: its sample rate in Hz.
        sample_rate: the new one.
        num_channels: 1 (the mean of all), or a number to which one channel is copied; None:
            unchanged.

    Returns:
        float32 (channels, samples).

    Raises:
        UserError: several channels cannot become several others.
    """
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


def resampled_length(frames, rate, sample_rate):
    """The number of samples that `frames` samples at `rate` have after resampling."""
    return (2 * frames * sample_rate + rate) // (2 * rate)  # rounded half up, as soxr does


def source_range(start, end, rate, sample_rate):
    """The range of samples at `rate` that gives the samples `start` to `end` at `sample_rate`.

    A resampled excerpt equals the same part of the resampled whole if it begins where samples of
    both rates coincide, and if it has a margin at both ends that is longer than the filter: MARGIN
    samples at the lower of the two rates.

    Returns:
        (first, last, skipped): read the samples `first` to `last`, resample them, and skip the
        first `skipped` samples of the result.
    """
    if rate == sample_rate:
        return start, end, 0
    common = math.gcd(rate, sample_rate)
    block, resampled_block = rate // common, sample_rate // common
    margin = math.ceil(MARGIN * max(1.0, rate / sample_rate))
    blocks = max(0, (start * block // resampled_block - margin) // block)
    last = -(-end * block // resampled_block) + margin
    return blocks * block, last, start - blocks * resampled_block
