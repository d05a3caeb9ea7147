"""From a publisher's archive, or a copy that was bought, to a folder that a dataset reads.

`prepare(settings, steps)` downloads, checks, unpacks, converts, and writes a manifest of what it
made.
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
