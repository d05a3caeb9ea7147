"""Prepares datasets: from a publisher's archive or your own copy to a folder that a dataset reads.

`prepare(settings, steps)` downloads, checks, unpacks and converts files, and writes a manifest of
the result.
"""

from .convert import Convert
from .debian import FetchPackages
from .manifest import MANIFEST
from .musdb import DecodeStems
from .run import prepare
from .snippets import Snippets
from .speaker_clips import SpeakerClips
from .voices_over_music import VoicesOverMusic
from .wsj0 import MixWSJ0

STEPS = {
    cls.__name__: cls
    for cls in (
        Convert,
        DecodeStems,
        FetchPackages,
        MixWSJ0,
        Snippets,
        SpeakerClips,
        VoicesOverMusic,
    )
}

__all__ = ["MANIFEST", "STEPS", "prepare", *STEPS]
