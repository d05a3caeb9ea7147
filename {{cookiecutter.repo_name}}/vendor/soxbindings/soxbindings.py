"""Stands in for soxbindings, which has the functions of pysox: hands on pysox's, when one is asked
for.

nussl's time_stretch and pitch_shift are all that uses them; they need the sox program then. pysox
is not imported before, because it complains on stderr where there is no such program.
"""

import importlib


def __getattr__(name: str) -> object:
    if name.startswith("__"):  # asked by the import system, not by a user
        raise AttributeError(f"module 'soxbindings' has no attribute '{name}'")
    return getattr(importlib.import_module("sox"), name)
