"""Separation algorithms by name: what `algorithm.class` in a YAML file may name.

To add yours: subclass `SeparationBase`, `MaskSeparationBase` or `ClusteringSeparationBase` in a
file here, import it, and add it to `ALGORITHMS`. An algorithm is made with an AudioSignal and its
`args` and called without arguments: it returns a list of AudioSignals, one a source, of the length,
rate and channels of the input. `Streamed` takes any of them to recordings of any length.
"""

from compat import nussl

from .confidence import confidence
from .deep_audio import DeepAudioEstimation
from .deep_clustering import DeepClustering
from .deep_masks import DeepMaskEstimation
from .external import External
from .repeating import Repet
from .separation import Streamed
from .traits import (
    Result,
    count_sources,
    estimates_of,
    labels_of,
    needs_model,
    needs_only_the_mixture,
    separate,
    trait,
)

SeparationBase = nussl.separation.base.SeparationBase
MaskSeparationBase = nussl.separation.base.MaskSeparationBase
ClusteringSeparationBase = nussl.separation.base.ClusteringSeparationBase

ALGORITHMS = {
    "DeepAudioEstimation": DeepAudioEstimation,
    "DeepClustering": DeepClustering,
    "DeepMaskEstimation": DeepMaskEstimation,
    "External": External,
    "FT2D": nussl.separation.primitive.FT2D,
    "HPSS": nussl.separation.primitive.HPSS,
    "Repet": Repet,
    "RepetSim": nussl.separation.primitive.RepetSim,
}


def baselines():
    """{name: class} of the algorithms that need nothing but a mixture."""
    return {
        name: algorithm
        for name, algorithm in ALGORITHMS.items()
        if not needs_model(algorithm) and needs_only_the_mixture(algorithm)
    }


__all__ = [
    "ALGORITHMS",
    "ClusteringSeparationBase",
    "DeepAudioEstimation",
    "DeepClustering",
    "DeepMaskEstimation",
    "MaskSeparationBase",
    "Result",
    "SeparationBase",
    "Streamed",
    "baselines",
    "confidence",
    "count_sources",
    "estimates_of",
    "labels_of",
    "needs_model",
    "separate",
    "trait",
]
