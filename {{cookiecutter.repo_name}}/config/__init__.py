"""Reads an experiment's YAML file as a checked, typed `Config`, without importing torch or nussl.

config = load("experiments/deep_clustering.yml", needs=("datasets.train", "model", "train"))
config.train.optimizer.class_name, config.get("train.optimizer.args")
"""

from .editor import json_schema
from .errors import ConfigError, Problem, show
from .fields import Section
from .load import load
from .plain import flat, leaves
from .schema import Config
from .signatures import check_args, check_class
from .write import write_resolved

__all__ = [
    "Config",
    "ConfigError",
    "Problem",
    "Section",
    "check_args",
    "check_class",
    "flat",
    "json_schema",
    "leaves",
    "load",
    "show",
    "write_resolved",
]
