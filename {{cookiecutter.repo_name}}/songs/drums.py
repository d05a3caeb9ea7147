"""The synthesised drum kits of the built-in songs, which have different numbers in each split."""

import numpy as np

from .sound import SAMPLE_RATE, highpass, lowpass, num_samples, seconds_axis

KITS = {"train": range(0, 30), "val": range(30, 36), "test": range(36, 50)}

# {drum: (amplitude, pan from -1 (left) to 1 (right))}
LEVELS_AND_PANS = {
    "kick": (0.7, 0.0),
    "snare": (0.8, 0.05),
    "hat": (0.3, -0.35),
    "open": (0.35, -0.35),
    "ride": (0.3, 0.4),
    "crash": (0.5, 0.5),
    "tom1": (0.7, -0.3),
    "tom2": (0.7, 0.4),
    "clap": (0.5, 0.1),
    "shaker": (0.18, 0.5),
}


class Kit:
    """A drum kit; its number determines all of its sounds.

    Attributes:
        sounds: {drum: (samples,)} with a peak of 1.
    """

    def __init__(self, number):
        self.rng = np.random.default_rng([7001, number])
        sounds = {
            "kick": self._kick(),
            "snare": self._snare(),
            "clap": self._clap(),
            "shaker": self._shaker(),
            **self._cymbals(),
            "tom1": self._tom(self.rng.uniform(120, 170)),
            "tom2": self._tom(self.rng.uniform(75, 110)),
        }
        self.sounds = {drum: sound / np.abs(sound).max() for drum, sound in sounds.items()}

    def _noise(self, seconds):
        return self.rng.standard_normal(num_samples(seconds))

    @staticmethod
    def _sweep(time, low, high, fall):
        """A sine whose frequency falls from `high` to `low` Hz with time constant `fall` (s)."""
        frequency = low + (high - low) * np.exp(-time / fall)
        return np.sin(2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE)

    def _kick(self):
        rng, time = self.rng, seconds_axis(num_samples(0.5))
        body = self._sweep(
            time, rng.uniform(42, 60), rng.uniform(120, 260), rng.uniform(0.012, 0.04)
        )
        click = lowpass(self._noise(0.5), 3000) * np.exp(-time / 0.004)
        return body * np.exp(-time / rng.uniform(0.07, 0.2)) + rng.uniform(0.1, 0.4) * click

    def _snare(self):
        rng, time = self.rng, seconds_axis(num_samples(0.5))
        skin = sum(
            np.sin(2 * np.pi * f * time + rng.uniform(0, 6)) * np.exp(-time / fall)
            for f, fall in ((rng.uniform(170, 230), 0.08), (rng.uniform(290, 380), 0.05))
        )
        wires = lowpass(self._noise(0.5), rng.uniform(5000, 12000))
        wires = highpass(wires, rng.uniform(600, 1800))
        return rng.uniform(0.4, 0.8) * skin + wires * np.exp(-time / rng.uniform(0.06, 0.18))

    def _clap(self):
        rng, time = self.rng, seconds_axis(num_samples(0.35))
        bursts = sum(np.exp(-np.abs(time - t) / 0.004) for t in (0.0, 0.011, 0.023))
        tail = np.where(time > 0.03, np.exp(-(time - 0.03) / rng.uniform(0.04, 0.1)), 0.0)
        return highpass(lowpass(self._noise(0.35), rng.uniform(3500, 7000)), 900) * (bursts + tail)

    def _shaker(self):
        time = seconds_axis(num_samples(0.12))
        rise = np.minimum(time / 0.02, 1) * np.exp(-np.maximum(time - 0.02, 0) / 0.02)
        return highpass(self._noise(0.12), self.rng.uniform(3500, 6000)) * rise

    def _tom(self, hertz):
        time = seconds_axis(num_samples(0.5))
        sweep = self._sweep(time, hertz, 1.5 * hertz, 0.03) * np.exp(-time / 0.18)
        return sweep + 0.1 * self._noise(0.5) * np.exp(-time / 0.02)

    def _cymbals(self):
        """Hi-hats, ride and crash, made from the same inharmonic partials and noise."""
        rng = self.rng
        time = seconds_axis(num_samples(0.5))
        metal = (
            sum(
                np.sign(np.sin(2 * np.pi * f * time + rng.uniform(0, 6)))
                for f in rng.uniform(2500, 9500, 9)
            )
            / 6
        )
        hat = highpass(metal + 1.2 * self._noise(0.5), rng.uniform(4500, 8000))
        long = seconds_axis(num_samples(1.8))
        plate = (
            sum(
                np.sin(2 * np.pi * f * long + rng.uniform(0, 6)) * np.exp(-long / fall)
                for f, fall in zip(
                    rng.uniform(900, 12000, 30), rng.uniform(0.2, 0.8, 30), strict=True
                )
            )
            / 6
        )
        hiss = self._noise(1.8)
        return {
            "hat": hat * np.exp(-time / rng.uniform(0.02, 0.05)),
            "open": hat * np.exp(-time / rng.uniform(0.15, 0.3)),
            "crash": (plate + 0.7 * highpass(hiss, 2500) * np.exp(-long / 0.5))
            * np.minimum(1, long / 0.004),
            "ride": 0.7 * plate * np.exp(-long / 0.35)
            + 0.15 * highpass(hiss, 6000) * np.exp(-long / 0.12),
        }
