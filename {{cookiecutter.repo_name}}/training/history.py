"""What was reached in each epoch, and what follows from it."""

import math

from files import csv_text


class History:
    """A row an epoch: `rows`, dicts with the same keys.

    What decides is the validation loss, or the training loss where there is no validation data;
    epochs without validation decide nothing.

    Args:
        validated: is there validation data?
    """

    def __init__(self, validated):
        self.key = "val_loss" if validated else "train_loss"
        self.rows = []

    def add(self, row):
        self.rows.append(row)

    def decisive(self):
        """[(loss, epoch)] of the epochs that have one, in order."""
        return [(row[self.key], row["epoch"]) for row in self.rows if row[self.key] is not None]

    @property
    def best_loss(self):
        return min((loss for loss, _ in self.decisive()), default=math.inf)

    def best_epochs(self, count):
        """The epochs of the `count` least losses, the best first; of equal ones the earlier."""
        return [epoch for _, epoch in sorted(self.decisive())[:count]]

    def without_improvement(self):
        """How many validations there have been since the best one."""
        losses = [loss for loss, _ in self.decisive()]
        return len(losses) - 1 - losses.index(min(losses)) if losses else 0

    def csv(self):
        return csv_text(self.rows)

    def for_nussl(self):
        """What nussl keeps of a training: {"train_loss": [...], "val_loss": [...]}."""
        return {
            key: [row[key] for row in self.rows if row.get(key) is not None]
            for key in ("train_loss", "val_loss")
        }
