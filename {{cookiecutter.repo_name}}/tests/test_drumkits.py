"""Drum kits in Hydrogen's format play the beats that they are given."""

import numpy as np
import pytest
import soundfile

from errors import UserError
from preparation.drumkits import Drumkit
from songs.score import Hit

RATE = 16000
LAYER = "<layer><filename>{}</filename><min>{}</min><max>{}</max><gain>{}</gain></layer>"


def kit(folder, instruments, namespace=""):
    """A drumkit.xml: `instruments` are (name, what stands in it); each sound is one sample high."""
    body = "".join(f"<instrument><name>{n}</name>{inner}</instrument>" for n, inner in instruments)
    path = folder / "drumkit.xml"
    path.write_text(
        f"<drumkit_info{namespace}><instrumentList>{body}</instrumentList></drumkit_info>"
    )
    return path


@pytest.fixture
def folder(tmp_path):
    for name, height in {"kick": 0.5, "soft": 0.1, "hard": 0.4, "hat": 0.2}.items():
        sound = np.zeros(400)
        sound[0] = height
        soundfile.write(tmp_path / f"{name}.wav", sound, RATE, subtype="FLOAT")
    return tmp_path


INSTRUMENTS = [
    ("Bass Drum", LAYER.format("kick.wav", 0, 1, 1)),
    ("Snare Rock", LAYER.format("soft.wav", 0, 0.5, 2) + LAYER.format("hard.wav", 0.5, 1, 1)),
    ("Closed HH", "<filename>hat.wav</filename>"),  # as old kits have it, without layers
    ("Cowbell", LAYER.format("hat.wav", 0, 1, 1)),
    ("Tom Low", LAYER.format("gone.wav", 0, 1, 1)),
]


@pytest.mark.parametrize("namespace", ["", ' xmlns="http://www.hydrogen-music.org/drumkit"'])
def test_each_hit_sounds_at_its_time_in_the_layer_of_its_velocity(folder, namespace):
    drums = Drumkit(kit(folder, INSTRUMENTS, namespace), RATE)
    hits = [
        Hit(9.0, "kick", 1.0),  # before the excerpt
        Hit(10.0, "kick", 1.0),
        Hit(10.25, "snare", 0.25),
        Hit(10.5, "snare", 1.0),
        Hit(10.75, "hat", 1.0),
        Hit(11.0, "kick", 1.0),  # after it
    ]
    made = drums.play(hits, 10.0, 1.0, np.random.default_rng(0))
    assert made.shape == (RATE,) and made.dtype == np.float32
    expected = {0: 0.5, RATE // 4: 2 * 0.1 * 0.25**1.5, RATE // 2: 0.4, 3 * RATE // 4: 0.2}
    assert set(np.flatnonzero(made)) == set(expected)
    for place, height in expected.items():
        assert made[place] == pytest.approx(height, rel=1e-3)


def test_another_drum_plays_for_one_that_a_kit_lacks(folder):
    drums = Drumkit(kit(folder, INSTRUMENTS), RATE)
    rng = np.random.default_rng(0)
    hat = drums.play([Hit(0, "hat", 1.0)], 0, 0.1, rng)
    assert hat.any()
    for drum in ("open", "ride", "crash"):
        np.testing.assert_array_equal(drums.play([Hit(0, drum, 1.0)], 0, 0.1, rng), hat)
    for drum in ("tom1", "tom2", "clap", "shaker"):
        assert not drums.play([Hit(0, drum, 1.0)], 0, 0.1, rng).any()


def test_what_is_no_drum_kit_is_named(folder):
    with pytest.raises(UserError, match="drumkit.xml: has no kick or no snare, but hat"):
        Drumkit(kit(folder, INSTRUMENTS[2:]), RATE)
    (folder / "drumkit.xml").write_text("<drumkit_info>")
    with pytest.raises(UserError, match="drumkit.xml: is not a drum kit of Hydrogen"):
        Drumkit(folder / "drumkit.xml", RATE)
