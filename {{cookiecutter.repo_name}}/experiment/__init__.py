"""From a config to live objects: classes are found by name and called with their args.

`check` finds every class and argument that does not exist, before any data is read; the `build_`
functions then make what a script needs.
"""

from compat.failures import errors_named

from .checks import check
from .data import SPLITS, build_dataset, build_datasets
from .evaluation import build_scorer, identity, write_evaluation
from .goal import check_goal
from .labels import announcement
from .record import check_folder, recorded_evaluation, recorded_training, result_of
from .recordings import (
    is_separated,
    separate_recording,
    separation_lines,
    separation_record,
)
from .separation import (
    best_model,
    build_separator,
    load_model_of,
    model_digest,
    model_path,
    separate_item,
)
from .training import build_graph, build_loggers, build_trainer
from .visualization import visualize

__all__ = [
    "SPLITS",
    "announcement",
    "best_model",
    "build_dataset",
    "build_datasets",
    "build_graph",
    "build_loggers",
    "build_scorer",
    "build_separator",
    "build_trainer",
    "check",
    "check_folder",
    "check_goal",
    "errors_named",
    "identity",
    "is_separated",
    "load_model_of",
    "model_digest",
    "model_path",
    "recorded_evaluation",
    "recorded_training",
    "result_of",
    "separate_item",
    "separate_recording",
    "separation_lines",
    "separation_record",
    "visualize",
    "write_evaluation",
]
