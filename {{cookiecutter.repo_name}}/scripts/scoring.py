"""The work of scripts.evaluate: score items in any number of processes, resume what was stopped."""

import hashlib
import json
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import distributed
import experiment
import provenance
import separations
from algorithms import ALGORITHMS, baselines, estimates_of, labels_of
from errors import UserError
from evaluation import (
    HEALTHY,
    ORACLES,
    StaticMask,
    TooFewEstimates,
    by_chance,
    columns,
    evenly,
    score_item,
)
from evaluation.speech import PACKAGES, require
from pool import process_pool

CODE = (
    "algorithms",
    "audio",
    "compat",
    "dataset",
    "evaluation",
    "features.py",
    "model",
    "streams.py",
)


class Scoring:
    """What is scored and how: everything a config says of it, ready."""

    def __init__(self, config):
        settings = self.settings = config.evaluate
        for name in settings.metrics:
            if name in PACKAGES:
                require(name)
        name = config.algorithm.class_name
        self.separator = experiment.build_separator(config, settings.device)
        model = experiment.load_model_of(config, settings.device)
        # training data are the static mask's
        splits = {settings.split, *(["train"] if config.datasets.train is not None else [])}
        data = experiment.build_datasets(config, splits, {"val", "test"} - splits, model)
        self.data = data[settings.split]
        self.chosen = evenly(len(self.data), settings.num_items)
        #: labels of the sources in the order in which the algorithm gives them; None: in any order
        self.labels = labels_of(ALGORITHMS[name], model)
        self.methods, self.named = {}, {}
        if self.labels is None:
            self.methods[name] = lambda mix: estimates_of(self.separator(mix), mix)
        else:
            self.named[name] = lambda mix: separations.by_label(
                self.labels, estimates_of(self.separator(mix), mix)
            )
        for baseline in settings.baselines:
            algorithm = baselines()[baseline]
            self.methods[baseline] = lambda mix, make=algorithm: estimates_of(make(mix), mix)
        #: methods whose order is compared with that of the labels, and how often it may differ
        self.in_order = dict.fromkeys(self.named, HEALTHY)
        if "train" in splits:
            self.named["static mask"] = StaticMask.learnt_from(data["train"])
            unknown = by_chance(len(self.data.labels))
            self.in_order["static mask"] = unknown if self.labels is None else HEALTHY
        self.names = ["mixture", name, *settings.baselines]
        self.names += [*([] if "train" not in splits else ["static mask"]), *ORACLES]
        self.metrics = ("scale_invariant", *settings.metrics)

    def item(self, index):
        """{"name", "rows"} of an item, or {"name", "failed": why}."""
        name = self.data.tracks[index].name
        try:
            rows = separations.named(
                name,
                lambda: score_item(self.data[index], self.methods, self.named, self.metrics),
            )
        except TooFewEstimates:  # so it is with every item
            raise
        except UserError as error:  # counted and named in every result
            return {"name": name, "failed": str(error)}
        return {"name": name, "rows": rows}

    def is_of(self, index, content):
        """Is this what `item` returns, and not a file that somebody has changed?"""
        if not isinstance(content, dict) or content.get("name") != self.data.tracks[index].name:
            return False
        rows, keys = content.get("rows"), columns(self.metrics)
        if not isinstance(rows, list) or not rows:
            return isinstance(content.get("failed"), str)
        return all(
            isinstance(row, dict)
            and list(row) == keys
            and all(isinstance(row[key], str) for key in keys[:4])
            and all(isinstance(row[key], (int, float)) for key in keys[4:])
            for row in rows
        ) and {row["method"] for row in rows} == {*self.names}


def identity(config, data):
    """What must be the same for an evaluation to go on: plain data."""
    plain = config.to_dict()
    how = {
        key: value
        for key, value in plain["evaluate"].items()
        if key not in ("num_items", "num_workers", "device", "page_items", "frequency")
    }
    code = hashlib.sha256()
    root = Path(__file__).parents[1]
    for part in CODE:
        path = root / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            code.update(file.read_bytes())
    items = [(track.name, track.length, track.sample_rate) for track in data.tracks]
    return {
        "checkpoint": experiment.model_fingerprint(config),
        "manifest": getattr(data, "manifest_hash", None),
        "items": hashlib.sha256(json.dumps(items).encode()).hexdigest(),
        "algorithm": plain["algorithm"],
        "evaluate": how,
        "signal": plain["signal"],
        "datasets": plain["datasets"],
        "code": code.hexdigest(),
        "versions": provenance.versions(),
    }


def score_all(config, scoring, results, progress):
    """Score what is not there yet; of several processes each scores its share.

    progress: function(iterator over items, how many) -> the iterator, with a bar.

    Returns:
        {index: what `Scoring.item` returns} of all chosen items, in their order, in each process.
    """
    kept = distributed.all_gather(results.begin() if distributed.is_main_process() else None)[0]
    kept = {i: kept[i] for i in scoring.chosen if i in kept and scoring.is_of(i, kept[i])}
    left = [index for index in scoring.chosen if index not in kept]
    mine = left[distributed.rank() :: distributed.world_size()]
    found = {}
    for index, content in progress(_scored(config, scoring, mine), len(mine)):
        results.keep(index, content)
        found[index] = content
    for part in distributed.all_gather(found):
        kept |= part
    return {index: kept[index] for index in scoring.chosen}


def _scored(config, scoring, indices):
    """Yields (index, what came of the item), in any number of processes of this machine."""
    workers = min(config.evaluate.num_workers, len(indices))
    if workers < 2:
        yield from ((index, scoring.item(index)) for index in indices)
        return
    try:
        with process_pool(workers, _begin, config) as executor:
            yield from zip(indices, executor.map(_item, indices), strict=True)
    except BrokenProcessPool as error:
        raise UserError(
            f"one of the {workers} processes of evaluate.num_workers was killed, for want of "
            "memory perhaps; take fewer, and give the same command again: it goes on"
        ) from error


def _begin(config):
    import torch

    global _scoring
    torch.set_num_threads(1)  # the processes are as many as the cores
    _scoring = Scoring(config)


def _item(index):
    return _scoring.item(index)
