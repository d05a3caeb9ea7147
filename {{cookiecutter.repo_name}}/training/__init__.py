"""Training: the trainers that `train.class` in a YAML file may name, losses and the front end."""

from .front_end import FrontEnd
from .losses import LOSSES
from .trainer import Trainer

TRAINERS = {"Trainer": Trainer}

__all__ = ["LOSSES", "TRAINERS", "FrontEnd", "Trainer"]
