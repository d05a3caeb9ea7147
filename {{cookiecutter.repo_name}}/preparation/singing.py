"""Converts speech to singing: the vocoder WORLD gives a recorded voice the pitches of a melody."""

import warnings

import numpy as np
from scipy.ndimage import gaussian_filter1d

from errors import UserError

FRAME = 0.005  # seconds
LOWEST, HIGHEST = 71.0, 800.0  # Hz, the range of pitches that are searched for in speech


def import_pyworld():
    """The module pyworld, which is optional.

    Raises:
        UserError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the end of pkg_resources in setuptools
            import pyworld
    except ImportError as error:
        raise UserError(
            f"re-sung voices need pyworld ({error}): pip install pyworld 'setuptools<81'"
        ) from error
    return pyworld


def sing(sound, sample_rate, notes, rng):
    """Convert speech to singing: the same words and voice with the pitches of a melody.

    The vocoder WORLD (Morise, Yokomori and Ozawa 2016) separates speech into pitch, spectral
    envelope and aperiodicity. Voiced segments are lengthened and get the pitches of the melody with
    portamento, vibrato and drift. The envelope is slightly scaled along frequency, like that of
    another vocal tract.

    Args:
        sound: speech, (samples,).
        sample_rate: in Hz.
        notes: infinite iterator of (MIDI pitch, seconds).
        rng: numpy's Generator.

    Returns:
        float32 (samples,), usually longer than the speech; empty if nothing is voiced.
    """
    world = import_pyworld()
    speech = np.ascontiguousarray(sound, dtype=np.float64)
    pitch, times = world.dio(speech, sample_rate, LOWEST, HIGHEST, frame_period=1000 * FRAME)
    pitch = world.stonemask(speech, pitch, times, sample_rate)
    envelope = world.cheaptrick(speech, pitch, times, sample_rate)
    aperiodicity = world.d4c(speech, pitch, times, sample_rate)
    voiced = _without_short_segments(pitch > 0)
    if not voiced.any():
        return np.zeros(0, dtype=np.float32)
    positions = _stretched_positions(voiced, rng.uniform(1.0, 2.6))
    nearest = np.minimum(np.round(positions).astype(int), len(voiced) - 1)
    spoken = 69 + 12 * np.log2(np.median(pitch[voiced & (pitch > 0)]) / 440)
    sung = _melody(voiced[nearest], notes, spoken + rng.uniform(0, 8), rng)
    envelope = _scale_formants(envelope[nearest], rng.uniform(0.87, 1.15))
    result = world.synthesize(sung, envelope, aperiodicity[nearest], sample_rate, 1000 * FRAME)
    return result.astype(np.float32)


def _without_short_segments(voiced, shortest=6):
    """`voiced`, bool (frames,), without segments below 30 ms: those are errors of the pitch tracker
    or too short to be sung."""
    edges = np.flatnonzero(np.diff(np.r_[0, voiced, 0]))
    kept = voiced.copy()
    for first, last in edges.reshape(-1, 2):
        kept[first:last] = last - first >= shortest
    return kept


def _stretched_positions(voiced, factor):
    """The position in the speech, in frames, of each frame of the singing, in which voiced frames
    are `factor` times as long."""
    lengths = np.where(voiced, factor, 1.0)
    ends = np.cumsum(lengths)
    return np.interp(np.arange(int(ends[-1])), np.r_[0, ends], np.arange(len(voiced) + 1))


def _melody(voiced, notes, middle, rng):
    """The pitch of each frame in Hz, 0 if it is unvoiced. A voiced segment begins with a new note.

    middle: MIDI pitch near which the melody is, by transposition by octaves.
    """
    pitch = np.zeros(len(voiced))
    rate, depth, scoop = rng.uniform(4.5, 6.8), rng.uniform(0.05, 0.6), rng.uniform(0, 1.5)
    octave = None
    for first, last in np.flatnonzero(np.diff(np.r_[0, voiced, 0])).reshape(-1, 2):
        while first < last:
            midi, seconds = next(notes)
            if octave is None:
                octave = 12 * round((middle - midi) / 12)
            length = max(8, int(seconds / FRAME))
            if last - first - length < 12:  # the rest would be too short for another note
                length = last - first
            time = np.arange(length) * FRAME
            vibrato = depth * np.clip((time - 0.2) / 0.3, 0, 1)
            vibrato = vibrato * np.sin(2 * np.pi * rate * time + rng.uniform(0, 6))
            start = rng.uniform(0, scoop) * np.exp(-time / 0.05)
            pitch[first : first + length] = midi + octave + vibrato - start + rng.normal(0, 0.1)
            first += length
    sung = np.flatnonzero(voiced)
    smooth = np.interp(np.arange(len(voiced)), sung, pitch[sung])
    drift = gaussian_filter1d(rng.standard_normal(len(voiced)), 10) * 0.5
    smooth = gaussian_filter1d(smooth, rng.uniform(2, 7)) + drift
    return np.where(voiced, 440 * 2 ** ((smooth - 69) / 12), 0.0)


def _scale_formants(envelope, factor):
    """Spectral envelopes (frames, bins) with formants at `factor` times their frequencies."""
    bins = np.arange(envelope.shape[1])
    at = np.minimum(bins / factor, bins[-1])
    low = np.minimum(at.astype(int), bins[-1] - 1)
    share = at - low
    logs = np.log(envelope)
    return np.ascontiguousarray(np.exp((1 - share) * logs[:, low] + share * logs[:, low + 1]))
