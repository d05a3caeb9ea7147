"""Encoding audio as the bytes of a file."""

import io

import numpy as np
import soundfile

from errors import UserError


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


def flac_holds(sample_rate, num_channels):
    """Can FLAC hold audio of this rate, in Hz, and so many channels? At most 8 of them, and no
    rate above 655,350 Hz, nor one above 65,535 Hz that is no multiple of 10."""
    try:
        _encode(np.zeros((num_channels, 1)), sample_rate, "FLAC", "PCM_16")
    except soundfile.LibsndfileError:
        return False
    return True


def _encode(data, sample_rate, kind, subtype):
    # in memory: on a full disk libsndfile says no more than "System error"
    buffer = io.BytesIO()
    soundfile.write(buffer, data.T, sample_rate, format=kind, subtype=subtype)
    return buffer.getvalue()
