"""Features of a batch, made where the model is: waveforms in, what networks and losses read out."""

import torch
from torch import nn

from compat import nussl


class FrontEnd(nn.Module):
    """STFT magnitudes, targets and weights of a batch of waveforms.

    Equal to nussl's transforms PhaseSensitiveSpectrumApproximation and MagnitudeWeights applied to
    each item (tests hold it to 1e-5), but for a whole batch at once, on its device.

    Args:
        window_length, hop_length: in samples.
        window_type: a name that nussl knows, "sqrt_hann" for instance.
    """

    #: what `forward` adds to a batch, for checks before anything is computed
    features = ("mix_magnitude", "source_magnitudes", "ideal_binary_mask", "weights")

    def __init__(self, window_length, hop_length, window_type):
        super().__init__()
        self.window_length, self.hop_length = window_length, hop_length
        self.odd = window_length % 2  # half a window before and after the signal is one short
        window = nussl.AudioSignal.get_window(window_type, window_length)
        self.register_buffer("window", torch.as_tensor(window, dtype=torch.float32))

    def samples(self, frames):
        """How many samples have just `frames` STFT frames."""
        return (frames - 1) * self.hop_length + self.odd

    def _missing(self, length):
        """How many samples `length` is short of whole frames."""
        return (self.odd - length) % self.hop_length

    def stft(self, audio):
        """(..., samples) -> complex (..., bins, frames), scaled as nussl's (scipy's) STFT.

        The signal is padded with zeros by half a window, and at its end to a whole number of hops.
        """
        half = self.window_length // 2
        audio = nn.functional.pad(audio, (half, half + self._missing(audio.shape[-1])))
        spectrum = torch.stft(
            audio.reshape(-1, audio.shape[-1]),
            self.window_length,
            self.hop_length,
            window=self.window / self.window.sum(),  # dividing the spectrum takes longer
            center=False,
            return_complex=True,
        )
        return spectrum.reshape(*audio.shape[:-1], *spectrum.shape[-2:])

    def istft(self, spectrum, length):
        """The inverse of `stft`: complex (..., bins, frames) -> (..., length)."""
        audio = torch.istft(
            (spectrum * self.window.sum()).reshape(-1, *spectrum.shape[-2:]),
            self.window_length,
            self.hop_length,
            window=self.window,
            center=True,
            length=length + self._missing(length),
        )
        return audio.reshape(*spectrum.shape[:-2], -1)[..., :length]

    @torch.no_grad()
    def forward(self, batch):
        """Add the features to a batch; no gradient goes through them.

        Args:
            batch: {"mix": (batch, channels, samples)} and, for the targets, "sources":
                (batch, sources, channels, samples).

        Returns:
            a new dict with everything in `batch` and:
            mix_magnitude: (batch, frames, bins, channels);
            weights: the same shape, the square root of the magnitude over its mean;
            source_magnitudes: (batch, frames, bins, channels, sources), phase sensitive and limited
            to [0, mix_magnitude] (Erdogan et al. 2015);
            ideal_binary_mask: the same shape, 1 for the loudest source, all 0 where none is.
        """
        mix = self.stft(batch["mix"]).permute(0, 3, 2, 1)  # (b, c, f, t) -> (b, t, f, c)
        real, imaginary = torch.view_as_real(mix).unbind(dim=-1)  # abs() takes twice the time
        magnitude = (real * real).addcmul_(imaginary, imaginary).sqrt_()
        features = {**batch, "mix_magnitude": magnitude}
        # nussl's, equation for equation: sqrt(m / (sum m + 1e-6) * frames * bins)
        bins = magnitude.shape[1] * magnitude.shape[2]
        total = magnitude.sum(dim=(1, 2, 3), keepdim=True) + 1e-6
        features["weights"] = (magnitude * (bins / total)).sqrt_()
        if "sources" in batch:
            # (b, s, c, f, t) -> (b, t, f, c, s)
            sources = self.stft(batch["sources"]).permute(0, 4, 3, 2, 1)
            limit = magnitude[..., None]
            # |s| cos(angle(s) - angle(mix)) = Re(s conj(mix)) / |mix|
            targets = sources.mul_(mix.conj()[..., None]).real
            targets = targets / limit.clamp_min(torch.finfo(magnitude.dtype).tiny)
            torch.minimum(targets.clamp_min_(0.0), limit, out=targets)
            features["source_magnitudes"] = targets
            features["ideal_binary_mask"] = ideal_binary_mask(targets)
        return features


def ideal_binary_mask(magnitudes):
    """1 for the one loudest source, 0 elsewhere and where sources tie: (..., sources)."""
    loudest = magnitudes == magnitudes.amax(dim=-1, keepdim=True)
    alone = loudest.sum(dim=-1, keepdim=True, dtype=torch.uint8) == 1
    return loudest.logical_and_(alone).to(magnitudes.dtype)
