"""Training: the trainers that `train.class` in a YAML file may name, and losses."""

from .loggers import LOGGERS
from .losses import LOSSES
from .optimizers import OPTIMIZERS, SCHEDULERS
from .setup import Setup, Term
from .trainer import Trainer

TRAINERS = {"Trainer": Trainer}

__all__ = ["LOGGERS", "LOSSES", "OPTIMIZERS", "SCHEDULERS", "TRAINERS", "Setup", "Term", "Trainer"]
