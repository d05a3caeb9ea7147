"""torch modules of our own, usable by name in a model's graph.

Write the module in a file here, import it, and add it to `EXTRAS`; from then on `class: YourModule`
works under `model.modules` in YAML. A checkpoint that uses it needs this folder to be loaded:
`import model.extras` is enough, also beside plain nussl.
"""

from compat import nussl

from .complex_mask import ComplexMask
from .convolution import ConvolutionalStack
from .dual_path import DualPathStack
from .embedding import Embedding
from .recurrent import ResidualRecurrentStack
from .waveform import Decoder, Encoder

EXTRAS = {
    "ComplexMask": ComplexMask,
    "ConvolutionalStack": ConvolutionalStack,
    "Decoder": Decoder,
    "DualPathStack": DualPathStack,
    "Embedding": Embedding,
    "Encoder": Encoder,
    "ResidualRecurrentStack": ResidualRecurrentStack,
}

for _module in EXTRAS.values():
    nussl.ml.register_module(_module)
