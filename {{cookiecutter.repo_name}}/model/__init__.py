"""Networks by name: what `model.builder` in a YAML file may say, and modules of our own.

Every network is a nussl `SeparationModel`: a graph of modules, as plain data in its checkpoint.
"""

from .builders import deep_clustering
from .extras import EXTRAS

BUILDERS = {"deep_clustering": deep_clustering}

__all__ = ["BUILDERS", "EXTRAS", "deep_clustering"]
