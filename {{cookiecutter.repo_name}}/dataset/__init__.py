"""Datasets by name: what `class` under `datasets` in a YAML file may say."""

from .base import StemDataset, Track
from .sample import Sample

DATASETS = {"Sample": Sample}

__all__ = ["DATASETS", "Sample", "StemDataset", "Track"]
