"""Resampling (soxr, high quality) and changes of the number of channels."""

import math

import numpy as np
import soxr

from errors import UserError

MARGIN = 256  # samples of the lower rate that soxr's HQ filter is given on each side


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


def resampled_length(frames, rate, sample_rate):
    """How many samples `frames` samples at `rate` become at `sample_rate`."""
    return (2 * frames * sample_rate + rate) // (2 * rate)  # a half is rounded up, as by soxr


def around(start, end, rate, sample_rate):
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
