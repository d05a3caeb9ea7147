"""Training: the trainers that `train.class` in a YAML file may name, losses and the front end."""

from .front_end import FrontEnd
from .loggers import LOGGERS
from .losses import LOSSES
from .optimizers import OPTIMIZERS, SCHEDULERS
from .trainer import Term, Trainer

TRAINERS = {"Trainer": Trainer}

__all__ = [
    "LOGGERS",
    "LOSSES",
    "OPTIMIZERS",
    "SCHEDULERS",
    "TRAINERS",
    "FrontEnd",
    "Term",
    "Trainer",
]
