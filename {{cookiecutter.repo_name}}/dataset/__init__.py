"""Datasets by name: the values of `class` under `datasets` in a YAML file."""

from .base import StemDataset
from .dnr import DnR
from .librimix import LibriMix
from .librispeech import LibriSpeech
from .mir1k import MIR1K
from .moisesdb import MoisesDB
from .musdb18 import MUSDB18
from .remix_packs600 import RemixPacks600
from .sample import Sample
from .scaper import Scaper
from .slakh2100 import Slakh2100
from .speaker_folder import SpeakerFolder
from .stem_folder import StemFolder
from .tracks import Channel, Track
from .wham import WHAM
from .whamr import WHAMR
from .wsj0mix import WSJ0Mix

DATASETS = {
    cls.__name__: cls
    for cls in (
        DnR,
        LibriMix,
        LibriSpeech,
        MIR1K,
        MUSDB18,
        MoisesDB,
        RemixPacks600,
        Sample,
        Scaper,
        Slakh2100,
        SpeakerFolder,
        StemFolder,
        WHAM,
        WHAMR,
        WSJ0Mix,
    )
}

__all__ = ["DATASETS", "Channel", "StemDataset", "Track", *DATASETS]
