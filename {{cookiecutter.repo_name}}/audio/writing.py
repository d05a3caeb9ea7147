"""Encoding audio as the bytes of a file."""

import io

import numpy as np
import soundfile

from errors import UserError


def encode(data, sample_rate):
    """The bytes of a WAV file with `data` (channels, samples), whose level is not changed.

    Samples are 24-bit integers (error below 1e-7 of full scale) if the peak is below 1, else 32-bit
    floats, so that nothing clips.

    Raises:
        UserError: NaN or infinite samples.
    """
    peak = float(np.abs(data).max(initial=0.0))
    if not np.isfinite(peak):
        raise UserError("the audio to write holds NaN or infinite samples")
    return _encode(data, sample_rate, "WAV", "PCM_24" if peak < 1.0 else "FLOAT")


def encode_stem(data, sample_rate):
    """The bytes of a 16-bit WAV file with `data` (channels, samples) of a peak below 1."""
    # rounded here, because libsndfile truncates when it writes 16-bit WAV
    numbers = np.clip(np.rint(data * np.float32(2**15)), -(2**15), 2**15 - 1).astype(np.int16)
    return _encode(numbers, sample_rate, "WAV", "PCM_16")


def flac_holds(sample_rate, num_channels):
    """Can a FLAC file have this sample rate (Hz) and number of channels?

    FLAC has at most 8 channels, and at most 655,350 Hz; above 65,535 Hz only multiples of 10.
    """
    try:
        _encode(np.zeros((num_channels, 1)), sample_rate, "FLAC", "PCM_16")
    except soundfile.LibsndfileError:
        return False
    return True


def _encode(data, sample_rate, kind, subtype):
    # in memory: libsndfile reports a full disk as "System error" only
    buffer = io.BytesIO()
    soundfile.write(buffer, data.T, sample_rate, format=kind, subtype=subtype)
    return buffer.getvalue()
