"""Voices over music in pairs: the same each time, kept apart by split."""

import shutil
from collections import Counter

import numpy as np
import pytest
import soundfile
from pairs import RATE, step

import audio
from dataset import StemFolder
from errors import UserError
from preparation import voices_over_music


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
    monkeypatch.setattr(
        "preparation.voices_over_music.import_mido", lambda: None
    )  # as if installed
    with pytest.raises(UserError, match=r".*") as error:
        step(**changed).run(material, tmp_path)
    assert problem in str(error.value)


def test_a_split_that_there_is_not_is_named():
    with pytest.raises(UserError, match="unknown split 'dev'; write train, val, test"):
        step(minutes={"dev": 1})
    with pytest.raises(UserError, match="unknown key 'speakers'; write voices, music, kits"):
        step(splits={"val": {"speakers": ["a"]}})


def test_a_mixture_beyond_full_scale_is_made_softer_with_its_sources(tmp_path):
    sound = np.linspace(-0.9, 0.9, RATE, dtype=np.float32)
    plan = step()
    plan.pair = lambda *_: ("x", lambda: {"vocals": sound, "accompaniment": 0.8 * sound})
    voices_over_music._make((plan, "train", 0, None, tmp_path))
    place = tmp_path / "train"
    voice, below = (
        audio.read(place / label / "x.flac")[0] for label in ("vocals", "accompaniment")
    )
    peak = np.abs(voice + below).max()
    assert peak == pytest.approx(voices_over_music.PEAK, abs=1e-4)
    assert np.abs(below - 0.8 * voice).max() < 1e-4


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_room_is_as_loud_at_every_rate(rate):
    """Below 1 kHz a tone keeps the level that it has at the rate of the rooms, 44.1 kHz."""

    def level_db(rate):
        tone = np.sin(2 * np.pi * 300 * np.arange(2 * rate) / rate).astype(np.float32)
        sound = step(sample_rate=rate)._in_a_room(tone, np.random.default_rng(1))
        return audio.level_db(sound[rate:])

    assert level_db(rate) == pytest.approx(level_db(44100), abs=0.2)
