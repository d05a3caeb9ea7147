"""From a publisher's archive, or a copy that was bought, to a folder that a dataset reads.

`prepare(settings, steps)` downloads, checks, unpacks, converts, and writes a manifest of what it
made.
"""

from .convert import Convert
from .manifest import MANIFEST
from .musdb import DecodeStems
from .run import prepare
from .wsj0 import MixWSJ0

STEPS = {"Convert": Convert, "DecodeStems": DecodeStems, "MixWSJ0": MixWSJ0}

__all__ = ["MANIFEST", "STEPS", "Convert", "DecodeStems", "MixWSJ0", "prepare"]
