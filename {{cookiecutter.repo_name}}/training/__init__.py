"""Training: the trainers that `train.class` in a YAML file may name, and losses."""

from .loggers import LOGGERS
from .losses import LOSSES
from .optimizers import OPTIMIZERS, SCHEDULERS
from .trainer import Term, Trainer

TRAINERS = {"Trainer": Trainer}

__all__ = ["LOGGERS", "LOSSES", "OPTIMIZERS", "SCHEDULERS", "TRAINERS", "Term", "Trainer"]
