"""Datasets by name: what `class` under `datasets` in a YAML file may say."""

from .base import StemDataset
from .sample import Sample
from .tracks import Channel, Track

DATASETS = {"Sample": Sample}

__all__ = ["DATASETS", "Channel", "Sample", "StemDataset", "Track"]
