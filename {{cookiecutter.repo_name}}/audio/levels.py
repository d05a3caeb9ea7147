"""How loud a sound is."""

import numpy as np

from errors import UserError

LOUDEST = 1e12  # times full scale; the squares of louder samples do not fit float32 for long


def check_level(name, sound):
    """Raise a UserError that begins with `name` if finite samples exceed `LOUDEST`."""
    peak = float(np.abs(sound).max(initial=0.0))  # half precision cannot hold LOUDEST
    if peak > LOUDEST:
        raise UserError(f"{name} reaches {peak:.3g}, full scale being 1; divide it by its peak")


def level_db(sound, axis=None):
    """Root mean square in dB of full scale, at least -200; that of no samples is -200.

    Args:
        sound: samples.
        axis: over which the mean is taken; None: all.

    Returns:
        a number, or an array of the axes that are left.
    """
    power = np.square(sound, dtype=np.float64)
    power = power.mean(axis=axis) if power.size else np.float64(0)
    level = 10 * np.log10(np.maximum(power, 1e-20))
    return float(level) if axis is None else level
