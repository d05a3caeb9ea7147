"""The output folder of a run: where things are in it, what may change when it is resumed, and how
evaluated ones are found."""

import glob
from pathlib import Path

from config.plain import is_below
from files import PROJECT

BEST = Path("checkpoints") / "best.model.pth"  # in info.output_folder
MAY_CHANGE = (  # when a training run is resumed; any other change would make it a different run
    "datasets.train.args.folder",
    "datasets.val.args.folder",
    "train.accumulate",
    "train.checkpointing",
    "train.checkpoint_every",
    "train.compile",
    "train.cuda_graphs",
    "train.device",
    "train.early_stopping",
    "train.epochs",
    "train.gradient_clip",
    "train.head_items",
    "train.keep_best",
    "train.loggers",
    "train.max_minutes",
    "train.num_workers",
    "train.precision",
    "train.validate_every",
)


def may_change(key):
    """May a dotted key of a config have another value when a training run is resumed?"""
    return any(is_below(key, name) for name in MAY_CHANGE)


def here(config):
    """A config for the folder that it was read in, as `info.output_folder`, if that is the folder
    of a training run, which may have been moved or copied; else the config itself."""
    folder = config.path.absolute().parent
    is_run = config.path.name == "config.yml" and any((folder / BEST.parent).glob("*.pth"))
    if not is_run or (PROJECT / config.info.output_folder).resolve() == folder.resolve():
        return config
    info = config.info.model_copy(update={"output_folder": str(folder)})
    return config.model_copy(update={"info": info})


def find_all(config):
    """The output folders that the paths and patterns in `analyze.runs` of a config name.

    Raises:
        ConfigError: one of them has no evaluation of `analyze.split`.
    """
    found, problems = [], []
    for number, entry in enumerate(config.analyze.runs):
        folders = [Path(path) for path in sorted(glob.glob(entry))] or [Path(entry)]
        # folders that match a pattern and were not evaluated are skipped
        place = Path("evaluation") / config.analyze.split / "scores.csv"
        there = [path for path in folders if (path / place).is_file()]
        if not there:
            text = f"{entry!r} holds no {place}; run python -m scripts.evaluate first"
            problems.append(config.problem(f"analyze.runs[{number}]", text))
        found += there
    config.require(problems)
    folders = {}
    for path in found:  # a folder may match a pattern, and be written in other ways too
        folders.setdefault(path.resolve(), path)
    return [*folders.values()]
