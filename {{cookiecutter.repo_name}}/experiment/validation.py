"""The score by which a training run chooses its best model: `train.best_by`."""

import functools
import logging
import math

import distributed
from algorithms import ALGORITHMS, labels_of
from checkpoints import InMemory
from compat.failures import errors_named
from errors import UserError, amount
from evaluation import METRICS, evenly, score_item, score_names
from evaluation.speech import PACKAGES, require
from training import random_state
from training.history import Means

from .evaluation import methods_of

log = logging.getLogger("train")

DIGITS = 6  # to which a score is rounded: further ones depend on the order of sums


def metric_of(score):
    """The key of `METRICS` whose columns include `score`; None if there is none."""
    return next((metric for metric in METRICS if score in score_names(metric)), None)


class ValidationScore:
    """The mean score of validation items, separated by the experiment's algorithm with the weights
    of `trainer.eval_model`.

    Attributes:
        name: of the score.

    Args:
        config: of the experiment.
        data: the validation data.
    """

    def __init__(self, config, data):
        settings = config.train.best_by
        self.name, self.data = settings.score, data
        self.metric = metric_of(settings.score)
        if self.metric in PACKAGES:
            require(self.metric)
        self.algorithm, self.args = ALGORITHMS[config.algorithm.class_name], config.algorithm.args
        self.chosen = evenly(len(data), settings.num_items)
        self.left_out = set()  # items that cannot be scored; each is logged once

    def __call__(self, trainer):
        """{name: the mean over items and sources}, the same in all processes.

        The random numbers of training stay as they are.

        Raises:
            UserError: no item has a score.
        """
        before = random_state.capture(trainer.device)
        levels = distributed.all_gather(trainer.levels.summary())[0]  # as in the checkpoint
        metadata = {**trainer.checkpoints.metadata, "level_db": levels}
        model = InMemory(trainer.eval_model.eval(), metadata)
        means = Means()
        for index in self.chosen[distributed.rank() :: distributed.world_size()]:
            scores = self._scores(model, trainer.device, index)
            values = [score for score in scores if not math.isnan(score)]  # NaN: a silent source
            if values:
                means.add({self.name: sum(values) / len(values)}, count=len(values))
        random_state.restore(before, trainer.device)
        mean = means.compute().get(self.name)
        if mean is None:
            raise UserError(
                f"train.best_by: none of {amount(len(self.chosen), 'item')} of the validation "
                f"data has a {self.name}; choose another score, or remove the key"
            )
        return {self.name: round(mean, DIGITS)}

    def _scores(self, model, device, index):
        """The score of each source of an item."""
        args = {**self.args, "model_path": model, "device": device}
        make = functools.partial(self.algorithm, **args)
        labels = labels_of(self.algorithm, tuple(model))
        methods, named = methods_of("model", make, labels)
        name = self.data.tracks[index].name
        try:
            with errors_named(name):
                rows = score_item(self.data[index], methods, named, (self.metric,), oracles={})
        except UserError as error:
            if error.general:
                raise
            if index not in self.left_out:
                log.warning("left out of %s: %s", self.name, error)
                self.left_out.add(index)
            return []
        return [row[self.name] for row in rows if row["method"] == "model"]
