"""Networks by name: what `model.builder` in a YAML file may name, and modules of our own.

Every network is a nussl `SeparationModel`: a graph of modules, as plain data in its checkpoint.
"""

from .external import allow, class_at, external_network
from .extras import EXTRAS
from .replacing import copy_with
from .spectrogram import chimera, deep_clustering, mask_inference
from .stft import band_split_rnn, band_split_roformer, tf_gridnet
from .waveform import conv_tasnet, dual_path, sepformer, tasnet

BUILDERS = {
    "band_split_rnn": band_split_rnn,
    "band_split_roformer": band_split_roformer,
    "chimera": chimera,
    "conv_tasnet": conv_tasnet,
    "deep_clustering": deep_clustering,
    "dual_path": dual_path,
    "mask_inference": mask_inference,
    "sepformer": sepformer,
    "tasnet": tasnet,
    "tf_gridnet": tf_gridnet,
}

__all__ = ["BUILDERS", "EXTRAS", "allow", "class_at", "copy_with", "external_network", *BUILDERS]
