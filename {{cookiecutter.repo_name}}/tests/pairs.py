"""Voices and music from which pairs are made, and the step that makes them."""

import numpy as np
import pytest
import soundfile

from preparation import (
    VoicesOverMusic,
)

RATE = 16000


def pulses(hertz, seconds, rate=RATE):
    """A buzz of one pitch, as loud as speech."""
    time = np.arange(int(seconds * rate)) / rate
    return 0.2 * sum(np.sin(2 * np.pi * k * hertz * time) / k for k in range(1, 20))


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Six speakers of a clip each, and six pieces of noise: {speaker or piece: number}."""
    folder = tmp_path_factory.mktemp("material")
    for number, name in enumerate("abcdef"):
        place = folder / "voices" / name
        place.mkdir(parents=True)
        soundfile.write(place / "word.wav", pulses(100 + 20 * number, 0.8), RATE)
        noise = 0.1 * np.random.default_rng(number).standard_normal((5 * 22050, 2))
        (folder / "music").mkdir(exist_ok=True)
        soundfile.write(folder / "music" / f"piece {name}.ogg", noise, 22050)
    return folder


def step(**changed):
    args = {
        "voices": ["^voices/([^/]+)/"],
        "music": ["^music/piece (.)"],
        "splits": {
            "val": {"voices": ["b"], "music": ["c"]},
            "test": {"voices": ["c", "d"], "music": ["[de]"]},
        },
        "minutes": {"train": 0.1, "val": 0.07, "test": 0.07},
        "seconds": 2.0,
        "sung": 0.0,
        "built_in": 0.0,
    }
    return VoicesOverMusic(**{**args, **changed})
