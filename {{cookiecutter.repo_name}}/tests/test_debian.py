"""Packages of Debian become stems: fetched, unpacked, sung, and kept apart by split."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

import audio
from dataset import StemFolder
from errors import UserError
from preparation import (
    STEPS,
    FetchPackages,
    VoicesOverMusic,
    download,
    guitar,
    singing,
    soundfont,
    voices_over_music,
)
from scripts import common, prepare
from songs.score import compose

PROJECT = Path(__file__).parent.parent
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


def test_pairs_are_what_a_stem_folder_reads_and_the_same_each_time(material, tmp_path):
    for name in "one", "two":
        step().run(material, tmp_path / name)
    files = sorted(
        path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.flac")
    )
    assert Counter(path.parts[0] for path in files) == {"train": 6, "val": 4, "test": 4}
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()
        assert audio.info(tmp_path / "one" / path) == (RATE, 1, 2 * RATE)
    data = StemFolder(tmp_path / "one", "train", RATE, 1, None, layout="stems", song="(.*?)_.*")
    assert data.labels == ["accompaniment", "vocals"] and len(data) == 3
    assert {track.song for track in data.tracks} <= set("aef")


def test_speakers_and_pieces_of_one_split_are_in_no_other(material, tmp_path):
    plan = step(seconds=1.0, minutes={"train": 0.5, "val": 0.1, "test": 0.2})
    plan.run(material, tmp_path)
    speakers = {
        split: {path.name.split("_")[0] for path in (tmp_path / split / "vocals").iterdir()}
        for split in ("train", "val", "test")
    }
    assert speakers == {"train": {"a", "e", "f"}, "val": {"b"}, "test": {"c", "d"}}


def test_the_voice_has_its_level_relative_to_the_accompaniment(material, tmp_path):
    step(level_db=[6.0, 6.0]).run(material, tmp_path)
    for path in (tmp_path / "train" / "vocals").iterdir():
        voice = audio.read(path)
        below = audio.read(tmp_path / "train" / "accompaniment" / path.name)
        assert 10 * np.log10(np.mean(voice**2) / np.mean(below**2)) == pytest.approx(6, abs=0.05)


def test_a_built_in_song_is_a_pair_as_well(material, tmp_path):
    step(built_in=1.0, minutes={"train": 0.04}).run(material, tmp_path)
    (path,) = (tmp_path / "train" / "vocals").iterdir()
    assert path.name == "built-in_sung_00000.flac"
    assert np.abs(audio.read(path)).max() > 0.01


def test_a_drum_kit_of_the_split_plays_over_a_recording(material, tmp_path):
    shutil.copytree(material, tmp_path / "in")
    kit = "<drumkit_info><instrumentList>{}</instrumentList></drumkit_info>".format(
        "".join(
            f"<instrument><name>{name}</name><filename>hit.wav</filename></instrument>"
            for name in ("Kick", "Snare", "Closed HH")
        )
    )
    for name in ("one", "other"):
        place = tmp_path / "in" / "kits" / name
        place.mkdir(parents=True)
        (place / "drumkit.xml").write_text(kit)
        soundfile.write(place / "hit.wav", 0.5 * np.ones(200), RATE)
    splits = {"val": {"voices": ["b"], "music": ["c"], "kits": ["other"]}}
    kits = {"kits": ["^kits/([^/]+)/drumkit.xml$"], "splits": splits}
    changed = {"minutes": {"train": 0.1, "val": 0.1}}
    step(**changed, **kits, drums=0.0).run(tmp_path / "in", tmp_path / "without")
    step(**changed, **kits, drums=1.0).run(tmp_path / "in", tmp_path / "with")
    for split in ("train", "val"):
        crests = {}  # the peak over the RMS value: drums stand out of noise
        for made in ("with", "without"):
            sounds = [audio.read(p) for p in (tmp_path / made / split / "accompaniment").iterdir()]
            crests[made] = np.mean([np.abs(sound).max() / sound.std() for sound in sounds])
        assert crests["with"] > 1.2 * crests["without"]
    kits["splits"] = {"val": {"voices": ["b"], "music": ["c"], "kits": ["one", "other"]}}
    with pytest.raises(UserError, match="no kits are left for train"):
        step(**kits, drums=1.0).run(tmp_path / "in", tmp_path / "none")


def test_a_second_run_makes_what_is_missing_only(material, tmp_path):
    step().run(material, tmp_path)
    gone = sorted((tmp_path / "train" / "vocals").iterdir())[1]
    content, kept = gone.read_bytes(), sorted((tmp_path / "train" / "vocals").iterdir())[0]
    gone.unlink()
    before = kept.stat().st_mtime_ns
    step().run(material, tmp_path)
    assert gone.read_bytes() == content and kept.stat().st_mtime_ns == before


def test_a_damaged_clip_is_left_out_and_named(material, tmp_path, caplog):
    shutil.copytree(material, tmp_path / "in")
    whole = (tmp_path / "in/music/piece a.ogg").read_bytes()
    (tmp_path / "in/music/piece a.ogg").write_bytes(whole[: len(whole) // 2])
    step().run(tmp_path / "in", tmp_path / "out")
    assert "piece a.ogg" in caplog.text and len(list(tmp_path.glob("out/train/vocals/*"))) == 3


@pytest.mark.parametrize(
    "changed, problem",
    [
        ({"voices": ["^nowhere/(.)"]}, "finds no voices by ^nowhere/(.)"),
        ({"music": ["^music/nothing(.)"]}, "finds no music"),
        ({"soundfonts": ["piano.sf2$"]}, "no file for soundfonts ['piano.sf2$']"),
        (
            {
                "splits": {
                    "val": {"voices": ["a", "b"], "music": ["a"]},
                    "test": {"voices": ["b"], "music": ["b"]},
                }
            },
            "give 'b' of the voices to test and val",
        ),
        (
            {"splits": {"val": {"voices": ["."], "music": ["a"]}}},
            "no voices are left for train",
        ),
    ],
)
def test_what_cannot_be_made_is_one_clear_error(material, tmp_path, monkeypatch, changed, problem):
    monkeypatch.setattr("preparation.voices_over_music.player", lambda: None)  # as if installed
    with pytest.raises(UserError, match=r".*") as error:
        step(**changed).run(material, tmp_path)
    assert problem in str(error.value)


def test_a_split_that_there_is_not_is_named():
    with pytest.raises(UserError, match="unknown split 'dev'; write train, val, test"):
        step(minutes={"dev": 1})
    with pytest.raises(UserError, match="unknown key 'speakers'; write voices, music, kits"):
        step(splits={"val": {"speakers": ["a"]}})


# singing and playing


def notes(*pitches, seconds=0.5):
    while True:
        yield from ((pitch, seconds) for pitch in pitches)


def test_speech_is_sung_at_the_pitch_of_the_melody():
    pytest.importorskip("pyworld")
    sung = singing.sing(pulses(120, 1.0), RATE, notes(60), np.random.default_rng(0))
    world = singing.vocoder()
    pitch, _ = world.harvest(sung.astype(float), RATE)
    midi = 69 + 12 * np.log2(np.median(pitch[pitch > 0]) / 440)
    assert abs(midi - 12 * round((midi - 60) / 12) - 60) < 0.6  # a C, in some octave
    assert len(sung) >= RATE and np.isfinite(sung).all()


def test_what_has_no_voiced_sound_cannot_be_sung():
    pytest.importorskip("pyworld")
    assert len(singing.sing(np.zeros(RATE), RATE, notes(60), np.random.default_rng(0))) == 0


def test_singing_without_the_vocoder_says_what_to_install(monkeypatch, material, tmp_path):
    monkeypatch.setitem(sys.modules, "pyworld", None)
    with pytest.raises(UserError, match="re-sung voices need pyworld.*pip install pyworld"):
        step(sung=1.0).run(material, tmp_path)


def test_playing_without_fluidsynth_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    rng = np.random.default_rng(0)
    with pytest.raises(UserError, match="apt-get install fluidsynth"):
        soundfont.play(compose(rng, "train", 20), 0, 2, "piano.sf2", RATE, rng)


def test_a_score_becomes_a_midi_file_of_its_notes():
    mido = pytest.importorskip("mido")
    rng = np.random.default_rng(3)
    score = compose(rng, "train", 30)
    parts = {part: (0, notes) for part, notes in score.parts.items()}
    written = soundfont._midi(mido, parts, score.drums, 4.0, 8.0, rng)
    file = mido.MidiFile(file=io.BytesIO(written))
    found, now = [], 0.0
    for message in file:
        now += message.time
        if message.type == "note_on" and message.channel == 0:
            found.append((now, message.note))
    expected = sorted(
        (n.start - 4, round(n.pitch)) for n in score.parts["bass"] if 4 <= n.start < 12
    )
    assert len(found) == len(expected) > 3
    np.testing.assert_allclose(sorted(found), expected, atol=0.002)


def test_a_rhythm_guitar_plays_fifths_over_the_roots_of_the_bass():
    rng = np.random.default_rng(3)
    score = compose(rng, "train", 30)
    roots = {note.pitch % 12 for note in score.parts["bass"]}
    chords = guitar.power_chords(score, rng)
    pitches = np.array([note.pitch for note in chords]).reshape(-1, 3)
    assert len(pitches) > 10
    assert {tuple(intervals) for intervals in pitches - pitches[:, :1]} == {(0, 7, 12)}
    assert set(pitches[:, 0] % 12) <= roots
    assert pitches.min() >= 40 and pitches[:, 0].max() < 52


def test_an_amplifier_adds_overtones_and_nothing_that_is_folded_back():
    rate = 44100
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    quiet, loud = (
        guitar.amplify(0.01 * tone, rate, drive_db, np.random.default_rng(0))
        for drive_db in (-20, 25)
    )
    spectra = [np.abs(np.fft.rfft(sound * np.hanning(rate))) for sound in (quiet, loud)]
    overtones = np.arange(2000, 20000, 1000)
    clean, driven = (20 * np.log10(s[overtones] / s[1000]) for s in spectra)
    assert clean.max() < -50
    assert driven[1] > -20 and driven[0] > -40  # odd ones, and even ones by the asymmetry
    between = np.delete(spectra[1], (np.arange(0, 22000, 1000)[:, None] + np.arange(-4, 5)).ravel())
    assert 20 * np.log10(between[100:].max() / spectra[1][1000]) < -55
    same = guitar.amplify(10 * tone, rate, 25, np.random.default_rng(0))
    np.testing.assert_allclose(same, loud, atol=1e-6)


def test_a_band_plays_in_place_of_other_instruments(material, tmp_path, monkeypatch):
    """Without FluidSynth: its place is taken by a tone, which the amplifier distorts."""

    def tone(parts, hits, start, seconds, font, rate, rng):
        assert not hits and len(parts) == 1
        return np.sin(2 * np.pi * 200 * np.arange(int(seconds * rate)) / rate)

    monkeypatch.setattr(guitar, "play_parts", tone)
    monkeypatch.setattr(voices_over_music, "player", lambda: None)
    shutil.copytree(material, tmp_path / "in")
    (tmp_path / "in" / "any.sf2").touch()
    changed = {"played": 1.0, "band": 1.0, "soundfonts": ["any.sf2"]}
    step(minutes={"train": 0.1}, **changed).run(tmp_path / "in", tmp_path / "out")
    for path in (tmp_path / "out/train/accompaniment").iterdir():
        sound = audio.read(path)[0]
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
        near = np.abs(hertz - 200 * np.round(hertz / 200)) < 12
        assert (spectrum[near] ** 2).sum() > 0.9 * (spectrum**2).sum()
        assert (spectrum[hertz > 300] ** 2).sum() > 1e-3 * (spectrum**2).sum()


# packages


@pytest.fixture
def apt(tmp_path, monkeypatch):
    """An apt-get that serves one package that is made here: its SHA-256."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("no dpkg-deb on this machine")
    tree = tmp_path / "tree"
    for path, content in {
        "DEBIAN/control": "Package: voices-data\nVersion: 1\nArchitecture: all\n"
        "Maintainer: a <a@b.c>\nDescription: planted\n",
        "usr/share/doc/voices-data/copyright": "License: CC0\n",
        "usr/share/voices/a/word.txt": "hello",
    }.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(content)
    shutil.make_archive(str(tree / "usr/share/voices/zz"), "zip", tree / "usr/share/voices/a")
    (tree / "usr/share/voices/zz.zip").rename(tree / "usr/share/voices/zz.pk3")
    (tree / "usr/share/voices/font.ttf").symlink_to("../fonts/font.ttf")  # of another package
    made = tmp_path / "mirror" / "voices-data_1_all.deb"
    made.parent.mkdir()
    subprocess.run(["dpkg-deb", "-b", tree, made], check=True, capture_output=True)
    program = tmp_path / "bin" / "apt-get"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\n[ "$2" = voices-data ] && cp "{made}" . && exit 0\n'
        'echo "E: Unable to locate package $2" >&2\nexit 100\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return download.digest(made)


def test_a_package_is_fetched_checked_unpacked_and_keeps_its_license(apt, tmp_path):
    fetch = FetchPackages({"voices-data": apt}, str(tmp_path / "archives"))
    fetch.run(tmp_path / "raw", tmp_path / "made")
    place = tmp_path / "raw" / "voices-data" / "usr/share/voices"
    assert (place / "a/word.txt").read_text() == "hello"
    assert (place / "zz/word.txt").read_text() == "hello"  # of the archive in the package
    assert (tmp_path / "made/licenses/voices-data.txt").read_text() == "License: CC0\n"
    (tmp_path / "bin" / "apt-get").write_text("#!/bin/sh\nexit 1\n")  # a second run asks nobody
    fetch.run(tmp_path / "raw", tmp_path / "made")


def test_another_version_of_a_package_is_refused_unless_any_is_asked_for(apt, tmp_path):
    archives = str(tmp_path / "archives")
    with pytest.raises(UserError, match=f"SHA-256 {apt}, expected 00.*voices-data: null"):
        FetchPackages({"voices-data": "00"}, archives).run(tmp_path / "raw", tmp_path / "made")
    FetchPackages({"voices-data": None}, archives).run(tmp_path / "raw", tmp_path / "made")


def test_a_package_that_apt_does_not_know_is_named(apt, tmp_path):
    with pytest.raises(UserError, match="no-data: apt cannot get it .*Unable to locate"):
        FetchPackages({"no-data": None}, str(tmp_path)).run(tmp_path / "raw", tmp_path / "made")


def test_a_machine_that_is_not_debian_is_reported_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="needs apt-get.*run this on Debian"):
        FetchPackages({}, str(tmp_path)).run(tmp_path, tmp_path)


def test_the_whole_plan_runs_from_yaml(apt, material, tmp_path):
    raw = tmp_path / "raw"
    plan = yaml.safe_load((PROJECT / "data_prep/debian/songs.yml").read_text())
    plan["prepare"] |= {"source": str(raw), "folder": str(tmp_path / "made")}
    fetch, mix = plan["prepare"]["steps"]
    fetch["args"] = {"archives": str(tmp_path / "archives"), "packages": {"voices-data": apt}}
    mix["args"] |= {
        "voices": ["^voices-data/.*/voices/([^/]+)/"],
        "music": ["^voices-data/music/piece (.)"],
        "splits": {},
        "minutes": {"train": 0.1},
        "soundfonts": None,
        "kits": None,
        "sung": 0.0,
        "built_in": 0.0,
        "seconds": 2.0,
    }
    shutil.copytree(material / "voices", raw / "voices-data/usr/share/voices", dirs_exist_ok=True)
    shutil.copytree(material / "music", raw / "voices-data/music")
    path = tmp_path / "plan.yml"
    path.write_text(yaml.safe_dump(plan))
    common.run(prepare.main, prepare.__doc__, ("prepare",), ["-p", str(path)])
    manifest = json.loads((tmp_path / "made/manifest.json").read_text())
    assert len(manifest["files"]) == 7 and "licenses/voices-data.txt" in manifest["files"]
    assert {"FetchPackages", "VoicesOverMusic"} <= set(STEPS)
