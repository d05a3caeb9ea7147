"""Losses between spectra of waveforms at several resolutions."""

import math

import torch

from .sources import SourceLoss
from .waveform import FLOOR, SILENCE

WINDOW_LENGTHS = [600, 1200, 240]
HOP_LENGTHS = [120, 240, 50]
FFT_LENGTHS = [1024, 2048, 512]
COMPLEX_WINDOWS = [4096, 2048, 1024, 512, 256]
FAINTEST = 1e-7  # floor of squared magnitudes before the logarithm


class MultiResolutionSTFTLoss(SourceLoss):
    """Spectral convergence and log magnitudes, the mean over resolutions, channels and sources.

    For magnitudes E and S of estimate and source in N bins, after Yamamoto, Song and Kim, "Parallel
    WaveGAN", ICASSP 2020, whose resolutions are the defaults::

        |S - E| / |S|  +  sum of |log S - log E| / N

    Where a source is silent (120 dB below the mixture, the sum of the targets) the first term is
    |S - E| over the mixture's magnitudes; where that is silent too there is no first term.

    Args:
        permutation_invariant: see `SourceLoss`.
        window_lengths, hop_lengths, fft_lengths: in samples, one of each for a resolution; Hann
            windows, filled up with zeros to the length of the FFT.

    Raises:
        ValueError: the lists are not of one length, a hop is longer than its window, or a window
            than its FFT.
    """

    mean_over_items = True
    DEFAULT_KEYS = {"audio": "estimates", "source_audio": "targets"}

    def __init__(
        self,
        permutation_invariant: bool = True,
        window_lengths: list[int] = WINDOW_LENGTHS,
        hop_lengths: list[int] = HOP_LENGTHS,
        fft_lengths: list[int] = FFT_LENGTHS,
    ):
        super().__init__(permutation_invariant)
        lengths = (window_lengths, hop_lengths, fft_lengths)
        if len({*map(len, lengths)}) != 1 or not window_lengths:
            raise ValueError(
                "window_lengths, hop_lengths and fft_lengths need one number for each resolution, "
                f"found {', '.join(str(list(each)) for each in lengths)}"
            )
        self.resolutions = list(zip(*lengths, strict=True))
        for window, hop, fft in self.resolutions:
            if not 0 < hop <= window <= fft:
                raise ValueError(
                    "a hop must be above 0 and at most its window, which is at most its FFT, "
                    f"found hop {hop}, window {window}, FFT {fft}"
                )

    def paired(self, estimates, targets):
        """(batch, channels, samples, sources) twice -> (batch, sources)"""
        return self._mean(
            torch.linalg.vector_norm(e - s, dim=-1) / norm + (e.log() - s.log()).abs().mean(dim=-1)
            for e, s, norm in self._spectrograms(estimates, targets)
        )

    def pairwise(self, estimates, targets):
        return self._mean(
            torch.cdist(e, s) / norm[:, :, None] + torch.cdist(e.log(), s.log(), p=1) / s.shape[-1]
            for e, s, norm in self._spectrograms(estimates, targets)
        )

    def _mean(self, costs):
        """Of the resolutions' costs (batch, channels, ...)."""
        return sum(cost.mean(dim=1) for cost in costs) / len(self.resolutions)

    def _spectrograms(self, estimates, targets):
        """For each resolution: magnitudes of estimates and targets (batch, channels, sources,
        bins), and what a difference from each target is measured by (batch, channels, sources)."""
        for resolution in self.resolutions:
            spectra = _stft(targets, *resolution)
            energy = _power(spectra).sum(dim=-1)
            mixture = _power(spectra.sum(dim=2, keepdim=True)).sum(dim=-1)
            silent = energy <= (FLOOR * mixture).clamp_min(SILENCE)
            measure = torch.where(silent, mixture, energy)
            # infinite: what is divided by it is 0
            norm = torch.where(measure <= SILENCE, torch.inf, measure).sqrt()
            yield _magnitude(_stft(estimates, *resolution)), _magnitude(spectra), norm


class ComplexSTFTLoss(SourceLoss):
    """Mean absolute differences of waveforms, and of real and imaginary parts of their spectra::

        waveform_weight * mean |e - s|  +  mean over resolutions of mean |E - S|_1

    as band-split networks are trained: Luo and Yu, TASLP 2023, section III-D, with one resolution;
    Lu, Wang, Kong and Hung, ICASSP 2024, equation (7), with five, which are the defaults. Spectra
    are those of a Hann window whose squares add up to 1.

    Args:
        permutation_invariant: see `SourceLoss`.
        window_lengths: in samples, one for each resolution.
        hop_length: in samples, of all.
        waveform_weight: of the waveforms' difference beside that of the spectra.

    Raises:
        ValueError: no window, or a hop that is longer than one.
    """

    mean_over_items = True
    DEFAULT_KEYS = {"audio": "estimates", "source_audio": "targets"}

    def __init__(
        self,
        permutation_invariant: bool = True,
        window_lengths: list[int] = COMPLEX_WINDOWS,
        hop_length: int = 147,
        waveform_weight: float = 1.0,
    ):
        super().__init__(permutation_invariant)
        if not window_lengths or not 0 < hop_length <= min(window_lengths):
            raise ValueError(
                "hop_length must be above 0 and at most the shortest of window_lengths, found "
                f"{hop_length} and {list(window_lengths)}"
            )
        self.window_lengths, self.hop_length = window_lengths, hop_length
        self.waveform_weight = waveform_weight

    def paired(self, estimates, targets):
        """(batch, channels, samples, sources) twice -> (batch, sources)"""
        errors = estimates - targets
        cost = self.waveform_weight * errors.abs().mean(dim=(1, 2))
        for window in self.window_lengths:
            parts = torch.view_as_real(_stft(errors, window, self.hop_length, window))
            scale = math.sqrt(3 * window / 8)  # of the squares of a Hann window
            cost = cost + parts.abs().mean(dim=(1, 3, 4)) / scale / len(self.window_lengths)
        return cost


def _stft(signals, window, hop, fft):
    """(batch, channels, samples, sources) -> complex (batch, channels, sources, bins)"""
    signals = signals.movedim(-1, 2)
    spectra = torch.stft(
        signals.reshape(-1, signals.shape[-1]),
        fft,
        hop,
        window,
        window=torch.hann_window(window, dtype=signals.dtype, device=signals.device),
        pad_mode="constant",  # signals may be shorter than half a window
        return_complex=True,
    )
    return spectra.reshape(*signals.shape[:-1], -1)


def _power(spectra):
    return spectra.real.square() + spectra.imag.square()


def _magnitude(spectra):
    return _power(spectra).clamp_min(FAINTEST).sqrt()
