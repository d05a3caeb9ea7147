"""Silence before and after a sound."""

import numpy as np

BLOCK = 0.02  # seconds
NOTHING_DB = -80.0  # of full scale: a quieter block is silent, whatever the others are


def trim_silence(sound, sample_rate, below_db=40.0):
    """A stretch of `sound` (samples,) from the first to the last block of 20 ms that is not silent.

    librosa's `effects.trim` does the same, but takes ten seconds to be imported, in each worker.

    Args:
        below_db: a block is silent if its power is so far below that of the loudest block.
    """
    block = max(1, int(BLOCK * sample_rate))
    if len(sound) < block:
        return sound[:0]
    power = np.square(sound[: len(sound) // block * block].reshape(-1, block)).mean(axis=1)
    least = max(power.max() * 10 ** (-below_db / 10), 10 ** (NOTHING_DB / 10))
    loud = np.flatnonzero(power > least)
    return sound[loud[0] * block : (loud[-1] + 1) * block] if len(loud) else sound[:0]
