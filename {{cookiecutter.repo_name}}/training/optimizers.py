"""Optimizers and schedulers by name: what `class` under each of them in `train` may name.

All of torch's are there. To add yours, import it here and add it to `OPTIMIZERS` or `SCHEDULERS`.
"""

import torch


def _subclasses(module, base):
    return {
        name: item
        for name, item in vars(module).items()
        if isinstance(item, type) and issubclass(item, base) and item is not base
    }


def scheduler_args(component, best_by):
    """The arguments of `train.scheduler`.

    ReduceLROnPlateau follows the number that decides which model is the best: of a score
    (`train.best_by`), more is better, and the threshold of an improvement is absolute, 1e-4.
    """
    if best_by is None or component.class_name != "ReduceLROnPlateau":
        return component.args
    return {"mode": "max", "threshold_mode": "abs", **component.args}


OPTIMIZERS = _subclasses(torch.optim, torch.optim.Optimizer)
SCHEDULERS = _subclasses(torch.optim.lr_scheduler, torch.optim.lr_scheduler.LRScheduler)
