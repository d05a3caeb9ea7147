"""Optimizers and schedulers by name: what `class` under each of them in `train` may name.

All of torch's are there, except optimizers that need a closure (LBFGS) or sparse gradients
(SparseAdam). To add yours, import it here and add it to `OPTIMIZERS` or `SCHEDULERS`.
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


def try_optimizer(kind, args):
    """An optimizer of one parameter, which has taken a step: some arguments fail only there."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = kind([parameter], **args)
    parameter.grad = torch.ones(1)
    optimizer.step()
    return optimizer


def try_scheduler(kind, optimizer, args):
    """Make a scheduler and let it take a step, which may fail as that of an optimizer."""
    scheduler = kind(optimizer, **args)
    optimizer.step()  # else torch warns that the scheduler's step comes first
    scheduler.step(*([0.0] if kind is torch.optim.lr_scheduler.ReduceLROnPlateau else []))


OPTIMIZERS = _subclasses(torch.optim, torch.optim.Optimizer)
del OPTIMIZERS["LBFGS"], OPTIMIZERS["SparseAdam"]
SCHEDULERS = _subclasses(torch.optim.lr_scheduler, torch.optim.lr_scheduler.LRScheduler)
