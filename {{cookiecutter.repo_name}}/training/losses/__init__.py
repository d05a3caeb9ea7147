"""Losses by name: what `class` under `train.loss` in a YAML file may say.

A loss has `DEFAULT_KEYS`, nussl's convention: {key of the model's output or of the batch: name of
the argument that it becomes}.
"""

from .deep_clustering import DeepClusteringLoss

LOSSES = {"DeepClusteringLoss": DeepClusteringLoss}

__all__ = ["LOSSES", "DeepClusteringLoss"]
