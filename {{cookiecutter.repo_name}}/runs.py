"""Output folders of runs: where the best checkpoint is, which settings may change when a run is
resumed, and how evaluated runs are found."""

import glob
from pathlib import Path

from config.plain import is_below
from files import PROJECT

BEST = Path("checkpoints") / "best.model.pth"  # in info.output_folder
# keys that may change when a training run is resumed; any other change makes it a different run
MAY_CHANGE = (
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
    """May this dotted config key have another value when a training run is resumed?"""
    return any(is_below(key, name) for name in MAY_CHANGE)


def relocated(config):
    """The config of a training run that was moved or copied, with `info.output_folder` set to the
    folder that it was read from. Any other config is returned itself."""
    folder = config.path.absolute().parent
    is_run = config.path.name == "config.yml" and any((folder / BEST.parent).glob("*.pth"))
    if not is_run or (PROJECT / config.info.output_folder).resolve() == folder.resolve():
        return config
    info = config.info.model_copy(update={"output_folder": str(folder)})
    return config.model_copy(update={"info": info})


def find_all(config):
    """The output folders that `analyze.runs` names by paths and glob patterns.

    Returns:
        those with an evaluation of `analyze.split`, and those of training runs without one: two
        lists of Paths.

    Raises:
        ConfigError: an entry matches no folder with an evaluation of `analyze.split`.
    """
    scores = Path("evaluation") / config.analyze.split / "scores.csv"
    # {resolved path: path}: several entries may name the same folder
    scored, unscored = {}, {}
    problems = []
    for number, entry in enumerate(config.analyze.runs):
        matches = [Path(path) for path in sorted(glob.glob(entry))] or [Path(entry)]
        for path in matches:
            if (path / scores).is_file():
                scored.setdefault(path.resolve(), path)
            elif (path / BEST).is_file():  # a pattern may match others too
                unscored.setdefault(path.resolve(), path)
        if not any((path / scores).is_file() for path in matches):
            text = f"{entry!r} holds no {scores}; run python -m scripts.evaluate first"
            problems.append(config.problem(f"analyze.runs[{number}]", text))
    config.require(problems)
    return [*scored.values()], [*unscored.values()]
