"""The built-in songs: the same numbers, the same sound, and no split hears another."""

import hashlib
import os
import subprocess
import sys
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
import soundfile

from errors import UserError
from songs import SAMPLE_RATE, SPLITS, STEMS, Song, snippets
from songs.drums import KITS, PLACES, Kit
from songs.instruments import BASS_TIMBRES, TIMBRES, Timbre
from songs.score import PROGRESSIONS, Note
from songs.song import _covered
from songs.sound import amplitude, channel_strip, hertz, pan, samples, saw, through, unit_power
from songs.voice import SINGERS

PROJECT = Path(__file__).parents[1]
NAME = "30002005"  # snippet 5 of song 2 of the test split
POOLS = {
    "singers": SINGERS,
    "timbres": TIMBRES,
    "bass timbres": BASS_TIMBRES,
    "kits": KITS,
    "progressions": PROGRESSIONS,
}


def fingerprint(stems):
    return hashlib.sha256(b"".join(stems[stem].tobytes() for stem in STEMS)).hexdigest()


def in_a_fresh_process(code, *args, wait=True):
    """Run `code` beside the project's modules; its output, or the process itself."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return process.communicate()[0] if wait else process


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def song():
    return Song("test", 2)


@pytest.fixture(scope="module")
def stretch(song):
    """Seconds 20 to 28 of the song."""
    return song.render(20, 8)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """The folder of one snippet's stems, mono at 16 kHz."""
    folder = tmp_path_factory.mktemp("snippets")
    snippets.render(NAME, folder, 16000, 1)
    return folder / NAME


# the sound


def test_the_same_numbers_give_the_same_sound_to_the_bit_in_any_process(stretch):
    assert fingerprint(Song("test", 2).render(20, 8)) == fingerprint(stretch)
    code = (
        "import sys, hashlib; from songs import Song, STEMS\n"
        "stems = Song('test', 2).render(20, 8)\n"
        "print(hashlib.sha256(b''.join(stems[s].tobytes() for s in STEMS)).hexdigest())"
    )
    assert in_a_fresh_process(code).strip() == fingerprint(stretch)


@pytest.mark.parametrize(("start", "seconds"), [(20, 1.5), (22, 3), (21.23456, 2.1), (27.5, 0.5)])
def test_a_stretch_is_the_slice_of_a_longer_one(song, stretch, start, seconds):
    first = samples(start) - samples(20)
    part = song.render(start, seconds)
    for stem in STEMS:
        whole = stretch[stem][first : first + samples(seconds)]
        assert np.abs(part[stem] - whole).max() < 1e-9, stem


def test_what_was_rendered_before_does_not_matter(stretch):
    song = Song("test", 2)
    song.render(40, 2)
    song.render(1, 2)
    assert fingerprint(song.render(20, 8)) == fingerprint(stretch)


def test_stems_are_stereo_finite_and_not_silent(stretch):
    assert tuple(stretch) == STEMS
    for stem, sound in stretch.items():
        assert sound.shape == (8 * SAMPLE_RATE, 2), stem
        assert sound.dtype == np.float64
        assert np.isfinite(sound).all(), stem
        assert np.sqrt(np.mean(sound**2)) > amplitude(-60), stem
    assert not np.array_equal(stretch["other"][:, 0], stretch["other"][:, 1])


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
    assert set(sounds) == set(PLACES)
    assert all(np.abs(sound).max() == pytest.approx(1) for sound in sounds.values())


@pytest.mark.parametrize("number", [*range(6), 200, 201, 202])
def test_a_note_has_unit_power_while_it_is_held_and_always_sounds_the_same(number):
    note = Timbre(number).note(50, 0.5)
    assert np.isfinite(note).all()
    assert np.mean(note[: samples(0.5)] ** 2) == pytest.approx(1)
    assert np.array_equal(Timbre(number).note(50, 0.5), note)


# snippets


def sung(split, songs):
    """The share of singing in every chosen stretch of `songs`."""
    for number in songs:
        song, starts = snippets._song(split, number, 0, "plain")
        assert len(set(starts)) == snippets.PER_SONG
        assert (np.diff(starts) >= snippets.SECONDS).all()  # in order, and none overlaps
        assert starts[0] >= 0
        assert starts[-1] + snippets.SECONDS <= song.length
        yield from (song.voice_activity(start, snippets.SECONDS) for start in starts)


@pytest.mark.parametrize("split", SPLITS)
def test_in_every_snippet_more_than_half_is_sung(split):
    assert min(sung(split, range(12))) > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("split", "songs"), [("train", 300), ("val", 30), ("test", 300)])
def test_in_every_snippet_of_every_fifth_song_more_than_half_is_sung(split, songs):
    assert min(sung(split, range(12, songs, 5))) > 0.5


def test_a_name_says_split_song_and_snippet():
    assert snippets.snippet_name("test", 12, 7) == "30012007"
    for key in product(SPLITS, (0, 299), (0, 9)):
        assert snippets.parse_name(snippets.snippet_name(*key)) == key


def test_a_snippet_is_its_four_stems_with_peaks_below_full_scale(rendered):
    assert sorted(path.name for path in rendered.iterdir()) == sorted(f"{s}.wav" for s in STEMS)
    sounds = [soundfile.read(rendered / f"{stem}.wav") for stem in STEMS]
    assert all(rate == 16000 and sound.shape == (64000,) for sound, rate in sounds)
    assert max(np.abs(sound).max() for sound, _ in sounds) < 0.99
    assert np.abs(sum(sound for sound, _ in sounds)).max() < 0.99
    assert min(np.sqrt(np.mean(sound**2)) for sound, _ in sounds) > amplitude(-60)


def test_peaks_stay_below_full_scale_where_a_song_is_too_loud(tmp_path, monkeypatch):
    loud = {stem: 0.7 * np.ones((4 * SAMPLE_RATE, 2)) for stem in STEMS}  # adds up to 2.8
    monkeypatch.setattr(Song, "render", lambda *_: loud)
    snippets.render(NAME, tmp_path, SAMPLE_RATE, 2)
    sounds = [soundfile.read(tmp_path / NAME / f"{stem}.wav")[0] for stem in STEMS]
    assert np.abs(sum(sounds)).max() == pytest.approx(0.98, abs=1e-3)
    assert all(np.allclose(sound, sounds[0]) for sound in sounds)  # one gain for all


def test_a_snippet_is_the_song_where_it_is_sung(rendered):
    song, start = snippets.locate(NAME)
    sound = soundfile.read(rendered / "vocals.wav")[0]
    vocals = song.render(start, snippets.SECONDS)["vocals"].mean(axis=1)
    power = [np.mean(part**2) for part in (np.array_split(sound, 20) + np.array_split(vocals, 20))]
    assert np.corrcoef(power[:20], power[20:])[0, 1] > 0.99


def test_the_same_snippet_has_the_same_bytes_and_another_seed_others(rendered, tmp_path):
    snippets.render(NAME, tmp_path / "again", 16000, 1)
    snippets.render(NAME, tmp_path / "seed", 16000, 1, seed=1)
    assert bytes_of(tmp_path / "again" / NAME) == bytes_of(rendered)
    other = bytes_of(tmp_path / "seed" / NAME)
    assert all(other[name] != content for name, content in bytes_of(rendered).items())


def test_rate_and_channels_are_those_asked_for(tmp_path):
    snippets.render(NAME, tmp_path, 44100, 2)
    sound, rate = soundfile.read(tmp_path / NAME / "other.wav")
    assert (rate, sound.shape) == (44100, (4 * 44100, 2))


@pytest.mark.parametrize("stop", [KeyboardInterrupt, UserError("the disk is full")])
def test_a_rendering_that_is_stopped_leaves_nothing(tmp_path, monkeypatch, stop):
    encode, calls = snippets.encode_stem, []

    def stopped(*args):
        calls.append(args)
        if len(calls) == 3:
            raise stop
        return encode(*args)

    monkeypatch.setattr(snippets, "encode_stem", stopped)
    with pytest.raises(type(stop) if isinstance(stop, Exception) else stop):
        snippets.render(NAME, tmp_path, 16000, 1)
    assert len(calls) == 3
    assert list(tmp_path.iterdir()) == []


def test_a_rendering_that_is_killed_leaves_no_folder_under_the_final_name(rendered, tmp_path):
    code = (
        "import os, signal, sys; from songs import snippets\n"
        "encode, calls = snippets.encode_stem, []\n"
        "def killed(*args):\n"
        "    calls.append(args)\n"
        "    if len(calls) == 2: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return encode(*args)\n"
        "snippets.encode_stem = killed\n"
        "snippets.render(sys.argv[1], sys.argv[2], 16000, 1)"
    )
    in_a_fresh_process(code, NAME, tmp_path)
    assert [path.name.startswith(f".{NAME}.") for path in tmp_path.iterdir()] == [True]
    snippets.render(NAME, tmp_path, 16000, 1)
    assert bytes_of(tmp_path / NAME) == bytes_of(rendered)


def test_two_processes_may_make_the_same_snippet_at_once(rendered, tmp_path):
    code = "import sys; from songs import snippets; snippets.render(*sys.argv[1:], 16000, 1)"
    both = [in_a_fresh_process(code, NAME, tmp_path, wait=False) for _ in range(2)]
    assert [process.communicate()[0] for process in both] == ["", ""]
    assert [process.returncode for process in both] == [0, 0]
    assert os.listdir(tmp_path) == [NAME]
    assert bytes_of(tmp_path / NAME) == bytes_of(rendered)


def test_a_snippet_that_another_process_made_meanwhile_stays(rendered, tmp_path, monkeypatch):
    encode, calls = snippets.encode_stem, []

    def overtaken(*args):
        calls.append(args)
        if len(calls) == 1:
            snippets.render(NAME, tmp_path, 16000, 1)
            (tmp_path / NAME / "mark").touch()
        return encode(*args)

    monkeypatch.setattr(snippets, "encode_stem", overtaken)
    snippets.render(NAME, tmp_path, 16000, 1)
    assert os.listdir(tmp_path) == [NAME]
    assert (tmp_path / NAME / "mark").exists()


def test_a_folder_that_cannot_be_written_to_is_reported(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UserError, match="data/test: cannot be written .*set DATA_DIRECTORY"):
        snippets.render(NAME, tmp_path / "data" / "test", 16000, 1)


# what sounds are made with


def test_a_saw_aliases_far_less_than_a_naive_one():
    frequency = 1234.5
    phase = frequency * np.arange(SAMPLE_RATE) / SAMPLE_RATE
    hz = np.fft.rfftfreq(SAMPLE_RATE, 1 / SAMPLE_RATE)
    # below 10 kHz, where it is audible, and away from the harmonics
    between = (hz > 20) & (hz < 10000) & (np.abs(hz / frequency - np.round(hz / frequency)) > 0.05)

    def aliased(wave):
        power = np.abs(np.fft.rfft(wave * np.blackman(len(wave)))) ** 2
        return 10 * np.log10(power[between].sum() / power.sum())

    assert aliased(saw(phase)) < aliased(2 * (phase % 1) - 1) - 15
    assert np.abs(saw(phase) - (2 * (phase % 1) - 1)).max() < 1.01  # at its jumps alone
    assert np.abs(saw(phase)).max() <= 1.0


def test_unit_power_is_unit_power_and_silence_stays():
    sound = 3 * np.random.default_rng(0).standard_normal(1000)
    assert np.mean(unit_power(sound) ** 2) == pytest.approx(1)
    assert np.mean(unit_power(sound, over=100)[:100] ** 2) == pytest.approx(1)
    assert not unit_power(np.zeros(10)).any()


def test_pitch_and_decibels_are_what_they_are_everywhere():
    assert hertz(69) == 440
    assert hertz(81) == pytest.approx(880)
    assert amplitude(0) == 1
    assert amplitude(-20) == pytest.approx(0.1)


@pytest.mark.parametrize("position", [-1, -0.3, 0, 1])
def test_panning_keeps_the_power(position):
    stereo = pan(np.ones(10), position)
    assert np.allclose((stereo**2).sum(axis=1), 2)
    assert np.allclose(stereo[:, 0], stereo[:, 1]) == (position == 0)


class Flat:
    """A random generator that draws an equaliser without bumps."""

    def __init__(self):
        self.rng = np.random.default_rng(0)
        self.standard_normal, self.uniform = self.rng.standard_normal, self.rng.uniform

    def normal(self, mean, deviation, size):
        return np.zeros(size)


def decibels(response, frequency):
    turn = np.exp(-2j * np.pi * frequency / SAMPLE_RATE * np.arange(len(response)))
    return 20 * np.log10(np.abs(turn @ response))


@pytest.mark.parametrize("tilt", [-3.0, 0.0, 3.0])
def test_the_equaliser_of_a_strip_tilts_around_1_khz(tilt):
    response = channel_strip(Flat(), 0.3, -300, tilt)[:513, 0]
    for octaves in (-1, 0, 1, 2, 3):
        assert decibels(response, 1000 * 2.0**octaves) == pytest.approx(tilt * octaves, abs=1.0)


def test_the_room_of_a_strip_has_the_level_and_the_decay_asked_for():
    room = channel_strip(Flat(), 1.0, -10, 0.0) - channel_strip(Flat(), 1.0, -300, 0.0)
    assert 10 * np.log10(np.mean(np.sum(room**2, axis=0))) == pytest.approx(-10, abs=1e-6)
    begin = np.flatnonzero(np.abs(room).max(axis=1) > 1e-9)[0]
    early, late = (np.mean(room[begin + samples(t) :][: samples(0.1)] ** 2) for t in (0.1, 0.6))
    assert 10 * np.log10(early / late) == pytest.approx(30, abs=2)  # 60 dB a second


def test_the_echo_of_a_strip_comes_when_and_as_loud_as_asked_for():
    echo = channel_strip(Flat(), 0.2, -300, 0.0, echo=(0.5, -12.0))[:, 0]
    assert not echo[samples(0.25) : samples(0.5)].any()
    assert decibels(echo[samples(0.5) :], 500) == pytest.approx(-12, abs=0.5)


def test_a_sound_through_a_strip_stays_as_long_as_it_was():
    sound, response = np.zeros((1000, 2)), np.zeros((400, 2))
    sound[700], response[100] = (1, 2), (3, 5)
    expected = np.zeros((1000, 2))
    expected[800] = 3, 10
    assert np.allclose(through(sound, response), expected)


def test_seconds_in_which_something_sounds_are_counted_once():
    def notes(*spans):
        return [Note(start, end - start, 60, 1) for start, end in spans]

    assert _covered([]) == 0
    assert _covered(notes((1, 3))) == pytest.approx(2)
    assert _covered(notes((0, 1), (2, 3))) == pytest.approx(2)
    assert _covered(notes((0, 2), (1, 3))) == pytest.approx(3)
    assert _covered(notes((0, 10), (1, 2), (3, 4))) == pytest.approx(10)
    assert _covered(notes((5, 6), (0, 1), (0, 1))) == pytest.approx(2)
