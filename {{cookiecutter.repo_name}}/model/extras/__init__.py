"""torch modules of your own, usable by name in a model's graph.

Write the module in a file here, import it, and add it to `EXTRAS`; from then on `class: YourModule`
works under `model.modules` in YAML. A checkpoint that uses it needs this folder to be loaded.
"""

from compat import nussl

EXTRAS = {}

for _module in EXTRAS.values():
    nussl.ml.register_module(_module)
