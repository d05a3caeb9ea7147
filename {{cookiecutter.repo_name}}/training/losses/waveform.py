"""Losses between waveforms in dB, with a rule for silence."""

import torch

from .sources import SourceLoss

FLOOR = 1e-12  # -120 dB, relative energy of what counts as silence beside something else
SILENCE = 1e-20  # energy (sum of squared samples) of what counts as silence by itself
SILENT_LIMIT = 30.0  # dB below the mixture: estimates of silent sources need not be quieter


class _RatioLoss(SourceLoss):
    """A negative ratio of energies in dB."""

    DEFAULT_KEYS = {"audio": "estimates", "source_audio": "targets"}

    def __init__(self, permutation_invariant: bool = True, max_db: float | None = None):
        super().__init__(permutation_invariant)
        if max_db is not None and not 0 < max_db <= 120:
            raise ValueError(f"max_db must be above 0 and at most 120, found {max_db}")
        # the soft limit as a ratio of energies: of sources that sound, and of silent ones
        self.limit = 0.0 if max_db is None else 10 ** (-max_db / 10)
        self.silent_limit = 10 ** (-(SILENT_LIMIT if max_db is None else max_db) / 10)

    def decibels(self, signal, noise, target, mixture):
        """The mean over channels of 10 log10(noise / signal), and for silent targets of
        10 log10(noise / mixture), both with the soft limit.

        All arguments are energies, (batch, channels, ...): of the part of the estimate that is the
        target and of the rest of the estimate, of the target, and of the mixture. Returns
        (batch, ...).
        """
        silent = target <= (FLOOR * mixture).clamp_min(SILENCE)
        floor = (FLOOR * target).clamp_min(FLOOR * SILENCE)
        # 1 where a ratio is not used: torch.where passes on a NaN of the other side's gradient
        numerator = torch.where(silent, 1.0, noise + self.limit * signal + floor)
        denominator = torch.where(silent, 1.0, signal + floor)
        audible = mixture > SILENCE
        of_mixture = noise / torch.where(audible, mixture, 1.0) + self.silent_limit
        ratio = torch.where(
            silent,
            torch.where(audible, of_mixture, 1.0).log10(),
            numerator.log10() - denominator.log10(),
        )
        return 10 * ratio.mean(dim=1)


class SNRLoss(_RatioLoss):
    """The negative signal-to-noise ratio: 10 log10 (|e - s|^2 / |s|^2) dB of estimate e, source s.

    The mean over channels, sources and utterances. An estimate without a sound costs 0 dB. A
    silent source (120 dB below the mixture x, which is the sum of the targets) has no ratio: its
    estimate costs 10 log10 (|e|^2 / |x|^2 + 10^(-max_db / 10)), with 30 for `max_db` if that is
    None, after Wisdom et al., "What's all the FUSS about free universal sound separation data?",
    ICASSP 2021; in a silent mixture it costs nothing.

    Args:
        permutation_invariant: see `SourceLoss`.
        max_db: a soft limit: ratios close to it hardly gain any more, as 10^(-max_db / 10) of the
            signal is added to the noise (Wisdom et al., "Unsupervised sound separation using
            mixture invariant training", NeurIPS 2020, where it is 30). None: no limit.

    Raises:
        ValueError: max_db is not above 0 and at most 120.
    """

    mean_over_items = True

    def paired(self, estimates, targets):
        """(batch, channels, samples, sources) twice -> (batch, sources)"""
        energy = _energy(targets)
        return self.decibels(energy, _energy(estimates - targets), energy, _mixture(targets))

    def pairwise(self, estimates, targets):
        inner, energy = estimates.transpose(2, 3) @ targets, _energy(targets)[:, :, None]
        noise = _energy(estimates)[..., None] - 2 * inner + energy
        mixture = _mixture(targets)[:, :, None]
        return self.decibels(energy, noise.clamp_min(0), energy, mixture)


class SISDRLoss(_RatioLoss):
    """The negative scale-invariant signal-to-distortion ratio, 10 log10 (|e - as|^2 / |as|^2) dB,
    where a = <e, s> / |s|^2 and e, s have no mean: Le Roux, Wisdom, Erdogan and Hershey, "SDR -
    half-baked or well done?", ICASSP 2019.

    Means, silent sources and estimates without a sound are as in `SNRLoss`; an estimate 120 dB
    below its source is one without a sound.

    Args, Raises: as of `SNRLoss`.
    """

    mean_over_items = True

    def paired(self, estimates, targets):
        """(batch, channels, samples, sources) twice -> (batch, sources)"""
        estimates, targets = _without_mean(estimates), _without_mean(targets)
        inner, energy = (estimates * targets).sum(dim=2), _energy(targets)
        gain = inner / energy.clamp_min(SILENCE)
        # the difference of samples, since energies would cancel out from 60 dB on; and as `gain`
        # makes it least, it has no slope along `gain`
        noise = _energy(estimates - gain.detach()[:, :, None] * targets)
        return self.decibels(gain * inner, noise, energy, _mixture(targets))

    def pairwise(self, estimates, targets):
        estimates, targets = _without_mean(estimates), _without_mean(targets)
        inner, energy = estimates.transpose(2, 3) @ targets, _energy(targets)[:, :, None]
        signal = inner.square() / energy.clamp_min(SILENCE)
        noise = (_energy(estimates)[..., None] - signal).clamp_min(0)
        return self.decibels(signal, noise, energy, _mixture(targets)[:, :, None])


class L1SNRLoss(_RatioLoss):
    """The negative ratio of absolute sums, 10 log10 (|e - s|_1 / |s|_1) dB of estimate e, source s.

    Watcharasupat et al., "A generalized bandsplit neural network for cinematic audio source
    separation", OJSP 2023, equation (12). Large errors count less than in `SNRLoss`.

    Means, silent sources and estimates without a sound are as in `SNRLoss`.

    Args, Raises: as of `SNRLoss`.
    """

    mean_over_items = True

    def paired(self, estimates, targets):
        """(batch, channels, samples, sources) twice -> (batch, sources)"""
        size, mixture = _squared_sum(targets), _squared_sum(targets.sum(dim=-1, keepdim=True))
        return self.decibels(size, _squared_sum(estimates - targets), size, mixture) / 2


def _squared_sum(signals):
    """(batch, channels, samples, ...) -> the square of absolute sums, (batch, channels, ...)"""
    return signals.abs().sum(dim=2).square() / signals.shape[2]


def _energy(signals):
    """(batch, channels, samples, ...) -> (batch, channels, ...)"""
    return signals.square().sum(dim=2)


def _mixture(targets):
    """(batch, channels, samples, sources) -> the energy of their sum, (batch, channels, 1)"""
    return _energy(targets.sum(dim=-1, keepdim=True))


def _without_mean(signals):
    return signals - signals.mean(dim=2, keepdim=True)
