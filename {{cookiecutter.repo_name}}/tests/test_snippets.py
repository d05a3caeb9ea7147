"""Snippets of the built-in songs: where they are sung, and files that are whole or not there."""

import os
from itertools import product

import numpy as np
import pytest
import soundfile
from fresh_processes import bytes_of, in_a_fresh_process

from errors import UserError
from songs import SAMPLE_RATE, SPLITS, STEMS, Song, snippets
from songs.sound import amplitude

NAME = "30002005"  # snippet 5 of song 2 of the test split


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """The folder of one snippet's stems, mono at 16 kHz."""
    folder = tmp_path_factory.mktemp("snippets")
    snippets.render(NAME, folder, 16000, 1)
    return folder / NAME


def sung(split, songs):
    """The share of singing in every chosen excerpt of `songs`."""
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


@pytest.mark.parametrize(
    ("split", "song", "starts"),
    [
        ("train", 0, [12, 16, 20, 24, 40, 52, 56, 60, 64, 68]),
        ("val", 1, [8, 12, 20, 24, 28, 44, 56, 60, 64, 76]),
        ("test", 2, [8, 16, 32, 36, 40, 44, 56, 60, 72, 80]),  # the last 4 s that are whole
    ],
)
def test_a_recipe_has_the_snippets_that_it_always_had(split, song, starts):
    """Scores on other snippets cannot be compared: then the recipe gets another name."""
    assert snippets.RECIPES["plain"] == "recipe2"
    names = [snippets.snippet_name(split, song, number) for number in range(10)]
    assert [snippets.locate(name)[1] for name in names] == starts
