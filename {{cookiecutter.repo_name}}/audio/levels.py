"""Levels of audio."""

import numpy as np

from errors import UserError

MAX_SAMPLE = 1e12  # times full scale; sums of squares of larger samples overflow float32


def check_level(name, sound):
    """Raise a UserError that begins with `name` if samples exceed `MAX_SAMPLE`."""
    peak = float(np.abs(sound).max(initial=0.0))  # as float: float16 cannot represent MAX_SAMPLE
    if peak > MAX_SAMPLE:
        raise UserError(f"{name} reaches {peak:.3g}, full scale being 1; divide it by its peak")


def level_db(sound, axis=None):
    """The root mean square (RMS) level in dB of full scale, at least -200 (also of no samples).

    Args:
        sound: samples, of any shape.
        axis: the axes of the mean; None: all.

    Returns:
        a float if `axis` is None, else an array without these axes.
    """
    power = np.square(sound, dtype=np.float64)
    power = power.mean(axis=axis) if power.size else np.float64(0)
    level = 10 * np.log10(np.maximum(power, 1e-20))
    return float(level) if axis is None else level
