"""What each script reads and leaves: what tells whether it has to run again."""

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
MANIFEST = "manifest.json"  # of a folder that scripts.prepare made: the hashes of its files


@dataclass(frozen=True)
class Script:
    """Of a config: the sections that a script reads and the files that it leaves; and its code."""

    sections: tuple[str, ...] = ()  # dotted keys; none: all
    code: tuple[str, ...] = (".",)  # files and folders of the project
    leaves: Callable = lambda config: []  # paths; a folder: whatever is written there
    reads: Callable = lambda config: []  # paths besides those that the sections name


def _best_model(config):
    """What an algorithm without a `model_path` reads."""
    named = config.algorithm is None or "model_path" in config.algorithm.args
    return [] if named else [Path(config.info.output_folder) / runs.BEST]


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
    import recordings  # which imports libraries for audio

    try:
        return [path for path, _ in recordings.find_all(config)]
    except (configuration.ConfigError, UserError):  # not there yet; the script says so if it stays
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
OWN = Script()  # a script that a user has added: all of its file and all code


def settings_of(script, config):
    """{dotted key: value} of what a script reads of its config."""
    plain = config.to_dict()
    values = configuration.leaves(plain)
    if script == "sweep":  # the whole experiment, with what it includes
        base = configuration.load(config.sweep.base)
        values |= {
            f"base.{key}": value for key, value in configuration.leaves(base.to_dict()).items()
        }
        sections = (*SCRIPTS[script].sections, "base")
    else:
        sections = SCRIPTS.get(script, OWN).sections
    return {
        key: value
        for key, value in values.items()
        if not sections or any(is_below(key, section) for section in sections)
    }


def inputs_of(script, config, settings):
    """The files that a script reads: those that its settings name, manifests of the folders that
    they name, and the model that it separates with; as far as they are there."""
    own = {path.absolute() for path in outputs_of(script, config)}
    found = [Path(path) for path in SCRIPTS.get(script, OWN).reads(config)]
    for text in _texts(list(settings.values())):
        path = Path(text)
        try:
            found += [path] if path.is_file() else []
            found += [path / MANIFEST] if (path / MANIFEST).is_file() else []
        except (OSError, ValueError):  # a text that cannot be a path
            continue
    there = dict.fromkeys(path for path in found if path.is_file())
    return [path for path in there if path.absolute() not in own]


def outputs_of(script, config):
    """The files by which to see whether what a script left is still there; a folder stands for all
    that it writes into it."""
    return [Path(path) for path in SCRIPTS.get(script, OWN).leaves(config)]


def code_of(script):
    """The files and folders of the project that hold a script's code."""
    return [f"scripts/{script}.py", *SCRIPTS.get(script, OWN).code]


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        yield from _texts([*value.values()])
