"""The evaluation of a config: its methods, baselines and oracles, and what identifies a result."""

import functools
import hashlib
import json
from pathlib import Path

import provenance
from algorithms import ALGORITHMS, baselines, estimates_of, labels_of, trait
from config import write_resolved
from evaluation import (
    HEALTHY,
    ORACLES,
    Scorer,
    StaticMask,
    by_chance,
    evenly,
    summarize_run,
)
from evaluation.speech import PACKAGES, require
from files import file_stamp
from report import evaluation_files

from .data import build_datasets
from .separation import (
    build_separator,
    load_model_of,
    model_digest,
    model_path,
    separate_item,
)

# the code that scores depend on
CODE = ("algorithms", "audio", "compat", "dataset", "evaluation", "model")
CODE_FILES = ("features.py", "streams.py")


def build_scorer(config):
    """The Scorer of a config: its algorithm, baselines, the static mask and the oracles.

    The static mask is learnt from the training data, if they are there.
    """
    settings, name = config.evaluate, config.algorithm.class_name
    for metric in settings.metrics:
        if metric in PACKAGES:
            require(metric)
    separator = build_separator(config, settings.device)
    model = load_model_of(config, settings.device)
    others = {"val", "test"} - {settings.split}
    data = build_datasets(config, {settings.split}, {"train"}, others, model)
    labels = labels_of(ALGORITHMS[name], model, config.algorithm.args)
    methods, named = methods_of(name, separator, labels)
    for baseline in settings.baselines:
        methods |= methods_of(baseline, baselines()[baseline], labels=None)[0]
    in_order = dict.fromkeys(named, HEALTHY)
    names = ["mixture", name, *settings.baselines]
    if "train" in data:
        named["static mask"] = StaticMask.learnt_from(data["train"])
        sources = len(data[settings.split].labels)
        in_order["static mask"] = by_chance(sources) if labels is None else HEALTHY
        names.append("static mask")
    return Scorer(
        data=data[settings.split],
        chosen=evenly(len(data[settings.split]), settings.num_items),
        methods=methods,
        named=named,
        metrics=("scale_invariant", *settings.metrics),
        names=[*names, *ORACLES],
        in_order=in_order,
        separate=functools.partial(separate_item, separator),
    )


def methods_of(name, separator, labels):
    """An algorithm as the arguments (methods, named) of `score_item`.

    Args:
        name: of the method.
        separator: function(AudioSignal) -> the algorithm, ready to be called.
        labels: of its estimates in their order; None: they have no order.
    """
    if labels is None:
        return {name: lambda mix: estimates_of(separator(mix), mix)}, {}
    return {}, {name: lambda mix: by_label(labels, estimates_of(separator(mix), mix))}


def by_label(labels, estimates):
    """Estimates that come in the order of `labels`, in that of the sorted labels."""
    return [estimates[labels.index(label)] for label in sorted(labels)]


def identity(config, data):
    """What must be the same for an evaluation to be resumed: plain data."""
    plain = config.to_dict()
    settings = {
        key: value
        for key, value in plain["evaluate"].items()
        if key not in ("num_items", "num_workers", "device", "page_items", "frequency")
    }
    items = [(track.name, track.length, track.sample_rate) for track in data.tracks]
    return {
        "checkpoint": model_digest(config),
        "manifest": getattr(data, "manifest_hash", None),
        "items": hashlib.sha256(json.dumps(items).encode()).hexdigest(),
        "algorithm": plain["algorithm"],
        "files": _files_of(config.algorithm),
        "evaluate": settings,
        "signal": plain["signal"],
        "datasets": plain["datasets"],
        "code": provenance.digest_of([*CODE, *CODE_FILES]),
        "versions": provenance.versions(),
    }


def _files_of(algorithm):
    """A digest of the folder that an algorithm reads: names, sizes and times of its files. None if
    it reads none."""
    argument = trait(ALGORITHMS[algorithm.class_name], "files_in")
    if argument is None:
        return None
    root = Path(algorithm.args[argument])
    files = sorted(path for path in root.rglob("*") if path.is_file())
    plain = [(str(path.relative_to(root)), file_stamp(path)) for path in files]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def write_evaluation(config, scorer, results, items, about):
    """Write the files of an evaluation, if any item has scores.

    Args:
        results: the `Results` of the evaluation.
        items: what `score_all` returned.
        about: the `identity` of the evaluation.

    Returns:
        lines for the terminal.
    """
    rows = [row for item in items.values() for row in item.get("rows", ())]
    if not rows:
        results.finish({})
        return []
    summary = summarize_run(
        scorer,
        rows,
        failed={item["name"]: item["failed"] for item in items.values() if "failed" in item},
        about={
            "experiment": config.info.name,
            "split": config.evaluate.split,
            "model_path": model_path(config),
            **{key: about[key] for key in ("checkpoint", "manifest", "versions")},
        },
    )
    files, lines = evaluation_files(config, scorer, summary, rows)
    results.finish(files)
    write_resolved(config, results.folder / "config.yml")
    return [*lines, results.folder]
