"""nussl 1.1.9, repaired: the only place in this project that imports nussl.

    from compat import nussl

nussl's last release is of April 2021, and there will be no other. ``imports`` makes it importable
with current libraries, ``stack`` adapts it to changes of other libraries since then, and ``bugs``
repairs errors of nussl itself. The names and shapes of a model's weights are never changed:
checkpoints can be exchanged with unmodified nussl in both directions. Line numbers in comments are
those of nussl 1.1.9 on PyPI.
"""

import caches
from compat.imports import import_nussl

caches.set_cache_folders()
nussl = import_nussl()

from compat import bugs, stack  # noqa: E402  (they import nussl, which works only after the above)

stack.repair()
bugs.repair()

__all__ = ["nussl"]
