"""scripts.prepare: from archives or a copy to a folder with a manifest."""

import hashlib
import json
import shutil
from pathlib import Path

import layouts
import numpy as np
import pytest
import soundfile
from preparations import run, zipped

import config
import experiment
import preparation
from compat import nussl
from dataset import MUSDB18
from errors import UserError
from preparation import Convert, DecodeStems

PROJECT = Path(__file__).parents[2]
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")


def test_an_archive_becomes_a_folder_with_a_manifest_and_a_second_run_does_nothing(
    server, tmp_path, caplog
):
    layouts.musdb18(tmp_path / "hq")
    shutil.make_archive(str(tmp_path / "hq"), "zip", tmp_path / "hq")
    server.files["/hq.zip"] = (tmp_path / "hq.zip").read_bytes()
    section = {
        "downloads": [
            {
                "file": "hq.zip",
                "urls": [f"{server.url}/hq.zip"],
                "sha256": hashlib.sha256(server.files["/hq.zip"]).hexdigest(),
            }
        ],
        "source": str(tmp_path / "raw"),
        "steps": [{"class": "Convert", "args": {"sample_rate": 16000, "num_channels": 1}}],
    }
    with caplog.at_level("INFO"):
        assert run(tmp_path, **section) is None
    assert "license: none" in caplog.text
    data = MUSDB18(tmp_path / "made", "train", 16000, 1, PARAMS)
    assert len(data) == 2 and data.tracks[0].sample_rate == 16000
    manifest = json.loads((tmp_path / "made" / "manifest.json").read_text())
    assert data.manifest_hash == manifest["hash"] and len(manifest["files"]) == 6 * 5
    name = "test/Al James - Schoolboy Facination/bass.wav"
    assert manifest["files"][name]["length"] == layouts.SECONDS * 16000
    path = tmp_path / "made" / name
    assert manifest["files"][name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()

    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "made").rglob("*")}
    caplog.clear()
    with caplog.at_level("INFO"):
        assert run(tmp_path, **section) is None
    assert "complete, nothing to do" in caplog.text and len(server.asked) == 1
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "made").rglob("*")} == before

    path.unlink()  # what is missing is made again, and only that
    assert run(tmp_path, **section) is None
    again = json.loads((tmp_path / "made" / "manifest.json").read_text())
    assert again["hash"] == manifest["hash"] and path.exists()
    other = tmp_path / "made/test/Al James - Schoolboy Facination/drums.wav"
    assert other.stat().st_mtime_ns == before[other]

    (path.parent / "notes.txt").write_text("added by hand")
    assert run(tmp_path, **section) is None
    more = json.loads((tmp_path / "made" / "manifest.json").read_text())
    assert more["hash"] != manifest["hash"] and len(more["files"]) == len(manifest["files"]) + 1

    section["steps"][0]["args"]["sample_rate"] = 8000
    assert "was made by another plan" in run(tmp_path, **section)


def test_the_same_files_have_the_same_hash_wherever_they_are_made(tmp_path):
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        zipped(tmp_path / "a.zip", {"x/a.txt": b"1", "x/b.txt": b"2"})
        (tmp_path / place / "archives").mkdir()
        shutil.copy(tmp_path / "a.zip", tmp_path / place / "archives")
        assert run(tmp_path / place, downloads=[{"file": "a.zip"}]) is None
    hashes = [
        json.loads((tmp_path / place / "made/manifest.json").read_text())["hash"]
        for place in ("one", "two")
    ]
    assert hashes[0] == hashes[1]
    expected = "".join(
        f"x/{n}.txt\0{hashlib.sha256(c).hexdigest()}\n" for n, c in (("a", b"1"), ("b", b"2"))
    )
    assert hashes[0] == hashlib.sha256(expected.encode()).hexdigest()


def test_what_is_missing_is_reported_with_the_license(tmp_path):
    message = run(
        tmp_path,
        source=str(tmp_path / "wsj0"),
        license="the LDC's, to be bought",
        steps=[{"class": "Convert"}],
    )
    assert "wsj0: no such folder; put the data there (the LDC's, to be bought)" in message


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"steps": [{"class": "Convrt"}], "source": "x"}, "no 'Convrt'; did you mean 'Convert'"),
        (
            {"steps": [{"class": "Convert", "args": {"rate": 1}}], "source": "x"},
            "no argument 'rate'",
        ),
        ({"steps": [{"class": "Convert"}]}, "prepare.source: is missing, but the steps"),
        ({"downloads": [{"file": "a", "urls": ["file:///etc/passwd"]}]}, "write a web address"),
        ({"downloads": [{"file": "../a"}]}, "found the text '../a'; write a name alone"),
        ({"downloads": [{"file": "a"}, {"file": "a"}]}, "'a' is the name of another download"),
        ({"downloads": [{"file": "a", "sha256": "abc"}]}, "write 64 hexadecimal digits"),
    ],
)
def test_a_wrong_file_is_refused_before_anything_is_made(tmp_path, section, message):
    assert message in run(tmp_path, **section)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("path", sorted(PROJECT.glob("data_prep/*/*.yml")), ids=lambda p: p.stem)
def test_every_shipped_file_names_classes_that_are_there(path):
    settings = config.load(path, needs=("prepare",))
    experiment.check(settings)
    for step in settings.prepare.steps:
        preparation.STEPS[step.class_name](**step.args)


def test_sixteen_bits_stay_as_they_are_and_nothing_is_clipped(tmp_path):
    numbers = np.array([-32768, -1, 0, 1, 32767], dtype=np.int16).repeat(10)
    layouts.save(tmp_path / "a" / "x.flac", numbers, 16000)
    layouts.save(tmp_path / "a" / "loud.wav", np.array([0.5, 1.5, -2.0]), 16000, subtype="FLOAT")
    (tmp_path / "a" / "notes.txt").write_text("kept")
    Convert().run(tmp_path / "a", tmp_path / "b")
    assert np.array_equal(soundfile.read(tmp_path / "b" / "x.wav", dtype="int16")[0], numbers)
    loud = soundfile.read(tmp_path / "b" / "loud.wav")[0]
    assert np.array_equal(loud, [0.5, 1.5, -2.0])
    assert (tmp_path / "b" / "notes.txt").read_text() == "kept"
    with pytest.raises(UserError, match="its peak, 2.000, is above full scale, which FLAC cannot"):
        Convert(format="flac").run(tmp_path / "a", tmp_path / "c")


def test_files_that_would_become_one_are_named_before_anything_is_converted(tmp_path):
    raw = tmp_path / "raw"
    for name in ("b/take.wav", "b/take.flac", "c/take.wav"):
        layouts.save(raw / name, np.zeros(100), 8000)
    steps = [{"class": "Convert", "args": {"format": "wav"}}]
    message = run(tmp_path, source=str(raw), steps=steps)
    assert f"{raw / 'b/take.flac'} and {raw / 'b/take.wav'}: would become one file" in message
    assert "b/take.wav; rename them" in message and "c/take" not in message
    assert not list((tmp_path / "made").glob("**/*.wav"))
    (raw / "b/take.flac").unlink()
    assert run(tmp_path, source=str(raw), steps=steps) is None


def test_without_ffmpeg_the_error_says_what_needs_it(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    (tmp_path / "a" / "train").mkdir(parents=True)
    (tmp_path / "a" / "train" / "x.stem.mp4").write_bytes(b"x")
    for step in (DecodeStems(), Convert()):
        with pytest.raises(
            UserError,
            match="x.stem.mp4: needs ffmpeg to be decoded, which is not "
            "on the PATH; install it .apt-get install ffmpeg",
        ):
            step.run(tmp_path / "a", tmp_path / "b")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_compressed_stems_become_folders_that_musdb18_reads(tmp_path):
    import subprocess

    layouts.musdb18(tmp_path / "hq")
    for song in sorted((tmp_path / "hq").glob("*/*")):
        target = tmp_path / "raw" / song.parent.name / f"{song.name}.stem.mp4"
        target.parent.mkdir(parents=True, exist_ok=True)
        order = ("mixture", "drums", "bass", "other", "vocals")  # of Native Instruments' stems
        inputs = [part for stem in order for part in ("-i", str(song / f"{stem}.wav"))]
        maps = [part for n in range(5) for part in ("-map", f"{n}:a")]
        subprocess.run(
            ["ffmpeg", "-v", "error", *inputs, *maps, "-c:a", "aac", "-b:a", "256k", str(target)],
            check=True,
            stdin=subprocess.DEVNULL,
        )
    DecodeStems().run(tmp_path / "raw", tmp_path / "made")
    for split in ("train", "val", "test"):
        data = MUSDB18(tmp_path / "made", split, 44100, 2, PARAMS, mixture="file")
        assert [t.name for t in data.tracks] == layouts.MUSDB_NAMES[split]
        truth = MUSDB18(tmp_path / "hq", split, 44100, 2, PARAMS)
        ours, theirs = data.excerpt(1, 5000, 50000), truth.excerpt(1, 5000, 50000)
        for one, other in zip(ours, theirs, strict=True):  # AAC, but the same stem in place
            assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9
    assert "compressed files" not in str(data.tracks)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"num_channels": 1}, {"sample_rate": 8000}], "prepare.steps: has Convert twice"),
        ([{"sample_rate": 0}], "Convert: sample_rate is 0; write 1000 to 1000000"),
        ([{"sample_rate": 10**9}], "Convert: sample_rate is 1000000000; write 1000 to"),
        ([{"num_channels": 0}], "Convert: num_channels is 0; write 1 or 2, or null"),
        ([{"num_channels": 2}], "/raw/a.wav: audio of 5 channels cannot become 2"),
        ([{"format": "flac"}], ".wav: cannot be converted (File name too long); rename it"),
    ],
)
def test_steps_that_cannot_do_what_they_say_are_refused(tmp_path, steps, message):
    long = f"{'x' * 251}.wav" if "format" in steps[0] else "b.wav"
    for name, channels in (("a.wav", 5), (long, 1)):
        layouts.save(tmp_path / "raw" / name, np.zeros((100, channels)), 16000)
    steps = [{"class": "Convert", "args": args} for args in steps]
    assert message in run(tmp_path, source=str(tmp_path / "raw"), steps=steps)
    assert not (tmp_path / "made" / "manifest.json").exists()


VOICES = {"voices": ["(.)/"], "splits": {}}
SONGS = {"voices": ["(.)/"], "music": ["(.)/"], "splits": {}, "minutes": {"val": 1}}


@pytest.mark.parametrize(
    ("step", "args", "message"),
    [
        ("Snippets", {"per_song": 0}, "per_song is 0; write at least 1"),
        ("Snippets", {"seconds": -1.0}, "seconds is -1.0; write at least"),
        ("Snippets", {"num_channels": 3}, "num_channels is 3; write at least 1, at most 2"),
        ("Snippets", {"seed": -1}, "seed is -1; write at least 0"),
        ("Snippets", {"groups": {"a": "vocals"}}, "groups.a is 'vocals'; write a list of stems"),
        ("Snippets", {"groups": {"a": ["bass", "bass"]}}, "each of them once"),
        ("Snippets", {"groups": {"..": ["bass"]}}, "groups...: cannot be the name of a folder"),
        ("SpeakerClips", {**VOICES, "voices": ["./"]}, "voices: './' has 0 groups; put one pair"),
        ("SpeakerClips", {**VOICES, "voices": ["("]}, "voices: '(' is not a regular expression"),
        ("SpeakerClips", {**VOICES, "splits": {"val": "bob"}}, "splits.val is 'bob'; write a list"),
        ("SpeakerClips", {**VOICES, "splits": {"val": ["("]}}, "splits.val: '(' is not a regular"),
        ("VoicesOverMusic", {**SONGS, "music": ["x"]}, "music: 'x' has 0 groups"),
        ("VoicesOverMusic", {**SONGS, "level_db": [4.0, -8.0]}, "level_db is [4.0, -8.0]; write ["),
        ("VoicesOverMusic", {**SONGS, "sung": 2.0}, "sung is 2.0; write at least 0, at most 1"),
        ("VoicesOverMusic", {**SONGS, "seconds": 0.0}, "seconds is 0.0; write at least 0.1"),
        ("VoicesOverMusic", {**SONGS, "splits": {"val": {"music": "x"}}}, "splits.val.music is"),
    ],
)
def test_wrong_arguments_of_steps_are_refused_before_anything_is_made(
    tmp_path, step, args, message
):
    layouts.save(tmp_path / "raw" / "a" / "1.wav", np.zeros(100), 16000)
    said = run(tmp_path, source=str(tmp_path / "raw"), steps=[{"class": step, "args": args}])
    assert said.startswith(f"error: {step}: ") and message in said
    assert not (tmp_path / "made").exists()
