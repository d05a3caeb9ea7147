"""The tuning of the music in a recording, and the sample rate that compensates for it."""

import numpy as np
import scipy.fft

from errors import WrongArgument

FRAME = 0.256  # seconds of a spectrum
PIECES, SECONDS = 16, 4.0  # excerpts of a recording that are analysed, and the length of each
LOWEST, HIGHEST = 80.0, 4000.0  # Hz, where notes are looked for
LEAST = 0.1  # of the greatest magnitude of a frame: smaller peaks are not notes
WIDTH = 10.0  # cents, of the kernel that smooths the histogram: as far as voices of a chorus differ
NEAR = 12  # cents to both sides of its maximum
SURE = 0.28  # share of the weight within NEAR of a tuned recording; noise: 0.25, speech: 0.25-0.31
DEVIATION = 7.0  # cents: smaller deviations are ignored, as the estimate is off by a few itself
STEP = 10  # Hz: rates with a common divisor are resampled in short blocks


def rate_in_tune(recording, reference, sample_rate):
    """The rate to resample a recording to, so that a network that was trained at `sample_rate`
    reads notes of the tuning that it was trained on.

    Orchestras play at 442 Hz, tapes run fast or slow. What is read at a rate higher by some cents
    is lower by as many at `sample_rate`.

    Args:
        recording: as in `streams`.
        reference: frequency of A4 in Hz in the training data.

    Returns:
        `sample_rate` itself, for a recording that is in tune or that has no tuning (speech, noise).

    Raises:
        WrongArgument: `reference` is no frequency of that A.
    """
    if not 220 < reference < 880:
        raise WrongArgument(
            f"algorithm.args: tuning is {reference:g}; it is the frequency of A4, such as 440"
        )
    cents, share = tuning_of(_pieces(recording), recording.sample_rate, reference)
    if abs(cents) < DEVIATION or share < SURE:
        return sample_rate
    return STEP * round(sample_rate * 2 ** (cents / 1200) / STEP)


def tuning_of(sounds, sample_rate, reference=440.0):
    """How far the notes of a recording are from those of equal temperament.

    The deviations of all spectral peaks, weighted by their magnitudes, are a histogram over a
    semitone, whose maximum is the tuning (Dressler and Streich, "Tuning frequency estimation using
    circular statistics", ISMIR 2007, for another statistic of the same deviations).

    Args:
        sounds: excerpts of it, any number of arrays (samples,).
        reference: frequency of A4 in Hz.

    Returns:
        (deviation in cents, -50 to 50; the share of the weight within 12 cents of it).
    """
    histogram = np.zeros(100)
    for sound in sounds:
        hertz, magnitudes = _peaks(sound, sample_rate)
        cents = np.floor(1200 * np.log2(hertz / reference)).astype(int) % 100
        histogram += np.bincount(cents, weights=magnitudes, minlength=100)
    if not histogram.any():
        return 0.0, 0.0
    distance = (np.arange(100) + 50) % 100 - 50
    kernel = np.exp(-0.5 * (distance / WIDTH) ** 2)
    smooth = np.fft.irfft(np.fft.rfft(histogram) * np.fft.rfft(kernel), 100)
    highest = int(smooth.argmax())
    around = np.roll(histogram, -highest)  # the bin at `distance` from the highest
    near = np.abs(distance) <= NEAR
    weight = around[near].sum()
    mean = highest + 0.5 + (distance[near] * around[near]).sum() / weight
    return float((mean + 50) % 100 - 50), float(weight / histogram.sum())


def _pieces(recording):
    """Excerpts spread over a recording, mixed to one channel: yields (samples,)."""
    length = max(1, min(recording.length, int(SECONDS * recording.sample_rate)))
    count = min(PIECES, -(-recording.length // length))
    for start in np.linspace(0, recording.length - length, count).astype(int).tolist():
        yield recording.read(start, length).mean(axis=0)


def _peaks(sound, sample_rate):
    """(frequencies in Hz, magnitudes) of the peaks of the magnitude spectra of (samples,)."""
    size = scipy.fft.next_fast_len(int(FRAME * sample_rate), real=True)
    sound = np.pad(sound, (0, max(0, size - len(sound))))
    frames = np.lib.stride_tricks.sliding_window_view(sound, size)[:: max(1, size // 4)]
    window = np.hanning(size).astype(np.float32)
    spectrum = np.abs(scipy.fft.rfft(frames * window, axis=1))
    low, high = (max(1, int(f * size / sample_rate)) for f in (LOWEST, HIGHEST))
    high = min(high, spectrum.shape[1] - 1)  # a peak has neighbours
    below, here, above = (spectrum[:, low + i : high + i] for i in (-1, 0, 1))
    loud = here > LEAST * spectrum.max(axis=1, keepdims=True)
    frame, number = np.nonzero((here > below) & (here >= above) & loud)
    # the vertex of the parabola through the logarithms of a bin and its neighbours
    left, middle, right = (np.log(part[frame, number] + 1e-20) for part in (below, here, above))
    curvature = np.minimum(left - 2 * middle + right, -1e-6)  # 0 where all three round to the same
    shift = 0.5 * (left - right) / curvature
    return (low + number + shift) * sample_rate / size, here[frame, number]
