"""From a config to live objects: classes are found by name and called with their args.

`check` finds every class and argument that is not there, before any data is read; the `build_`
functions then make what a script needs.
"""

from .checks import check
from .data import SPLITS, build_dataset, build_datasets
from .separation import (
    best_model,
    build_separator,
    load_model_of,
    model_fingerprint,
    model_path,
)
from .training import build_graph, build_loggers, build_trainer

__all__ = [
    "SPLITS",
    "best_model",
    "build_dataset",
    "build_datasets",
    "build_graph",
    "build_loggers",
    "build_separator",
    "build_trainer",
    "check",
    "load_model_of",
    "model_fingerprint",
    "model_path",
]
