"""scripts.prepare when the source, or the folder that was made of it, is no longer what it was."""

import json
import os

import layouts
import numpy as np
import pytest
import soundfile
from preparations import run

from errors import UserError
from preparation.manifest import why_incomplete, write

CONVERT = [{"class": "Convert", "args": {"sample_rate": 8000}}]


def sound(path, seed, rate=16000):
    layouts.save(path, 0.1 * np.random.default_rng(seed).standard_normal(1600), rate)
    return path


def prepared(tmp_path, steps=CONVERT):
    return run(tmp_path, source=str(tmp_path / "raw"), steps=steps)


def manifest(tmp_path):
    return json.loads((tmp_path / "made" / "manifest.json").read_text())


def samples(tmp_path, name):
    return soundfile.read(tmp_path / "made" / name)[0]


def test_new_and_changed_files_of_the_source_are_made_again_and_no_others(tmp_path, caplog):
    for number, name in enumerate(("a.wav", "b.flac", "c.wav")):
        sound(tmp_path / "raw" / name, number)
    (tmp_path / "raw" / "about.txt").write_text("one")
    assert prepared(tmp_path) is None
    first = manifest(tmp_path)
    kept = (tmp_path / "made" / "c.wav").stat().st_mtime_ns
    before = {name: samples(tmp_path, name) for name in ("a.wav", "b.wav")}

    sound(tmp_path / "raw" / "a.wav", 10)
    sound(tmp_path / "raw" / "b.wav", 11)
    (tmp_path / "raw" / "b.flac").unlink()
    sound(tmp_path / "raw" / "d.wav", 12)
    (tmp_path / "raw" / "about.txt").write_text("two")
    (tmp_path / "raw" / "c.wav").touch()  # with the same content
    with caplog.at_level("INFO"):
        assert prepared(tmp_path) is None
    assert "made from it: a.wav, about.txt, b.wav and 1 other" in caplog.text
    assert (tmp_path / "made" / "c.wav").stat().st_mtime_ns == kept
    assert (tmp_path / "made" / "about.txt").read_text() == "two"
    for name, sounded in before.items():
        assert not np.array_equal(samples(tmp_path, name), sounded)
    second = manifest(tmp_path)
    assert sorted(second["files"]) == ["a.wav", "about.txt", "b.wav", "c.wav", "d.wav"]
    assert second["hash"] != first["hash"]

    caplog.clear()
    with caplog.at_level("INFO"):
        assert prepared(tmp_path) is None
        for path in (tmp_path / "raw").iterdir():
            path.unlink()  # to free the disk
        assert prepared(tmp_path) is None
    assert caplog.text.count("complete, nothing to do") == 2


def test_what_was_changed_while_a_run_was_broken_off_is_made_again(tmp_path):
    sound(tmp_path / "raw" / "a.wav", 0)
    (tmp_path / "raw" / "b.wav").write_bytes(b"RIFF")
    assert "b.wav: cannot be read as audio" in prepared(tmp_path)
    before = samples(tmp_path, "a.wav")
    for number, name in enumerate(("a.wav", "b.wav")):
        sound(tmp_path / "raw" / name, 10 + number)
    assert prepared(tmp_path) is None
    assert not np.array_equal(samples(tmp_path, "a.wav"), before)


def test_a_step_that_makes_all_of_all_refuses_other_sources(tmp_path):
    path = sound(tmp_path / "raw" / "anna" / "1.wav", 0, 8000)
    content = path.read_bytes()
    clips = {"shortest": 0.1, "voices": ["([a-z]+)/"], "splits": {}}
    steps = [{"class": "SpeakerClips", "args": clips}]
    assert prepared(tmp_path, steps) is None
    made = manifest(tmp_path)
    sound(path, 1, 8000)
    for _ in range(2):
        said = prepared(tmp_path, steps)
        assert "new or changed since" in said and "anna/1.wav; remove" in said
    path.write_bytes(content)
    assert prepared(tmp_path, steps) is None and manifest(tmp_path) == made
    (path.parent / "notes.txt").write_text("of no matter")
    assert prepared(tmp_path, steps) is None and manifest(tmp_path)["hash"] == made["hash"]


def test_audio_that_it_did_not_make_is_refused_by_name(tmp_path):
    for number, name in enumerate(("a.wav", "b.wav")):
        sound(tmp_path / "raw" / name, number)
    foreign = sound(tmp_path / "made" / "a.wav", 5, 11025)
    assert f"{foreign}: was not made by this preparation; move it away" in prepared(tmp_path)
    assert soundfile.info(foreign).samplerate == 11025  # untouched
    assert not (tmp_path / "made" / "b.wav").exists()
    foreign.unlink()
    assert prepared(tmp_path) is None
    other = sound(tmp_path / "made" / "c.wav", 6)
    assert f"{other}: was not made" in prepared(tmp_path)


def test_the_manifest_of_the_source_is_not_copied(tmp_path):
    sound(tmp_path / "raw" / "a.wav", 0)
    assert run(tmp_path, folder=str(tmp_path / "raw")) is None  # gives it a manifest
    (tmp_path / "raw" / "b.wav").write_bytes(b"RIFF")
    assert "b.wav" in prepared(tmp_path)
    assert not (tmp_path / "made" / "manifest.json").exists()
    sound(tmp_path / "raw" / "b.wav", 1)
    assert prepared(tmp_path) is None


def test_what_was_made_from_files_that_are_gone_is_kept_with_a_warning(tmp_path, caplog):
    for number, name in enumerate(("vocal/a.wav", "drums/a.wav")):
        sound(tmp_path / "raw" / name, number)
    assert prepared(tmp_path) is None
    (tmp_path / "raw" / "vocal").rename(tmp_path / "raw" / "vocals")
    assert prepared(tmp_path) is None
    keeps = f"{tmp_path / 'made'}: keeps vocal/a.wav, whose sources are no longer in"
    assert keeps in caplog.text and (tmp_path / "made/vocals/a.wav").exists()
    caplog.clear()
    assert prepared(tmp_path) is None  # there is nothing to do, but the file is still there
    assert keeps in caplog.text
    caplog.clear()
    (tmp_path / "made/vocal/a.wav").unlink()
    assert prepared(tmp_path) is None
    assert "keeps" not in caplog.text
    assert sorted(manifest(tmp_path)["files"]) == ["drums/a.wav", "vocals/a.wav"]


def test_a_prepared_file_of_the_same_size_is_compared_by_its_hash(tmp_path):
    file, plan = tmp_path / "about.txt", {"steps": ["any"], "downloads": []}
    file.write_text("before")
    write(tmp_path, plan)
    os.utime(file, (1, 1))  # copied elsewhere, say
    assert why_incomplete(tmp_path, plan) is None
    file.write_text("behind")
    os.utime(file, (2, 2))
    with pytest.raises(UserError, match="about.txt: was changed after its preparation"):
        why_incomplete(tmp_path, plan)
