"""Labels swapped in some tracks are found by their spectra; labels without an order are not."""

import numpy as np
import pytest
import scipy.signal

from auditing.labels import spectrum, swapped

RATE = 8000


def tracks(count, low, high, rng, swap=()):
    """Tracks of two sources, noise with a slope (dB an octave) drawn around `low` and `high`."""
    made = []
    for number in range(count):
        slopes = [rng.normal(low, 2.0), rng.normal(high, 2.0)]
        if number in swap:
            slopes.reverse()
        sounds = []
        for slope in slopes:
            frequencies = np.linspace(0, 1, 129)
            gains = np.maximum(frequencies, 1e-2) ** (slope / 6.02)
            taps = scipy.signal.firwin2(257, frequencies, gains)
            sounds.append(scipy.signal.lfilter(taps, 1, rng.standard_normal(RATE))[None])
        spectra = {name: spectrum(sound, RATE) for name, sound in zip("ab", sounds, strict=True)}
        made.append((f"track{number}", f"song{number}", spectra))
    return made


@pytest.mark.parametrize("count", [4, 10, 12])
def test_swapped_labels_are_found_in_half_of_the_tracks_too(count):
    rng = np.random.default_rng(0)
    swap = set(rng.choice(24, count, replace=False).tolist())
    found = swapped(tracks(24, -6.0, 3.0, rng, swap), ["a", "b"])
    ((first, second, names, p),) = found
    assert (first, second) == ("a", "b") and p < 0.001
    wrong = {f"track{number}" for number in swap}
    others = {f"track{number}" for number in range(24)} - wrong
    assert set(names) in ((wrong,) if count < 12 else (wrong, others))


@pytest.mark.parametrize("low, high", [(-6.0, 3.0), (0.0, 0.0), (-1.0, 1.0)])
@pytest.mark.parametrize("seed", range(5))
def test_right_labels_and_sounds_of_one_kind_are_not_suspected(low, high, seed):
    assert swapped(tracks(24, low, high, np.random.default_rng(seed)), ["a", "b"]) == []


def test_tracks_of_one_song_count_once():
    made = tracks(28, -6.0, 3.0, np.random.default_rng(0), swap=range(4))
    by_song = [(name, f"song{i // 4}", spectra) for i, (name, _, spectra) in enumerate(made)]
    assert swapped(made, ["a", "b"]) != []
    assert swapped(by_song, ["a", "b"]) == []  # one of seven songs may be an accident


def test_numbered_labels_have_no_order_and_few_songs_say_nothing():
    made = tracks(24, -6.0, 3.0, np.random.default_rng(0), range(12))
    speakers = [(name, song, {"s1": s["a"], "s2": s["b"]}) for name, song, s in made]
    assert swapped(speakers, ["s1", "s2"]) == []
    assert swapped([(name, "one song", s) for name, _, s in made], ["a", "b"]) == []


def test_a_silent_source_has_no_spectrum_and_its_track_is_left_out():
    made = tracks(24, -6.0, 3.0, np.random.default_rng(0), range(12))
    assert spectrum(np.zeros((1, RATE)), RATE) is None
    made.append(("silent", "silent", {"a": None, "b": made[0][2]["b"]}))
    ((*_, names, _),) = swapped(made, ["a", "b"])
    assert "silent" not in names
