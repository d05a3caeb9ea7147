"""Removes silence at both ends of a sound."""

import numpy as np

BLOCK = 0.02  # seconds
SILENT_DB = -80.0  # in dB of full scale: a quieter block is silent, whatever the loudest one is


def trim_silence(sound, sample_rate, below_db=40.0):
    """The part of a sound from the first to the last block of 20 ms that is not silent.

    librosa's `effects.trim` does the same, but importing it takes each worker ten seconds.

    Args:
        sound: (samples,).
        sample_rate: in Hz.
        below_db: a block is silent if its power is this far below that of the loudest block, in dB.

    Returns:
        a view of `sound`; empty if all blocks are silent.
    """
    block = max(1, int(BLOCK * sample_rate))
    if len(sound) < block:
        return sound[:0]
    power = np.square(sound[: len(sound) // block * block].reshape(-1, block)).mean(axis=1)
    least = max(power.max() * 10 ** (-below_db / 10), 10 ** (SILENT_DB / 10))
    loud = np.flatnonzero(power > least)
    return sound[loud[0] * block : (loud[-1] + 1) * block] if len(loud) else sound[:0]
