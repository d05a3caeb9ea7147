"""Snippets of MUSDB18 and folders of speakers, as `scripts.prepare` makes them."""

import importlib.util
import shutil
import types
from pathlib import Path

import layouts
import more_layouts
import numpy as np
import pytest
import soundfile

import audio
import config
import experiment
from dataset import SpeakerFolder, StemFolder
from errors import UserError
from preparation import STEPS, FetchPackages, Snippets, SpeakerClips, prepare
from preparation.convert import encode_16_bit

PROJECT = Path(__file__).parents[2]
RATE = 16000


@pytest.fixture(scope="session")
def musdb(tmp_path_factory):
    """A miniature MUSDB18-HQ: two songs a split, 1.5 s each."""
    return more_layouts.write("MUSDB18", tmp_path_factory.mktemp("musdb") / "musdb18hq")


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.wav")}


def check_snippets(folder, split, songs, per_song, seconds):
    data = StemFolder(folder, split, RATE, 1, None, layout="stems", song="(.*)_\\d+")
    assert data.labels == ["accompaniment", "vocals"] and data.mixture == "file"
    assert {track.song for track in data.tracks} == {*songs}
    assert len(data) == per_song * len(songs)
    for index in range(len(data)):
        sources = data.excerpt(index)
        assert sources.shape == (2, 1, round(seconds * RATE)) and sources.any(axis=2).all()
        assert np.array_equal(data.mix(index), sources.sum(axis=0))


def test_snippets_of_musdb_are_the_same_twice_and_no_song_is_in_two_splits(musdb, tmp_path):
    for name in ("one", "two"):
        Snippets(per_song=3, seconds=0.5).run(musdb, tmp_path / name)
    made = files(tmp_path / "one")
    assert made == files(tmp_path / "two") and len(made) == 3 * 3 * 6
    for split, songs in layouts.MUSDB_NAMES.items():
        check_snippets(tmp_path / "one", split, songs, 3, 0.5)
    first = {n: made[f"test/vocals/Al James - Schoolboy Facination_0{n}.wav"] for n in range(3)}
    assert len({*first.values()}) == 3
    Snippets(per_song=3, seconds=0.5, seed=1).run(musdb, tmp_path / "other")
    assert files(tmp_path / "other") != made
    gone = next((tmp_path / "one" / "val" / "mix").iterdir())
    gone.unlink()
    Snippets(per_song=3, seconds=0.5).run(musdb, tmp_path / "one")
    assert files(tmp_path / "one") == made


def test_a_snippet_is_a_part_of_its_song(musdb, tmp_path):
    Snippets(per_song=2, seconds=0.5, sample_rate=44100, num_channels=2).run(musdb, tmp_path)
    song = layouts.MUSDB_NAMES["test"][0]
    whole = audio.read(musdb / "test" / song / "vocals.wav")
    part = audio.read(tmp_path / "test" / "vocals" / f"{song}_01.wav")
    starts = np.flatnonzero(np.abs(whole[0] - part[0, 0]) < 1e-4)
    differences = [
        np.abs(whole[:, s : s + part.shape[1]] - part).max()
        for s in starts
        if s + part.shape[1] <= whole.shape[1]
    ]
    assert min(differences) < 1e-4
    rest = audio.read(tmp_path / "test" / "accompaniment" / f"{song}_01.wav")
    mix = audio.read(tmp_path / "test" / "mix" / f"{song}_01.wav")
    assert np.array_equal(part + rest, mix)


def test_the_places_of_snippets_follow_from_the_name_of_the_song_alone(musdb, tmp_path):
    song = layouts.MUSDB_NAMES["test"][0]
    for name in (song, "Another Name"):
        shutil.copytree(musdb / "test" / song, tmp_path / "two" / "test" / name)
    shutil.copytree(musdb / "test" / song, tmp_path / "one" / "test" / song)
    for folder in ("one", "two"):
        Snippets(per_song=2, seconds=0.5).run(tmp_path / folder, tmp_path / "out" / folder)
    alone, both = files(tmp_path / "out" / "one"), files(tmp_path / "out" / "two")
    for number in (0, 1):
        place = f"test/mix/{song}_0{number}.wav"
        assert both[place] == alone[place] != both[f"test/mix/Another Name_0{number}.wav"]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_snippets_are_cut_from_compressed_files_too(tmp_path):
    place = Path(next(iter(importlib.util.find_spec("stempeg").submodule_search_locations)))
    clip = next((place / "data").glob("*.stem.mp4"))
    (tmp_path / "raw" / "test").mkdir(parents=True)
    shutil.copy(clip, tmp_path / "raw" / "test")
    for name in ("one", "two"):
        Snippets(per_song=2).run(tmp_path / "raw", tmp_path / name)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    check_snippets(tmp_path / "one", "test", [clip.name.removesuffix(".stem.mp4")], 2, 4.0)


def test_a_file_that_is_too_loud_for_16_bits_is_the_same_whenever_it_is_written(tmp_path):
    loud = np.array([[0.5, 1.5, -2.0]], np.float32)
    made = encode_16_bit(loud, RATE, "wav", tmp_path)
    place = made.index(b"PEAK")
    assert made[place + 12 : place + 16] == bytes(4) and place < made.index(b"data")
    (tmp_path / "loud.wav").write_bytes(made)
    assert np.array_equal(audio.read(tmp_path / "loud.wav"), loud)


def test_what_is_no_musdb_is_one_message(musdb, tmp_path):
    with pytest.raises(UserError, match="holds no songs of MUSDB18; expected train/<song>/"):
        Snippets().run(tmp_path, tmp_path / "out")
    with pytest.raises(UserError, match="6 problems(.|\n)*is shorter than a snippet of 4 s"):
        Snippets().run(musdb, tmp_path / "out")
    with pytest.raises(UserError, match="groups.voice has the unknown stem 'vocal'"):
        Snippets(groups={"voice": ["vocal"]})
    copy = shutil.copytree(musdb, tmp_path / "copy")
    (copy / "test" / layouts.MUSDB_NAMES["test"][0] / "bass.wav").unlink()
    with pytest.raises(UserError, match="bass.wav: does not exist; get MUSDB18-HQ again"):
        Snippets(per_song=1, seconds=0.5).run(copy, tmp_path / "out")
    shutil.copytree(
        musdb / "test" / layouts.MUSDB_NAMES["test"][0],
        copy / "train" / layouts.MUSDB_NAMES["test"][0],
    )
    with pytest.raises(UserError, match="2 times; keep one"):
        Snippets().run(copy, tmp_path / "out")


# speakers

VOICES = ("anna", "bob", "cleo", "dirk", "emma", "fred")


@pytest.fixture
def packages(tmp_path):
    """Clips of six speakers in two unpacked packages, and some that cannot be used."""
    root = tmp_path / "in"
    for number, name in enumerate(VOICES):
        for package, rate in (("game", 22050), ("toy", 16000)):
            for clip in range(2):
                sound = 0.1 * np.sin(0.02 * (number + 2) * np.arange(rate))
                path = root / package / "voices" / name / f"{clip}.ogg"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, sound, rate)
    soundfile.write(root / "toy/voices/anna/short.wav", np.ones(1000), 16000)
    soundfile.write(root / "toy/voices/anna/low.wav", np.ones(6000), 6000)
    (root / "toy/voices/anna/broken.wav").write_bytes(b"RIFF")
    soundfile.write(root / "toy/music.wav", np.ones(16000), 16000)
    return root


def clips(**changed):
    splits = {"val": ["emma", "bob"], "test": ["(fred|dirk)"]}
    return SpeakerClips(**{"voices": ["/voices/([^/]+)/"], "splits": splits, **changed})


def test_clips_are_sorted_by_speaker_and_split_as_speaker_folder_reads_them(
    packages, tmp_path, caplog
):
    clips().run(packages, tmp_path / "out")
    made = files(tmp_path / "out")
    assert {tuple(path.split("/")[:2]) for path in made} == {
        ("train", "anna"),
        ("train", "cleo"),
        ("val", "bob"),
        ("val", "emma"),
        ("test", "dirk"),
        ("test", "fred"),
    }
    assert len(made) == 4 * len(VOICES) and "left out" in caplog.text and "broken" in caplog.text
    assert audio.info(tmp_path / "out/train/anna/0000.wav") == (8000, 1, 8000)
    data = SpeakerFolder(tmp_path / "out", "val", 8000, 1, None, seconds=2.0)
    assert [*data.clips] == ["bob", "emma"]
    before = (tmp_path / "out/train/anna/0000.wav").stat().st_mtime_ns
    clips().run(packages, tmp_path / "out")
    assert (tmp_path / "out/train/anna/0000.wav").stat().st_mtime_ns == before


def test_speakers_that_cannot_be_sorted_are_one_message(packages, tmp_path):
    with pytest.raises(UserError, match="finds no recordings by nothing"):
        clips(voices=["nothing(.)"]).run(packages, tmp_path)
    with pytest.raises(UserError, match="splits give 'bob' of the voices to test and val"):
        clips(splits={"val": ["bob"], "test": ["b.b"]}).run(packages, tmp_path)
    with pytest.raises(UserError, match="no voices are left for train"):
        clips(splits={"val": [".*"]}).run(packages, tmp_path)
    with pytest.raises(UserError, match="unknown split 'train'; write val, test"):
        clips(splits={"train": ["a"]})


# the files in data_prep/


def settings_of(name, tmp_path):
    settings = config.load(PROJECT / "data_prep" / name)
    experiment.check(settings)
    plain = settings.prepare
    steps = [STEPS[step.class_name](**step.args) for step in plain.steps]
    made = types.SimpleNamespace(
        downloads=[],
        archives=tmp_path,
        license=plain.license,
        steps=plain.steps,
        folder=tmp_path / "made",
    )
    return made, steps


def test_the_file_for_snippets_makes_three_thousand_of_150_songs(musdb, tmp_path):
    settings, (step,) = settings_of("musdb18/snippets.yml", tmp_path)
    assert 150 * step.per_song == 3000 and step.seconds == 4.0
    step.seconds, step.per_song = 0.5, 1  # the songs of the miniature are short
    settings.source = musdb
    assert prepare(settings, [step]) is not None
    assert prepare(settings, [step]) is None  # all is there


def test_the_file_for_speech_keeps_the_voices_of_a_language_together(tmp_path):
    settings, (fetch, sort) = settings_of("debian/speech.yml", tmp_path)
    assert isinstance(fetch, FetchPackages)
    inner = {
        "ktuberling-data/usr/share/ktuberling/sounds/de/hut.ogg": "de",
        "tuxpaint-stamps-default/usr/share/tuxpaint/stamps/cat_desc_de.ogg": "de",
        "ktuberling-data/usr/share/ktuberling/sounds/ca/nas.wav": "ca",
        "ktuberling-data/usr/share/ktuberling/sounds/fr/nez.wav": "fr",
        "hedgewars-data/usr/share/games/hedgewars/Data/Sounds/voices/Pirate/Boom.ogg": "Pirate",
        "hedgewars-data/usr/share/games/hedgewars/Data/Sounds/voices/Robot/Boom.ogg": None,
        "gcin-voice/usr/share/gcin/ogg/ba/3.ogg": "3",
    }
    rng = np.random.default_rng(0)
    for path in inner:
        (tmp_path / "raw" / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "raw" / path, 0.1 * rng.standard_normal(8000), 8000)
    sort.run(tmp_path / "raw", settings.folder)
    found = {path.parent.name for path in settings.folder.rglob("*.wav")}
    assert found == {name for name in inner.values() if name}
    assert len(list((settings.folder / "test" / "de").iterdir())) == 2
    assert (settings.folder / "val" / "Pirate").is_dir()


def test_a_snippet_is_taken_where_no_source_is_silent():
    """The voice sounds in a tenth of the song, the accompaniment in all of it."""
    step = Snippets(per_song=1, seconds=0.1)
    rng, length = np.random.default_rng(0), 1600
    whole = rng.uniform(-0.1, 0.1, (4, 1, 10 * length))
    whole[0, :, : 9 * length] = 0
    stems = ("vocals", "drums", "bass", "other")

    class Song:
        def read(self, start, length, rate, channels):
            part = whole[..., start : start + length]
            return dict(zip(stems, part, strict=True))

    for number in range(5):
        rng = np.random.default_rng(number)
        sounds = step._sounds(Song(), whole.shape[-1] - length, length, 0, rng)
        assert all(10 * np.log10(np.mean(sound**2)) > -60 for sound in sounds.values())


@pytest.mark.parametrize(
    ("rate", "seconds", "is_usable"),
    [(44100, 0.25, False), (44100, 0.35, True), (8000, 0.35, True), (6000, 0.35, False)],
)
def test_a_clip_is_long_enough_in_seconds_whatever_its_rate(tmp_path, rate, seconds, is_usable):
    soundfile.write(tmp_path / "a.wav", np.zeros(round(seconds * rate)), rate)
    step = SpeakerClips(["(a)"], {}, sample_rate=8000, shortest=0.3)
    assert step._is_usable(tmp_path / "a.wav") == is_usable
