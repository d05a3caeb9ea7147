"""torch modules of our own, usable by name in a model's graph.

Write the module in a file here, import it, and add it to `EXTRAS`; from then on `class: YourModule`
works under `model.modules` in YAML. A checkpoint that uses it needs this folder to be loaded:
`import model.extras` is enough, also beside plain nussl.

A class may say this of its modules; subclasses, which may compute something else, say it again::

    is_head = True         it computes each item of a batch, and each of its frames, by itself:
                           training runs it on a few items at a time (training/trunk.py)
    looks_ahead = False    no frame of its output depends on later frames, if none of its parts
                           does: it can separate streams (model/causal.py)
"""

from compat import nussl

from .band_recurrent import BandRecurrentStack
from .bands import BandEmbedding, BandMasks, BandSplit
from .complex_mask import ComplexMask
from .convolution import ConvolutionalStack
from .dual_path import DualPathStack
from .embedding import Embedding
from .external import ExternalNetwork
from .grid import GridStack
from .recurrent import ResidualRecurrentStack
from .sepformer import SepFormerStack
from .stft import STFTDecoder, STFTEncoder
from .transformer import BandTransformerStack
from .waveform import Decoder, Encoder

EXTRAS = {
    "BandEmbedding": BandEmbedding,
    "BandMasks": BandMasks,
    "BandRecurrentStack": BandRecurrentStack,
    "BandSplit": BandSplit,
    "BandTransformerStack": BandTransformerStack,
    "ComplexMask": ComplexMask,
    "ConvolutionalStack": ConvolutionalStack,
    "Decoder": Decoder,
    "DualPathStack": DualPathStack,
    "Embedding": Embedding,
    "Encoder": Encoder,
    "ExternalNetwork": ExternalNetwork,
    "GridStack": GridStack,
    "ResidualRecurrentStack": ResidualRecurrentStack,
    "STFTDecoder": STFTDecoder,
    "STFTEncoder": STFTEncoder,
    "SepFormerStack": SepFormerStack,
}

for _module in EXTRAS.values():
    nussl.ml.register_module(_module)
