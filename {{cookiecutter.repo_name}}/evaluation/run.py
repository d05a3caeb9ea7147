"""Score the items of a dataset in any number of processes; resume what was interrupted."""

import functools
from concurrent.futures.process import BrokenProcessPool

from tqdm import tqdm

import distributed
from compat.failures import errors_named
from errors import UserError, amount
from pool import process_pool

from .scoring import columns, score_item


class Scorer:
    """Which items are scored, and how.

    Args:
        data: a dataset of ours.
        chosen: the indices of the items.
        methods, named, metrics: as `score_item` takes them.
        names: of all methods in the order of the tables, with the mixture and the oracles.
        in_order: {method whose order is compared with that of the labels: how often it may differ}
            (`order.swapped`).
        separate: function(item) -> `algorithms.Result`, by the method that is evaluated.
    """

    def __init__(self, data, chosen, methods, named, metrics, names, in_order, separate):
        self.data, self.chosen, self.metrics, self.names = data, chosen, metrics, names
        self.methods, self.named, self.in_order = methods, named, in_order
        self.separate = separate

    def with_data(self):
        """This Scorer, once the dataset has rendered the chosen items (built-in sample)."""
        self.data.ensure(self.chosen)
        return self

    def score(self, index):
        """{"name", "files", "rows"} of an item, or {"name", "failed": why}.

        Raises:
            TooFewEstimates: as `score_item`; every item would fail.
        """
        name, files = self.data.tracks[index].name, self.data.stamp(index)
        try:
            with errors_named(name):
                rows = score_item(self.data[index], self.methods, self.named, self.metrics)
        except UserError as error:
            if error.general:
                raise
            return {"name": name, "failed": str(error)}  # counted and named in every result
        return {"name": name, "files": files, "rows": rows}

    def is_result_of(self, index, content):
        """Has this the form of what `score` returns for an item that was scored, from the files
        that are there now? A result may have been edited; an item that failed is tried again, as
        its files may have been repaired."""
        if not isinstance(content, dict) or content.get("name") != self.data.tracks[index].name:
            return False
        if content.get("files") != self.data.stamp(index):
            return False
        rows, keys = content.get("rows"), columns(self.metrics)
        if not isinstance(rows, list) or not rows:
            return False
        return all(
            isinstance(row, dict)
            and list(row) == keys
            and all(isinstance(row[key], str) for key in keys[:4])
            and all(isinstance(row[key], (int, float)) for key in keys[4:])
            for row in rows
        ) and {row["method"] for row in rows} == {*self.names}


def score_all(scorer, build, results, num_workers, title):
    """Score the items that have no result yet; of several ranks each scores its own part.

    Args:
        scorer: a Scorer.
        build: function() -> Scorer, called once in each worker process.
        results: `Results`, where the result of each item is kept.
        num_workers: processes of each rank; 0 and 1: this one.
        title: of the progress bar.

    Returns:
        {index: what `Scorer.score` returns} of all chosen items in their order, in each rank.
    """
    earlier = distributed.all_gather(results.begin() if distributed.is_main_process() else None)[0]
    scored = {
        index: earlier[index]
        for index in scorer.chosen
        if index in earlier and scorer.is_result_of(index, earlier[index])
    }
    due = [index for index in scorer.chosen if index not in scored]
    of_rank = due[distributed.rank() :: distributed.world_size()]
    new = {}
    items = _score(scorer, build, of_rank, num_workers)
    for index, content in tqdm(items, title, len(of_rank), unit="item", disable=None):
        results.keep(index, content)
        new[index] = content
    for part in distributed.all_gather(new):
        scored |= part
    return {index: scored[index] for index in scorer.chosen}


def check_scored(found):
    """Raise a UserError if items failed.

    found: what `score_all` returned.
    """
    failed = [item["failed"] for item in found.values() if "failed" in item]
    if not failed:
        return
    items = amount(len(found), "item")
    if len(failed) == len(found):
        raise UserError(f"none of {items} could be scored; the first: {failed[0]}")
    raise UserError(f"{len(failed)} of {items} failed; the first: {failed[0]}")


def _score(scorer, build, indices, num_workers):
    """Yields (index, result of the item)."""
    workers = min(num_workers, len(indices))
    if workers < 2:
        yield from ((index, scorer.score(index)) for index in indices)
        return
    try:
        with process_pool(workers, _initialize, build) as executor:
            yield from zip(indices, executor.map(_score_one, indices), strict=True)
    except BrokenProcessPool as error:
        raise UserError(
            f"one of the {workers} processes of evaluate.num_workers was killed, perhaps for lack "
            "of memory; lower evaluate.num_workers, and give the same command again: it resumes"
        ) from error


def _initialize(build):
    import torch

    global _scorer_of
    torch.set_num_threads(1)  # there are as many processes as cores
    _scorer_of = functools.cache(build)  # called by `_score_one`, whose errors are passed on


def _score_one(index):
    return _scorer_of().score(index)
