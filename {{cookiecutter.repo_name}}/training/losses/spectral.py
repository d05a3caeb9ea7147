"""Losses between spectrograms: magnitudes, or the real and imaginary parts of spectra."""

import torch
from torch import nn

from .sources import SourceLoss


class L1Loss(SourceLoss):
    """The mean absolute difference of estimates and sources.

    (batch, frames, bins, channels, sources) of magnitudes, or (batch, frames, bins, channels, 2,
    sources) of complex spectra, with the keys {estimates: estimates, source_spectra: targets}.

    Args:
        permutation_invariant: see `SourceLoss`.
    """

    mean_over_items = True
    DEFAULT_KEYS = {"estimates": "estimates", "source_magnitudes": "targets"}

    def paired(self, estimates, targets):
        return _mean(nn.functional.l1_loss(estimates, targets, reduction="none"))

    def pairwise(self, estimates, targets):
        estimates, targets = _vectors(estimates), _vectors(targets)
        return torch.cdist(estimates, targets, p=1) / estimates.shape[-1]


class MSELoss(SourceLoss):
    """The mean squared difference of estimates and sources; shapes and keys as in `L1Loss`.

    Args:
        permutation_invariant: see `SourceLoss`.
    """

    mean_over_items = True
    DEFAULT_KEYS = L1Loss.DEFAULT_KEYS

    def paired(self, estimates, targets):
        return _mean(nn.functional.mse_loss(estimates, targets, reduction="none"))

    def pairwise(self, estimates, targets):
        # |e - t|^2 = |e|^2 - 2 <e, t> + |t|^2
        estimates, targets = _vectors(estimates), _vectors(targets)
        energies = estimates.square().sum(-1)[:, :, None] + targets.square().sum(-1)[:, None]
        return (energies - 2 * estimates @ targets.transpose(1, 2)) / estimates.shape[-1]


def _mean(costs):
    """(batch, ..., sources) -> (batch, sources)"""
    return costs.mean(dim=tuple(range(1, costs.ndim - 1)))


def _vectors(signals):
    """(batch, ..., sources) -> (batch, sources, numbers)"""
    return signals.movedim(-1, 1).flatten(2)
