"""The synthesised pitched instruments of the built-in songs.

A timbre's number determines all of its parameters. Each split has its own numbers (`TIMBRES`), so
that no instrument of the test songs occurs in training.
"""

import numpy as np

from .sound import SAMPLE_RATE, envelope, hertz, lowpass, num_samples, saw, seconds_axis, unit_power

TIMBRES = {"train": range(0, 72), "val": range(72, 90), "test": range(90, 126)}
BASS_TIMBRES = {"train": range(200, 230), "val": range(230, 238), "test": range(238, 254)}
FAMILIES = ("pluck", "keys", "organ", "pad", "bowed", "drive")
BASS_FAMILIES = ("pluck", "keys", "drive")


class Timbre:
    """One instrument."""

    def __init__(self, number):
        rng = np.random.default_rng([6007, number])
        self.number = number
        self.is_bass = number >= 200
        families = BASS_FAMILIES if self.is_bass else FAMILIES
        self.family = families[number % len(families)]
        self.bright = rng.uniform(1500, 9000) if not self.is_bass else rng.uniform(600, 3500)
        self.attack = rng.uniform(0.002, 0.03)
        self.slow_attack = rng.uniform(0.04, 0.2)
        self.release = rng.uniform(0.05, 0.25)
        self.decay = rng.uniform(0.3, 2.5)
        self.index = rng.uniform(0.8, 5.0)
        self.index_decay = rng.uniform(0.1, 0.8)
        self.ratio = float(rng.choice((1, 1, 2, 3, 1.5, 3.5, 7)))
        self.drawbars = rng.uniform(0, 1, 9) * 0.85 ** np.arange(9)
        self.tremolo = (rng.uniform(4, 7), rng.uniform(0.0, 0.2))
        self.vibrato = (rng.uniform(4.5, 6.5), rng.uniform(0.05, 0.35))
        self.detune = rng.uniform(0.03, 0.14)
        self.gain = rng.uniform(1, 8)
        self.body = rng.uniform(300, 3200, 3)  # resonance frequencies of a bowed instrument, Hz
        self.body_gain = rng.uniform(1, 5, 3)
        self.pick = rng.uniform(0.08, 0.45)  # position at which the string is plucked, 0 to 1

    def note(self, pitch, length):
        """A note at unit power: (samples,).

        Args:
            pitch: MIDI pitch.
            length: seconds for which it is held; the release follows.
        """
        # depends on the arguments only, so that the same note always sounds the same
        rng = np.random.default_rng([self.number, round(pitch * 100), round(length * 1000)])
        count = num_samples(length + self.release)
        sound = getattr(self, "_" + self.family)(hertz(pitch), count, rng)
        return unit_power(sound, over=num_samples(length))

    def _pluck(self, frequency, count, rng):
        """A plucked string (Karplus and Strong 1983), computed period by period in the frequency
        domain: each round trip multiplies the string's spectrum by the same losses."""
        period = max(int(round(SAMPLE_RATE / frequency)), 4)
        trips = count // period + 1
        harmonics = np.arange(period // 2 + 1)
        string = np.fft.rfft(rng.uniform(-1, 1, period))
        string *= np.abs(np.sin(np.pi * harmonics * self.pick)) + 0.05
        string /= np.sqrt(1 + (harmonics * SAMPLE_RATE / period / self.bright) ** 2)
        string[0] = 0
        seconds_per_trip = period / SAMPLE_RATE
        losses = np.exp(
            -6.9
            * seconds_per_trip
            / (self.decay + 0.6)
            * (1 + 6 * (harmonics * frequency / 8000) ** 1.2)
        )
        trip = np.arange(trips)[:, None]
        sound = np.fft.irfft(string * losses**trip, n=period, axis=1).ravel()[:count]
        return sound * envelope(count, 0.0005, self.release)

    def _keys(self, frequency, count, rng):
        """An electric piano: two-operator frequency modulation (Chowning 1973)."""
        time = seconds_axis(count)
        index = self.index * np.exp(-time / self.index_decay)
        modulator = index * np.sin(2 * np.pi * frequency * self.ratio * time)
        sound = np.sin(2 * np.pi * frequency * time + modulator)
        sound += 0.25 * np.sin(2 * np.pi * 2 * frequency * time + rng.uniform(0, 6))
        return sound * np.exp(-time / self.decay) * envelope(count, self.attack, self.release)

    def _organ(self, frequency, count, rng):
        time = seconds_axis(count)
        sound = np.zeros(count)
        for harmonic, level in zip((0.5, 1, 1.5, 2, 3, 4, 5, 6, 8), self.drawbars, strict=True):
            if harmonic * frequency < 12000:
                sound += level * np.sin(2 * np.pi * harmonic * frequency * time + rng.uniform(0, 6))
        rate, depth = self.tremolo
        sound = sound * (1 + depth * np.sin(2 * np.pi * rate * time))
        sound += 1e-3 * rng.standard_normal(count)
        return np.tanh(0.4 * self.gain * sound) * envelope(count, 0.01, self.release)

    def _pad(self, frequency, count, rng):
        time = seconds_axis(count)
        voices = (-self.detune, 0.0, 0.8 * self.detune)
        sound = sum(saw(frequency * 2 ** (d / 12) * time + rng.random()) for d in voices)
        return lowpass(sound, self.bright) * envelope(count, self.slow_attack, self.release)

    def _bowed(self, frequency, count, rng):
        """Strings and reeds: a sawtooth with vibrato, filtered by the resonances of a body."""
        time = seconds_axis(count)
        rate, depth = self.vibrato
        swell = np.clip((time - 0.15) / 0.3, 0, 1)
        bend = depth * swell * np.sin(2 * np.pi * rate * time + rng.uniform(0, 6))
        phase = np.cumsum(frequency * 2 ** (bend / 12)) / SAMPLE_RATE
        source = saw(phase) + 0.03 * rng.standard_normal(count)
        spectrum = np.fft.rfft(source)
        hz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
        shape = 1.0 / np.sqrt(1 + (hz / self.bright) ** 4)
        for centre, level in zip(self.body, self.body_gain, strict=True):
            shape = shape * (1 + level / (1 + ((hz - centre) / (0.15 * centre)) ** 2))
        sound = np.fft.irfft(spectrum * shape, n=count)
        return sound * envelope(count, self.slow_attack, self.release)

    def _drive(self, frequency, count, rng):
        """An overdriven string or synthesiser."""
        time = seconds_axis(count)
        rate, depth = self.vibrato
        wobble = 0.01 * depth * np.clip(time - 0.2, 0, 1) * np.sin(2 * np.pi * rate * time)
        source = saw(frequency * (time + wobble / rate) + rng.random())
        sound = np.tanh(self.gain * lowpass(source, min(self.bright, 6000)))
        return lowpass(sound, 7000, 1) * envelope(count, self.attack, self.release, self.decay, 0.6)
