"""The front end of training and separation: computes the inputs of networks and losses.

To add a feature of the mixture, write a function in a file of your own and register it at the end
of this one: `FrontEnd.register("log_power", log_power)`. It then works in training, evaluation and
separation, including the separation of long recordings in chunks.
"""

import functools
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import nn

from compat import nussl

TARGET = Literal["phase_sensitive", "magnitude"]


class FrontEnd(nn.Module):
    """Computes waveforms, spectra, magnitudes, targets and weights of a batch, under nussl's names.

    The results equal (to 1e-5) those of nussl's transforms GetAudio,
    PhaseSensitiveSpectrumApproximation (or MagnitudeSpectrumApproximation) and MagnitudeWeights,
    which process one item at a time; this module processes a batch, on its device and without
    gradients.

    Args:
        window_length, hop_length: in samples.
        window_type: a name that nussl knows, such as "sqrt_hann".
        target: how `source_magnitudes` (and from them `ideal_binary_mask`) are computed:
            "phase_sensitive" (Erdogan, Hershey, Watanabe and Le Roux, ICASSP 2015) or "magnitude".
        names: the features to compute; None: all.

    Raises:
        ValueError: an unknown target or feature.
    """

    #: computed from the mixture alone: the possible inputs of a network
    of_mixture = ["mix_audio", "mix_spectrum", "mix_magnitude", "weights"]
    #: computed from the sources too: the targets of losses
    of_sources = ["source_audio", "source_spectra", "source_magnitudes", "ideal_binary_mask"]
    #: all features that `forward` can add to a batch
    features = [*of_mixture, *of_sources]
    #: {name: function} of the features added by `register`
    registered: dict[str, Callable] = {}

    def __init__(
        self,
        window_length,
        hop_length,
        window_type,
        target: TARGET = "phase_sensitive",
        names=None,
    ):
        super().__init__()
        self.names = frozenset(self.features if names is None else names)
        if unknown := self.names.difference(self.features):
            raise ValueError(
                f"there is no feature {', '.join(sorted(map(str, unknown)))}; "
                f"known are {', '.join(self.features)}"
            )
        if target not in get_args(TARGET):
            raise ValueError(
                f"target must be one of {', '.join(get_args(TARGET))}, found {target!r}"
            )
        self.target = target
        self.window_length, self.hop_length = window_length, hop_length
        # padding adds window_length // 2 samples at each end: one too few for an odd window
        self._odd = window_length % 2
        window = nussl.AudioSignal.get_window(window_type, window_length)
        self.register_buffer("window", torch.as_tensor(window, dtype=torch.float32))

    @classmethod
    def register(cls, name, compute):
        """Add a feature of the mixture.

        Args:
            name: the key under which networks and losses read it.
            compute: function(audio, spectrum) -> tensor (batch, ...); audio: float32 (batch,
                channels, samples); spectrum: complex (batch, frames, bins, channels).

        Raises:
            ValueError: the name is taken.
        """
        if name in cls.features:
            raise ValueError(f"there is a feature {name!r} already; choose another name")
        cls.registered[name] = compute
        cls.of_mixture.append(name)
        cls.features.append(name)

    def num_samples(self, frames):
        """The number of samples in exactly `frames` STFT frames, without padding at the end."""
        return (frames - 1) * self.hop_length + self._odd

    def segment_length(self, seconds, sample_rate):
        """The samples in an excerpt of `seconds`, rounded to whole hops, of which at least one."""
        return self.num_samples(1 + max(1, round(seconds * sample_rate / self.hop_length)))

    def _padding(self, length):
        """The number of zeros that pad `length` samples to a whole number of hops."""
        return (self._odd - length) % self.hop_length

    @property
    def margin(self):
        """Half a window, in samples: a frame extends this far to either side of its centre."""
        return self.window_length // 2

    def stft(self, audio, with_margin=False):
        """(..., samples) -> complex (..., bins, frames), scaled as nussl's (scipy's) STFT.

        The signal is padded with zeros by half a window at both ends, and then at its end to a
        whole number of hops.

        Args:
            with_margin: the signal is an excerpt of a longer one and comes with `margin` more
                samples at both ends, which are used in place of the zeros. Without them its length
                has to be `num_samples(frames)`.
        """
        if not with_margin:
            padding = (self.margin, self.margin + self._padding(audio.shape[-1]))
            # torch.stft(center=True) would copy the signal a second time
            audio = nn.functional.pad(audio, padding)
        spectrum = torch.stft(
            audio.reshape(-1, audio.shape[-1]),
            self.window_length,
            self.hop_length,
            window=self.window / self.window.sum(),
            center=False,
            return_complex=True,
        )
        return spectrum.reshape(*audio.shape[:-1], *spectrum.shape[-2:])

    def istft(self, spectrum, length):
        """The inverse of `stft`: complex (..., bins, frames) -> float (..., length)."""
        audio = torch.istft(
            (spectrum * self.window.sum()).reshape(-1, *spectrum.shape[-2:]),
            self.window_length,
            self.hop_length,
            window=self.window,
            center=True,
            length=length + self._padding(length),
        )
        return audio.reshape(*spectrum.shape[:-2], -1)[..., :length]

    @torch.no_grad()
    def forward(self, batch, with_margin=False):
        """Add the features to a batch.

        Args:
            batch: {"mix": (batch, channels, samples)} and, for the targets, "sources":
                (batch, sources, channels, samples).
            with_margin: the mixtures have a margin at both ends, as in `stft`; `mix_audio` is
                returned without it.

        Returns:
            a new dict with the entries of `batch` and these features, if they are in `names`:
            mix_audio: (batch, channels, samples);
            source_audio: (batch, channels, samples, sources);
            mix_spectrum: (batch, frames, bins, channels, 2), real and imaginary part;
            source_spectra: (batch, frames, bins, channels, 2, sources);
            mix_magnitude: (batch, frames, bins, channels);
            weights: same shape; the square root of the magnitude divided by its mean;
            source_magnitudes: (batch, frames, bins, channels, sources); if phase sensitive, clipped
            to [0, mix_magnitude];
            ideal_binary_mask: same shape; 1 for the loudest source, 0 for all where sources tie;
            registered features: as their functions return them.
        """
        samples = batch["mix"].to(self.window.dtype)
        margin = self.margin if with_margin else 0
        computed = {"mix_audio": samples[..., margin : samples.shape[-1] - margin]}
        if self.names - {"mix_audio", "source_audio"}:
            # (b, c, f, t) -> (b, t, f, c)
            mix = self.stft(samples, with_margin).permute(0, 3, 2, 1)
            computed["mix_spectrum"] = torch.view_as_real(mix)
            computed["mix_magnitude"] = magnitude = _magnitude(mix)
            if "weights" in self.names:
                computed["weights"] = _weights(magnitude)
            for name in self.names & {*self.registered}:
                computed[name] = self.registered[name](computed["mix_audio"], mix)
        if "sources" in batch:
            audio = batch["sources"].to(self.window.dtype)
            computed["source_audio"] = audio.permute(0, 2, 3, 1)
            if self.names & {"source_spectra", "source_magnitudes", "ideal_binary_mask"}:
                # (b, s, c, f, t) -> (b, t, f, c, s)
                sources = self.stft(audio).permute(0, 4, 3, 2, 1)
                computed["source_spectra"] = torch.view_as_real(sources).transpose(-1, -2)
            if self.names & {"source_magnitudes", "ideal_binary_mask"}:
                if self.target == "magnitude":
                    magnitudes = _magnitude(sources)
                else:
                    magnitudes = _phase_sensitive(sources, mix[..., None], magnitude[..., None])
                computed["source_magnitudes"] = magnitudes
            if "ideal_binary_mask" in self.names:
                computed["ideal_binary_mask"] = ideal_binary_mask(computed["source_magnitudes"])
        return {**batch, **{name: computed[name] for name in computed if name in self.names}}


def _magnitude(spectrum):
    # takes a quarter of the time of .abs(), which avoids overflow of the squares
    squares = torch.view_as_real(spectrum).square()
    return (squares[..., 0] + squares[..., 1]).sqrt_()


def _weights(magnitude):
    # as in nussl's MagnitudeWeights: sqrt(m / (sum m + 1e-6) * frames * bins)
    total = magnitude.sum(dim=(1, 2, 3), keepdim=True) + 1e-6
    return (magnitude * (magnitude.shape[1] * magnitude.shape[2] / total)).sqrt_()


def _phase_sensitive(sources, mix, magnitude):
    """|s| cos(angle(s) - angle(mix)) = Re(s conj(mix)) / |mix|, clipped to [0, |mix|]."""
    aligned = (sources * mix.conj()).real / magnitude.clamp_min(torch.finfo(magnitude.dtype).tiny)
    return torch.minimum(aligned.clamp_min_(0.0), magnitude, out=aligned)


def ideal_binary_mask(magnitudes):
    """(..., sources) -> the same shape: 1 for the loudest source, 0 for the others; 0 for all where
    the loudest ones tie."""
    sources = magnitudes.unbind(-1)
    if len(sources) == 1:
        return torch.ones_like(magnitudes)
    mask = torch.empty_like(magnitudes)
    for i, source in enumerate(sources):
        others = functools.reduce(torch.maximum, sources[:i] + sources[i + 1 :])
        torch.gt(source, others, out=mask[..., i])  # several times faster than from booleans
    return mask
