"""torch modules of our own, usable by name in a model's graph.

Write the module in a file here, import it, and add it to `EXTRAS`; from then on `class: YourModule`
works under `model.modules` in YAML. A checkpoint that uses it needs this folder to be loaded:
`import model.extras` is enough, also beside plain nussl.

A class may declare these attributes. They are not inherited, as a subclass may compute something
else::

    is_head = True         each item of a batch, and each frame, is computed independently:
                           training runs it on a few items at a time (training/trunk.py)
    looks_ahead = False    no frame of its output depends on later frames, if that is so of all its
                           parts: it can separate streams (model/causal.py)
"""

from compat import nussl
from errors import UserError

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

REPLACED = ("Embedding",)  # modules of nussl's, by ours of the same name


def register(extras):
    """Make modules known to nussl, which finds them by the names of their classes.

    Args:
        extras: {name: class}.

    Raises:
        UserError: a class is called something else, or as a module of nussl's that it would replace
            in every network.
    """
    for name, module in extras.items():
        existing = getattr(nussl.ml.networks.modules, name, None)
        of_nussl = getattr(existing, "__module__", "").startswith("nussl.") and name not in REPLACED
        if of_nussl or name != module.__name__:
            what = "nussl has a module of this name" if of_nussl else "keys are names of classes"
            raise UserError(
                f"model/extras/__init__.py: EXTRAS has {name!r}: {module.__name__}; {what}: give "
                "the class a name of its own, and that as its key"
            )
        nussl.ml.register_module(module)


register(EXTRAS)
