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


OPTIMIZERS = _subclasses(torch.optim, torch.optim.Optimizer)
SCHEDULERS = _subclasses(torch.optim.lr_scheduler, torch.optim.lr_scheduler.LRScheduler)
