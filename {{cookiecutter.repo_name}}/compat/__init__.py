"""nussl 1.1.9, repaired: the only place in this project that imports nussl.

    from compat import nussl

nussl's last release is of April 2021 and its authors will make no other. ``imports`` lets it be
imported on a current stack, ``stack`` repairs what other libraries have changed under it since, and
``bugs`` repairs what was wrong from the start. The layout of a model's weights is never touched: a
checkpoint made here loads in plain nussl, and one made there loads here. Line numbers in comments
are those of nussl 1.1.9 as it is on PyPI.
"""

import caches
from compat.imports import import_nussl

caches.set_cache_folders()
nussl = import_nussl()

from compat import bugs, stack  # noqa: E402  (they import nussl, which only works by now)

stack.repair()
bugs.repair()

__all__ = ["nussl"]
