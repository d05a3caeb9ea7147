"""Means of the scalars of steps, and the history of epochs."""

import math

import torch

import distributed
from errors import UserError
from files import csv_text


class Means:
    """Means of scalars, over the steps of an epoch or the items of the validation data.

    Args:
        finite_only: leave out NaN and infinity: in float16 the norm of a gradient may overflow.
    """

    def __init__(self, finite_only=True):
        self.finite_only = finite_only
        self.sums, self.counts = {}, {}

    def add(self, scalars, count=1):
        """Add {name: number}, the mean over `count`."""
        for name, value in scalars.items():
            counted = math.isfinite(value) or not self.finite_only
            self.sums[name] = self.sums.get(name, 0.0) + (count * value if counted else 0.0)
            self.counts[name] = self.counts.get(name, 0.0) + (count if counted else 0)

    def __bool__(self):
        return bool(self.counts)

    def clear(self):
        self.sums.clear()
        self.counts.clear()

    def compute(self):
        """{name: mean over all processes}; NaN where nothing was counted."""
        sums, counts = self._of_all_processes()
        return {k: sums[k] / counts[k] if counts[k] else math.nan for k in sums}

    def state_dict(self):
        sums, counts = self._of_all_processes()
        return {"sums": sums, "counts": counts}

    def load_state_dict(self, state):
        """Give each process an equal part of the saved sums and counts."""
        parts = distributed.world_size()
        self.sums = {name: value / parts for name, value in state["sums"].items()}
        self.counts = {name: value / parts for name, value in state["counts"].items()}

    def _of_all_processes(self):
        names = sorted({name for each in distributed.all_gather([*self.sums]) for name in each})
        table = [[part.get(name, 0.0) for name in names] for part in (self.sums, self.counts)]
        sums, counts = distributed.all_reduce(torch.tensor(table, dtype=torch.float64)).tolist()
        order = [*self.sums, *(name for name in names if name not in self.sums)]
        sums, counts = (dict(zip(names, part, strict=True)) for part in (sums, counts))
        return {name: sums[name] for name in order}, {name: counts[name] for name in order}


class History:
    """One row per epoch: `rows`, dicts.

    One column decides which epoch is the best: the lowest validation loss, the lowest training
    loss if there is no validation data, or the highest validation score if there is one. An epoch
    without validation, or where that number is NaN or infinite, is never the best.

    Attributes:
        key: the column that decides.

    Args:
        validated: is there validation data?
        score: the name of the score that decides (`train.best_by`); None: the loss does.
    """

    def __init__(self, validated, score=None):
        self.key = f"val_{score}" if score else "val_loss" if validated else "train_loss"
        self.sign = -1 if score else 1  # of what is minimised
        self.score = score
        self.rows = []

    def add(self, row):
        """Add the row of an epoch.

        Raises:
            UserError: it lacks the number that decides.
        """
        if self.key not in row:
            step = "train_step" if self.key == "train_loss" else "validation_step"
            raise UserError(
                f"{step} returns no 'loss', which decides which epoch is the best; add the key "
                "'loss' to the dict that it returns"
            )
        self.rows.append(row)

    def costs(self):
        """[(cost, epoch)] of the validated epochs, in order. The cost is the loss or the negative
        score, infinity if that is NaN."""
        rows = [row for row in self.rows if row[self.key] is not None]
        return [(self._cost(row[self.key]), row["epoch"]) for row in rows]

    def _cost(self, value):
        return self.sign * value if math.isfinite(value) else math.inf

    @property
    def best_value(self):
        """The least loss, or the highest score."""
        return self.sign * min((cost for cost, _ in self.costs()), default=math.inf)

    def best_epochs(self, count):
        """The `count` best epochs, the best first; of equal ones the earlier."""
        return [epoch for cost, epoch in sorted(self.costs())[:count] if cost < math.inf]

    def check_best(self):
        """Raise a UserError if there are epochs, but none that can be the best."""
        if self.rows and not self.best_epochs(1):
            raise UserError(
                f"the {self._decides} is NaN or infinite in every epoch, so that none is the best "
                "and no model is saved. If the training loss is finite, check the validation data, "
                "and layers that behave differently in eval mode, such as batch normalisation"
            )

    def without_improvement(self):
        """How many validations there have been since the best one."""
        costs = [cost for cost, _ in self.costs()]
        return len(costs) - 1 - costs.index(min(costs)) if costs else 0

    def describe_best(self):
        """The number that decided, for a log."""
        return f"best {self._decides} {_number(self.best_value)}"

    @property
    def _decides(self):
        kind = "training" if self.key == "train_loss" else "validation"
        return f"{kind} {self.score or 'loss'}"

    def describe_last(self):
        """The last row, for a log."""
        row, shown = self.rows[-1], [("train", "train_loss"), ("val", "val_loss")]
        shown += [(self.score, self.key)] if self.score else []
        parts = [f"epoch {row['epoch']}", f"step {row['step']}", f"{row['minutes']:.1f} min"]
        parts += [f"{name} {_number(row[key])}" for name, key in shown if row.get(key) is not None]
        best = self.best_epochs(1) == [row["epoch"]]
        return "  ".join([*parts, *(["best so far"] if best else [])])

    def csv(self):
        """The rows as a CSV file; a column for every scalar that any row has."""
        columns = dict.fromkeys(key for row in self.rows for key in row)
        return csv_text([{key: row.get(key) for key in columns} for row in self.rows])

    def for_nussl(self):
        """The losses as nussl keeps them: {"train_loss": [...], "val_loss": [...]}."""
        return {
            key: [row[key] for row in self.rows if row.get(key) is not None]
            for key in ("train_loss", "val_loss")
        }

    def state_dict(self):
        return {"rows": self.rows}

    def load_state_dict(self, state):
        self.rows = state["rows"]


def _number(value):
    """Five decimals; four significant digits where these would say too little."""
    return f"{value:.3e}" if 0 < abs(value) < 0.001 else f"{value:.5f}"
