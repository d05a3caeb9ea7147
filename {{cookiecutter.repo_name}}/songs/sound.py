"""Signal processing for the built-in songs: units, oscillators, filters, panning and reverberation.

All audio in this package is float64 at `SAMPLE_RATE`: mono `(samples,)`, stereo `(samples, 2)`.
"""

import numpy as np
from scipy.signal import butter, firwin2, oaconvolve, sosfilt

SAMPLE_RATE = 44100
NYQUIST = SAMPLE_RATE / 2


def amplitude(decibels):
    """Decibels to a linear amplitude: 0 dB is 1, -20 dB is 0.1."""
    return 10.0 ** (decibels / 20.0)


def hertz(pitch):
    """MIDI pitch (69 is A4, 440 Hz; fractions are cents / 100) to hertz."""
    return 440.0 * 2.0 ** ((np.asarray(pitch, dtype=float) - 69.0) / 12.0)


def num_samples(seconds):
    """The number of samples in `seconds`."""
    return int(round(seconds * SAMPLE_RATE))


def seconds_axis(length):
    """The times in seconds of `length` samples, from 0."""
    return np.arange(length) / SAMPLE_RATE


def lowpass(sound, hertz_, order=2):
    return sosfilt(butter(order, min(hertz_, 0.9 * NYQUIST), fs=SAMPLE_RATE, output="sos"), sound)


def highpass(sound, hertz_, order=2):
    return sosfilt(butter(order, hertz_, "highpass", fs=SAMPLE_RATE, output="sos"), sound)


def saw(phase):
    """A sawtooth with little aliasing; phase: in cycles, increasing, (samples,).

    PolyBLEP: Valimaki, Pekonen and Nam, "Perceptually informed synthesis of bandlimited classical
    waveforms using integrated polynomial interpolation", JASA 2012.
    """
    step = np.maximum(np.diff(phase, append=2 * phase[-1] - phase[-2]), 1e-6)
    position = phase % 1.0
    wave = 2.0 * position - 1.0
    before = position > 1.0 - step
    after = position < step
    x = (position[after] / step[after]) - 1.0
    wave[after] += x * x
    x = (position[before] - 1.0) / step[before] + 1.0
    wave[before] -= x * x
    return wave


def envelope(length, attack, release, decay=None, sustain=1.0):
    """An ADSR envelope of `length` samples; attack, release: in seconds; decay: time constant in
    seconds of the fall to `sustain`, or None."""
    time = seconds_axis(length)
    shape = np.minimum(time / max(attack, 1e-4), 1.0)
    if decay is not None:
        shape *= sustain + (1.0 - sustain) * np.exp(-np.maximum(time - attack, 0.0) / decay)
    fade = min(num_samples(release) + 1, length)
    shape[length - fade :] *= np.linspace(1.0, 0.0, fade)
    return shape


def unit_power(sound, over=None):
    """Scale so that the mean square over the first `over` samples (None: all) is 1."""
    power = np.mean(np.square(sound[:over]))
    return sound / np.sqrt(power) if power > 0 else sound


def pan(sound, position):
    """Mono to stereo at `position` (-1 left, 0 centre, 1 right) with constant power."""
    angle = (position + 1.0) * np.pi / 4.0
    return sound[:, None] * np.array([np.cos(angle), np.sin(angle)]) * np.sqrt(2.0)


def add_at(track, sound, start):
    """Add `sound` to `track` in place, from sample `start`; what lies outside is ignored."""
    first, last = max(start, 0), min(start + len(sound), len(track))
    if last > first:
        track[first:last] += sound[first - start : last - start]


def channel_strip(rng, reverberation, wet, tilt, echo=None):
    """The impulse response (samples, 2) of a random equaliser, room and echo.

    Args:
        rng: numpy's Generator.
        reverberation: RT60 of the room in seconds.
        wet: level of the reverberation relative to the direct sound, in dB.
        tilt: of the equaliser around 1 kHz, in dB per octave.
        echo: (delay in seconds, level in dB) of one echo; None: none.
    """
    frequencies = np.array([0, 40, 80, 160, 320, 640, 1250, 2500, 5000, 10000, NYQUIST])
    octaves = np.log2(np.maximum(frequencies, 60) / 1000.0)
    bumps = rng.normal(0.0, 1.5, len(frequencies))
    equaliser = firwin2(513, frequencies, amplitude(tilt * octaves + bumps), fs=SAMPLE_RATE)
    length = num_samples(reverberation)
    room = rng.standard_normal((length, 2))
    room = room * np.exp(-6.9 * seconds_axis(length) / reverberation)[:, None]
    room = highpass(lowpass(room.T, rng.uniform(3000, 8000), 1), 200).T
    room *= amplitude(wet) / np.sqrt(np.mean(np.sum(room**2, axis=0)))
    before = num_samples(rng.uniform(0.004, 0.03))
    response = np.zeros((before + length + len(equaliser), 2))
    response[: len(equaliser)] += equaliser[:, None]
    response[before : before + length] += room
    if echo is not None:
        delay, level = echo
        repetition = lowpass(equaliser, 3000, 1)[:, None] * amplitude(level)
        longer = np.zeros((max(len(response), num_samples(delay) + len(equaliser)), 2))
        longer[: len(response)] += response
        longer[num_samples(delay) : num_samples(delay) + len(equaliser)] += repetition
        response = longer
    return response


def convolve(sound, response):
    """`sound` (samples, 2) convolved with `response`, cut to the length of `sound`."""
    return oaconvolve(sound, response, axes=0)[: len(sound)]
