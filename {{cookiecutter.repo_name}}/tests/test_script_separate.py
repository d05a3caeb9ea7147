"""scripts.separate: recordings in, sources out."""

import json
import os
import re
import stat

import numpy as np
import pytest
import soundfile
import torch
from script_runs import wav

import audio

torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("rate", "channels", "length", "suffix", "subtype"),
    [
        (44100, 2, 70001, ".wav", "PCM_16"),
        (16000, 1, 40000, ".flac", "PCM_16"),
        (48000, 1, 50003, ".wav", "FLOAT"),
        (8000, 2, 30000, ".ogg", "VORBIS"),
        (22050, 1, 33333, ".mp3", "MPEG_LAYER_III"),
        (11025, 2, 400, ".wav", "PCM_24"),
    ],
)
def test_sources_have_the_inputs_form_and_add_up_to_it(
    run, tmp_path, rate, channels, length, suffix, subtype
):
    rng = np.random.default_rng(0)
    tone = np.sin(2 * np.pi * 440 * np.arange(length) / rate)[:, None]
    data = 0.4 * tone + 0.2 * rng.standard_normal((length, channels))
    path = tmp_path / f"song{suffix}"
    soundfile.write(path, 0.5 * data, rate, subtype=subtype)
    status, _ = run(
        "separate", separate={"files": [str(path)], "output_folder": str(tmp_path / "o")}
    )
    assert status == 0
    mix = audio.read(path)
    sources = [audio.read(tmp_path / "o" / "song" / f"source{i}.wav") for i in (0, 1)]
    for i, source in enumerate(sources):
        assert source.shape == mix.shape
        assert soundfile.info(tmp_path / "o" / "song" / f"source{i}.wav").samplerate == rate
    assert np.abs(sources[0] + sources[1] - mix).max() < 1e-3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: wav(p, np.zeros(20000)), "is silent"),
        (lambda p: wav(p, 0.1 * np.ones(10)), "has 10 samples"),
        (lambda p: wav(p, np.zeros(0)), "holds no samples"),
        (
            lambda p: wav(p, np.where(np.arange(9000) == 77, np.nan, 0.1)),
            "NaN or infinite samples (the first at sample 77)",
        ),
        (
            lambda p: wav(p, 1e30 * np.random.default_rng(0).uniform(-1, 1, 20000)),
            "bad.wav: reaches 1e+30, full scale being 1; divide it by its peak",
        ),
        (lambda p: p.write_bytes(b"this is not audio" * 99), "cannot be read as audio"),
        (lambda p: p.write_bytes(b""), "is empty (0 bytes)"),
    ],
)
def test_one_bad_file_is_named_and_the_others_are_separated(run, tmp_path, make, message):
    make(tmp_path / "bad.wav")
    wav(tmp_path / "good.wav", 0.1 * np.random.default_rng(0).standard_normal(20000))
    status, printed = run(
        "separate",
        separate={"files": [str(tmp_path / "*.wav")], "output_folder": str(tmp_path / "out")},
    )
    assert status == f"error: 1 of 2 files not separated (see above):\n  {tmp_path / 'bad.wav'}"
    assert printed.count("bad.wav: ") == 1
    assert message in printed
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["good"]
    assert len(list((tmp_path / "out" / "good").iterdir())) == 2 + 1  # and separation.json


def test_a_folder_is_separated_as_flac_and_resumed(run, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a/song.wav", "b/song.flac", "b/song.wav", "b/notes.txt"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("txt"):
            (tmp_path / "in" / name).write_text("no audio")
        else:
            soundfile.write(tmp_path / "in" / name, 0.1 * rng.standard_normal(20000), 16000)
    sections = {
        "files": [str(tmp_path / "in")],
        "output_folder": str(tmp_path / "out"),
        "format": "flac",
    }
    assert run("separate", separate=sections)[0] == 0
    records = sorted((tmp_path / "out").rglob("separation.json"))
    assert len(records) == 3
    made = json.loads(records[0].read_text())
    assert made["files"] == ["source0.flac", "source1.flac"] and len(made["checkpoint"]) == 64
    assert 0 < made["confidence"]["silhouette"] < 1
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("source*.flac")}
    (records[1].parent / "source1.flac").unlink()
    status, printed = run("separate", separate=sections)
    assert status == 0 and "2 of 3 files separated before" in printed
    again = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("source*.flac")}
    changed = {path.parent for path in first if first[path] != again[path]}
    assert changed == {records[1].parent}
    sections["format"] = "wav"  # separated with other settings
    assert run("separate", separate=sections)[0] == 0
    assert not list((tmp_path / "out").rglob("source*.flac"))
    assert len(list((tmp_path / "out").rglob("source*.wav"))) == 6


def test_missing_files_and_patterns_without_a_match_are_reported_at_once(run, tmp_path):
    status, _ = run("separate", separate={"files": [str(tmp_path / "no.wav")]})
    assert "separate.files[0]: " in str(status) and "there is no file or folder '" in str(status)
    status, _ = run("separate", separate={"files": [str(tmp_path / "*.wav")]})
    assert "no audio file is found by" in str(status)
    path = wav(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(9000))
    sections = {"files": [str(path), str(tmp_path / "*.mp3")]}
    status, printed = run("separate", separate={**sections, "output_folder": str(tmp_path / "o")})
    assert status == 0 and f"separate.files: no audio in '{tmp_path}/*.mp3'" in printed


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"beta": -1}, "beta is -1; expected a number from 0 up"),
        ({"chunk": 0.001}, "chunk is 0.001 s; .* at least 3 of them make a chunk"),
    ],
)
def test_an_argument_that_is_wrong_for_all_files_is_reported_once(
    run, tmp_path, trained, wrong, message
):
    wav(tmp_path / "a.wav", 0.1 * np.ones(10))  # too short, which is another matter
    wav(tmp_path / "b.wav", 0.1 * np.random.default_rng(0).standard_normal(9000))
    algorithm = {**trained["algorithm"], "args": {**trained["algorithm"]["args"], **wrong}}
    sections = {"files": [str(tmp_path)], "output_folder": str(tmp_path / "o")}
    status, printed = run("separate", algorithm=algorithm, separate=sections)
    assert re.fullmatch(f"error: algorithm.args: {message}", status)
    assert "a.wav" not in printed


def test_an_output_folder_that_cannot_be_written_is_reported(run, tmp_path):
    path = wav(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(9000))
    (tmp_path / "taken").write_text("a file")
    status, _ = run(
        "separate",
        separate={"files": [str(path)], "output_folder": str(tmp_path / "taken" / "below")},
    )
    assert "cannot be written" in status and (tmp_path / "taken").read_text() == "a file"


def test_a_full_disk_leaves_no_half_written_source(run, tmp_path, monkeypatch):
    path = wav(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(9000))

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("files.os.fsync", full)
    status, _ = run(
        "separate", separate={"files": [str(path)], "output_folder": str(tmp_path / "o")}
    )
    assert "No space left on device" in status
    assert list((tmp_path / "o").rglob("*.*")) == []


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_the_sources_get_the_rights_that_any_new_file_gets(run, tmp_path, kind):
    path = wav(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(9000))
    before = os.umask(0o077)  # for nobody else
    try:
        run(
            "separate",
            separate={"files": [str(path)], "output_folder": str(tmp_path / "o"), "format": kind},
        )
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "o" / "a").iterdir()}
    assert len(list((tmp_path / "o" / "a").iterdir())) == 3 and modes == {0o600}


def test_classical_algorithms_separate_too(run, tmp_path):
    rng = np.random.default_rng(0)
    path = wav(tmp_path / "a.wav", 0.1 * rng.standard_normal((60000, 2)), 22050)
    status, _ = run(
        "separate",
        algorithm={"class": "HPSS"},
        separate={"files": [str(path)], "output_folder": str(tmp_path / "o")},
    )
    assert status == 0
    sources = [audio.read(tmp_path / "o" / "a" / f"source{i}.wav") for i in (0, 1)]
    assert sources[0].shape == (2, 60000)
