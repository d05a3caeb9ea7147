"""Separation algorithms by name: what `algorithm.class` in a YAML file may say.

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
from .separation import Streamed

SeparationBase = nussl.separation.base.SeparationBase
MaskSeparationBase = nussl.separation.base.MaskSeparationBase
ClusteringSeparationBase = nussl.separation.base.ClusteringSeparationBase

ALGORITHMS = {
    "DeepAudioEstimation": DeepAudioEstimation,
    "DeepClustering": DeepClustering,
    "DeepMaskEstimation": DeepMaskEstimation,
    "FT2D": nussl.separation.primitive.FT2D,
    "HPSS": nussl.separation.primitive.HPSS,
    "Repet": nussl.separation.primitive.Repet,
    "RepetSim": nussl.separation.primitive.RepetSim,
}

__all__ = [
    "ALGORITHMS",
    "ClusteringSeparationBase",
    "DeepAudioEstimation",
    "DeepClustering",
    "DeepMaskEstimation",
    "MaskSeparationBase",
    "SeparationBase",
    "Streamed",
    "confidence",
]
