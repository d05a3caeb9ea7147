"""The frequency axis of spectrograms: linear, mel or logarithmic."""

from typing import Literal, get_args

import librosa
import numpy as np

SCALE = Literal["auto", "linear", "mel", "log"]
LINEAR_UP_TO = 22050  # Hz of sample rate; above, "auto" is mel: music is in the lowest octaves
LOWEST = 30.0  # Hz, where a logarithmic axis begins
MARKS = (50, 100, 200, 500, 1000, 2000, 4000, 8000, 16000, 32000)  # Hz, of mel and log


class FrequencyAxis:
    """Positions of frequencies on an axis from 0 to 1.

    Args:
        scale: "linear", "mel" (O'Shaughnessy 1987: 2595 log10(1 + f / 700)), "log", or "auto":
            linear up to a sample rate of 22,050 Hz, mel above.
        sample_rate: in Hz; the axis ends at its half.
    """

    def __init__(self, scale, sample_rate):
        if scale not in get_args(SCALE):
            raise ValueError(f"scale is {scale!r}; write {', '.join(get_args(SCALE))}")
        if scale == "auto":
            scale = "linear" if sample_rate <= LINEAR_UP_TO else "mel"
        self.scale, self.highest = scale, sample_rate / 2

    def place(self, hertz):
        """0 to 1 of frequencies in Hz."""
        hertz = np.asarray(hertz, dtype=float)
        if self.scale == "linear":
            return hertz / self.highest
        if self.scale == "mel":
            return librosa.hz_to_mel(hertz, htk=True) / librosa.hz_to_mel(self.highest, htk=True)
        low, high = np.log(LOWEST), np.log(self.highest)
        return (np.log(np.maximum(hertz, LOWEST)) - low) / (high - low)

    def rows(self, values):
        """Resample (bins, frames) of an STFT to even steps of the axis: the same shape. A row is
        the mean of the bins that it covers, or the nearest bin."""
        if self.scale == "linear":
            return values
        bins = len(values)
        edges = np.linspace(0, 1, bins + 1)
        hertz = np.linspace(0, self.highest, 16 * bins)  # fine enough to invert by a table
        bounds = np.interp(edges, self.place(hertz), hertz) / self.highest * (bins - 1)
        sums = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
        first = np.clip(np.floor(bounds[:-1] + 0.5).astype(int), 0, bins - 1)
        last = np.maximum(np.floor(bounds[1:] + 0.5).astype(int), first + 1)
        last = np.minimum(last, bins)
        return (sums[last] - sums[first]) / (last - first)[:, None]

    def ticks(self):
        """[(0 to 1, text in kHz)]"""
        if self.scale == "linear":
            steps = (500, 1000, 2000, 5000, 10000, 20000, 50000, 100000)
            step = next((s for s in steps if self.highest / s <= 6), self.highest / 6)
            marks = np.arange(0, self.highest + 1, step)
        else:
            low = 100 if self.scale == "mel" else LOWEST
            marks = [hertz for hertz in MARKS if low < hertz <= self.highest]
        # from the top down; a tick that would overlap the one above is left out
        places, texts = [], []
        for hertz in marks[::-1]:
            place = float(self.place(hertz))
            if not places or places[-1] - place > 0.07:
                places.append(place)
                texts.append(f"{hertz / 1000:g}")
        return list(zip(places, texts, strict=True))[::-1]
