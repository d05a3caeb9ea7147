"""Networks by name: what `model.builder` in a YAML file may name, and modules of our own.

Every network is a nussl `SeparationModel`: a graph of modules, as plain data in its checkpoint.
"""

from .extras import EXTRAS
from .spectrogram import chimera, deep_clustering, mask_inference
from .waveform import conv_tasnet, dual_path, tasnet

BUILDERS = {
    "chimera": chimera,
    "conv_tasnet": conv_tasnet,
    "deep_clustering": deep_clustering,
    "dual_path": dual_path,
    "mask_inference": mask_inference,
    "tasnet": tasnet,
}

__all__ = ["BUILDERS", "EXTRAS", *BUILDERS]
