"""Training: the trainers that `train.class` in a YAML file may name, and losses."""

from .loggers import LOGGERS
from .losses import LOSSES
from .trainer import Term, Trainer

TRAINERS = {"Trainer": Trainer}

__all__ = ["LOGGERS", "LOSSES", "TRAINERS", "Term", "Trainer"]
