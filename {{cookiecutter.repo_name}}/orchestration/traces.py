"""What each script reads and writes, by which a pipeline decides whether it has to run again."""

import glob
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import config as configuration
import runs
from config.plain import is_below
from errors import UserError

DATA = ("audio", "dataset", "features.py", "songs", "streams.py", "compat")
NETWORKS = (*DATA, "model", "experiment", "checkpoints.py", "devices.py")
SEPARATION = (*NETWORKS, "algorithms")
MANIFEST = "manifest.json"  # in a folder that scripts.prepare made: the hashes of its files


@dataclass(frozen=True)
class Script:
    """What a script depends on and what it writes.

    Args:
        sections: of the config that it reads, as dotted keys; none: all.
        code: files and folders of the project with its code.
        writes: function(config) -> [path]; a folder stands for the files that are written there.
        reads: function(config) -> [path], besides the files that the sections name.
    """

    sections: tuple[str, ...] = ()
    code: tuple[str, ...] = (".",)
    writes: Callable = lambda config: []
    reads: Callable = lambda config: []


def _best_model(config):
    """The model of the experiment itself, which an algorithm without a `model_path` reads."""
    if config.algorithm is None or "model_path" in config.algorithm.args:
        return []
    return [Path(config.info.output_folder) / runs.BEST]


def _scores(config):
    folder = Path(config.info.output_folder) / "evaluation" / config.evaluate.split
    return [folder / name for name in ("scores.csv", "summary.json", "table.md")]


def _analyzed(config):
    place = Path("evaluation") / config.analyze.split / "scores.csv"
    folders = [folder for entry in config.analyze.runs for folder in sorted(glob.glob(entry))]
    return [Path(folder) / place for folder in folders]


def _comparison(config):
    names = [f"{score}.{kind}" for score in config.analyze.scores for kind in ("csv", "md")]
    return [Path(config.info.output_folder) / name for name in ("items.csv", *names)]


def _separated(config):
    import recordings  # imports libraries for audio

    try:
        return [path for path, _ in recordings.find_all(config)]
    except (configuration.ConfigError, UserError):  # missing so far; a step before may write them
        return []


def _audited(config):
    return [Path(config.audit.output_folder or Path(config.info.output_folder) / "audit")]


def _swept(config):
    return [Path(config.info.output_folder) / name for name in ("table.csv", "best.yml")]


SCRIPTS = {
    "prepare": Script(
        ("prepare",),
        ("audio", "preparation"),
        lambda config: [Path(config.prepare.folder) / MANIFEST],
    ),
    "audit": Script(("signal", "datasets", "audit"), (*NETWORKS, "auditing"), _audited),
    "dry_run": Script(("signal", "datasets", "model", "train"), (*NETWORKS, "training")),
    "train": Script(
        ("info.seed", "signal", "datasets.train", "datasets.val", "model", "train"),
        (*NETWORKS, "training"),
        lambda config: [
            Path(config.info.output_folder) / name for name in (runs.BEST, "history.csv")
        ],
    ),
    "evaluate": Script(
        ("signal", "datasets", "algorithm", "evaluate"),
        (*SEPARATION, "evaluation", "report"),
        _scores,
        _best_model,
    ),
    "visualize": Script(
        ("signal", "datasets", "algorithm", "visualize"),
        (*SEPARATION, "evaluation", "report"),
        lambda config: [Path(config.visualize.output_folder)],
        _best_model,
    ),
    "export": Script(
        ("signal", "model", "algorithm", "export"),
        (*SEPARATION, "exporting"),
        lambda config: [Path(config.export.output_folder)],
        _best_model,
    ),
    "separate": Script(
        ("signal", "algorithm", "separate"),
        (*SEPARATION, "recordings.py", "report"),
        lambda config: [Path(config.separate.output_folder)],
        lambda config: [*_best_model(config), *_separated(config)],
    ),
    "analyze": Script(("analyze",), ("evaluation", "report"), _comparison, _analyzed),
    "sweep": Script(
        ("info.seed", "sweep"), (*SEPARATION, "training", "evaluation", "orchestration"), _swept
    ),
}
USERS = Script()  # of a script that a user has added: it depends on its whole file and all code


def settings_of(script, config):
    """{dotted key: value} of the sections that a script reads."""
    plain = config.to_dict()
    values = configuration.leaves(plain)
    if script == "sweep":  # the whole experiment, with what it includes
        base = configuration.load(config.sweep.base)
        values |= {
            f"base.{key}": value for key, value in configuration.leaves(base.to_dict()).items()
        }
        sections = (*SCRIPTS[script].sections, "base")
    else:
        sections = SCRIPTS.get(script, USERS).sections
    return {
        key: value
        for key, value in values.items()
        if not sections or any(is_below(key, section) for section in sections)
    }


def inputs_of(script, config, settings):
    """The files that a script reads, as far as they exist: those that its settings name, the
    manifests of folders that they name, and those of `Script.reads`."""
    outputs = {path.absolute() for path in outputs_of(script, config)}
    paths = [Path(path) for path in SCRIPTS.get(script, USERS).reads(config)]
    for text in _texts(list(settings.values())):
        paths += [Path(text), Path(text) / MANIFEST]
    inputs = []
    for path in dict.fromkeys(paths):
        try:
            if path.is_file() and path.absolute() not in outputs:
                inputs.append(path)
        except (OSError, ValueError):  # a text that cannot be a path
            continue
    return inputs


def outputs_of(script, config):
    """The paths that a script writes: its result is up to date only while these are unchanged."""
    return [Path(path) for path in SCRIPTS.get(script, USERS).writes(config)]


def code_of(script):
    """The files and folders of the project that hold a script's code."""
    return [f"scripts/{script}.py", *SCRIPTS.get(script, USERS).code]


def _texts(value):
    """Yields all strings in plain data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        yield from _texts([*value.values()])
