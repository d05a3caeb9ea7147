"""The built-in songs: the same numbers, the same sound, and no split hears another."""

import hashlib
from itertools import combinations

import numpy as np
import pytest
from fresh_processes import in_a_fresh_process

from songs import SAMPLE_RATE, SPLITS, STEMS, Song
from songs.drums import KITS, LEVELS_AND_PANS, Kit
from songs.instruments import BASS_TIMBRES, TIMBRES, Timbre
from songs.score import PROGRESSIONS, Note
from songs.song import _seconds_with_notes
from songs.sound import amplitude, num_samples
from songs.voice import SINGERS

POOLS = {
    "singers": SINGERS,
    "timbres": TIMBRES,
    "bass timbres": BASS_TIMBRES,
    "kits": KITS,
    "progressions": PROGRESSIONS,
}


def fingerprint(stems):
    return hashlib.sha256(b"".join(stems[stem].tobytes() for stem in STEMS)).hexdigest()


@pytest.fixture(scope="module")
def song():
    return Song("test", 2)


@pytest.fixture(scope="module")
def excerpt(song):
    """Seconds 20 to 28 of the song."""
    return song.render(20, 8)


# the sound


def test_the_same_numbers_give_the_same_sound_to_the_bit_in_any_process(excerpt):
    assert fingerprint(Song("test", 2).render(20, 8)) == fingerprint(excerpt)
    code = (
        "import sys, hashlib; from songs import Song, STEMS\n"
        "stems = Song('test', 2).render(20, 8)\n"
        "print(hashlib.sha256(b''.join(stems[s].tobytes() for s in STEMS)).hexdigest())"
    )
    assert in_a_fresh_process(code).strip() == fingerprint(excerpt)


@pytest.mark.parametrize(("start", "seconds"), [(20, 1.5), (22, 3), (21.23456, 2.1), (27.5, 0.5)])
def test_an_excerpt_is_the_slice_of_a_longer_one(song, excerpt, start, seconds):
    first = num_samples(start) - num_samples(20)
    part = song.render(start, seconds)
    for stem in STEMS:
        whole = excerpt[stem][first : first + num_samples(seconds)]
        assert np.abs(part[stem] - whole).max() < 1e-9, stem


def test_what_was_rendered_before_does_not_matter(excerpt):
    song = Song("test", 2)
    song.render(40, 2)
    song.render(1, 2)
    assert fingerprint(song.render(20, 8)) == fingerprint(excerpt)


def test_stems_are_stereo_finite_and_not_silent(excerpt):
    assert tuple(excerpt) == STEMS
    for stem, sound in excerpt.items():
        assert sound.shape == (8 * SAMPLE_RATE, 2), stem
        assert sound.dtype == np.float64
        assert np.isfinite(sound).all(), stem
        assert np.sqrt(np.mean(sound**2)) > amplitude(-60), stem
    assert not np.array_equal(excerpt["other"][:, 0], excerpt["other"][:, 1])


def test_beyond_its_end_a_song_fades_and_is_silent(song):
    stems = song.render(song.length - 1, 10)
    for stem, sound in stems.items():
        assert np.isfinite(sound).all(), stem
        assert np.abs(sound[9 * SAMPLE_RATE :]).max() < 1e-4, stem
    assert sum(np.abs(sound[:SAMPLE_RATE]).max() for sound in stems.values()) > 0.01


def test_before_its_start_a_song_is_silent(song):
    for sound in song.render(-2, 1.5).values():
        assert np.abs(sound).max() < 1e-9


def test_every_number_split_and_seed_is_another_song():
    songs = [
        Song("train", 0),
        Song("train", 1),
        Song("val", 0),
        Song("test", 0),
        Song("train", 0, seed=1),
    ]
    prints = [fingerprint(song.render(16, 0.5)) for song in songs]
    assert len(set(prints)) == len(songs)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split is 'dev'; the built-in songs have train, val"):
        Song("dev", 0)


# no split hears another


@pytest.mark.parametrize("pool", POOLS)
def test_no_two_splits_share_any(pool):
    assert set(POOLS[pool]) == set(SPLITS)
    for one, other in combinations(SPLITS, 2):
        assert not set(POOLS[pool][one]) & set(POOLS[pool][other])


@pytest.mark.parametrize("split", SPLITS)
def test_a_song_takes_all_from_the_pools_of_its_split(split):
    for number in range(12):
        song = Song(split, number)
        assert {song.singer_number, song.backing_number} <= set(SINGERS[split])
        assert {song.lines[part] for part in ("chords", "figure", "lead")} <= set(TIMBRES[split])
        assert song.lines["bass"] in BASS_TIMBRES[split]
        assert song.kit in KITS[split]


def test_another_number_is_another_timbre_and_another_kit():
    notes = {Timbre(number).note(60, 0.3).tobytes() for number in range(6, 18)}
    assert len(notes) == 12
    assert len({Kit(number).sounds["snare"].tobytes() for number in range(5)}) == 5


def test_a_kit_has_every_drum_at_full_scale():
    sounds = Kit(3).sounds
    assert set(sounds) == set(LEVELS_AND_PANS)
    assert all(np.abs(sound).max() == pytest.approx(1) for sound in sounds.values())


@pytest.mark.parametrize("number", [*range(6), 200, 201, 202])
def test_a_note_has_unit_power_while_it_is_held_and_always_sounds_the_same(number):
    note = Timbre(number).note(50, 0.5)
    assert np.isfinite(note).all()
    assert np.mean(note[: num_samples(0.5)] ** 2) == pytest.approx(1)
    assert np.array_equal(Timbre(number).note(50, 0.5), note)


def test_seconds_in_which_something_sounds_are_counted_once():
    def notes(*spans):
        return [Note(start, end - start, 60, 1) for start, end in spans]

    assert _seconds_with_notes([]) == 0
    assert _seconds_with_notes(notes((1, 3))) == pytest.approx(2)
    assert _seconds_with_notes(notes((0, 1), (2, 3))) == pytest.approx(2)
    assert _seconds_with_notes(notes((0, 2), (1, 3))) == pytest.approx(3)
    assert _seconds_with_notes(notes((0, 10), (1, 2), (3, 4))) == pytest.approx(10)
    assert _seconds_with_notes(notes((5, 6), (0, 1), (0, 1))) == pytest.approx(2)
