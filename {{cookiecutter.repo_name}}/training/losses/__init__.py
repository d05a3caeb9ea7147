"""Losses by name: what `class` under `train.loss` in a YAML file may name.

A loss has `DEFAULT_KEYS`, nussl's convention: {output of the model or feature: argument of
`forward`}. A loss that is the mean over the items of a batch may declare `mean_over_items = True`:
it may then be computed a few items at a time, which is faster on a CPU and gives the same
gradients. All others get whole batches.
"""

from .deep_clustering import DeepClusteringLoss
from .model import ModelLoss
from .multi_resolution import ComplexSTFTLoss, MultiResolutionSTFTLoss
from .sources import SourceLoss
from .spectral import L1Loss, MSELoss
from .waveform import L1SNRLoss, SISDRLoss, SNRLoss
from .whitened_k_means import WhitenedKMeansLoss

LOSSES = {
    "ComplexSTFTLoss": ComplexSTFTLoss,
    "DeepClusteringLoss": DeepClusteringLoss,
    "L1Loss": L1Loss,
    "L1SNRLoss": L1SNRLoss,
    "MSELoss": MSELoss,
    "ModelLoss": ModelLoss,
    "MultiResolutionSTFTLoss": MultiResolutionSTFTLoss,
    "SISDRLoss": SISDRLoss,
    "SNRLoss": SNRLoss,
    "WhitenedKMeansLoss": WhitenedKMeansLoss,
}

__all__ = [
    "LOSSES",
    "ComplexSTFTLoss",
    "DeepClusteringLoss",
    "L1Loss",
    "L1SNRLoss",
    "MSELoss",
    "ModelLoss",
    "MultiResolutionSTFTLoss",
    "SISDRLoss",
    "SNRLoss",
    "SourceLoss",
    "WhitenedKMeansLoss",
]
