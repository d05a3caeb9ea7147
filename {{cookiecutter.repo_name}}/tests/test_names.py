"""Names that are not UTF-8, as a zip file from an old Windows has them, go through every script."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

import files
from scripts import audit, evaluate, prepare, separate

PROJECT = Path(__file__).parents[1]
NAME = os.fsdecode(b"caf\xe9")
RATE = 16000


@pytest.fixture
def data(tmp_path):
    """train and test, each of two tracks with the sources a and b; one name is not UTF-8."""
    place = tmp_path / "data"
    for number, split in enumerate(("train", "test")):
        for source in "ab":
            for other, name in enumerate((NAME, f"plain{split}")):
                rng = np.random.default_rng([number, ord(source), other])
                path = tmp_path / "a.wav"
                soundfile.write(path, 0.2 * rng.standard_normal((3 * RATE, 1)), RATE)
                folder = place / split / source
                try:
                    folder.mkdir(parents=True, exist_ok=True)
                    path.replace(folder / f"{name}{split}.wav")
                except OSError:
                    pytest.skip("the file system takes no such names")
    return place


def config(tmp_path, data):
    args = {"folder": str(data)}
    content = {
        "info": {"name": "c", "output_folder": str(tmp_path / "run")},
        "signal": {"sample_rate": RATE, "num_channels": 1},
        "datasets": {
            split: {"class": "StemFolder", "args": {**args, "split": split}}
            for split in ("train", "test")
        },
        "algorithm": {"class": "HPSS"},
        "evaluate": {},
        "audit": {},
        "separate": {"files": [str(data / "test" / "a")], "output_folder": str(tmp_path / "sep")},
        "prepare": {
            "license": "none",
            "source": str(data),
            "folder": str(tmp_path / "made"),
            "steps": [{"class": "Convert", "args": {"format": "flac"}}],
        },
    }
    path = tmp_path / "c.yml"
    path.write_text(yaml.safe_dump(content))
    return path


def run(script, path, needs):
    try:
        script.run(script.main, "", needs, ["-p", str(path)])
    except SystemExit as error:
        return error.code or 0
    return 0


def test_audit_prepare_and_evaluate_write_what_they_found(tmp_path, data):
    path = config(tmp_path, data)
    assert run(audit, path, ("datasets", "audit")) == 0
    folder = tmp_path / "run" / "audit"
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    names = [track["name"] for track in report["tracks"]["test"]]
    assert names == [files.printable(NAME) + "test", "plaintesttest"]
    assert Path(report["tracks"]["test"][0]["files"]["a"][0]).is_file()
    assert (folder / "report.html").read_text(encoding="utf-8")
    assert run(prepare, path, ("prepare",)) == 0
    manifest = json.loads((tmp_path / "made" / "manifest.json").read_text(encoding="utf-8"))
    assert all((tmp_path / "made" / name).is_file() for name in manifest["files"])
    assert len(manifest["files"]) == 8
    assert run(evaluate, path, ("datasets.test", "algorithm", "evaluate")) == 0
    scores = next((tmp_path / "run").rglob("scores.csv")).read_text(encoding="utf-8")
    rows = list(csv.DictReader(scores.splitlines()))
    assert {row["item"] for row in rows if row["item"]} == set(names)


@pytest.mark.slow
def test_separate_prints_and_writes_such_names(tmp_path, data):
    path = config(tmp_path, data)
    command = [sys.executable, "-m", "scripts.separate", "-p", str(path)]
    done = subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, env={**os.environ, "PYTHONUTF8": "1"}
    )
    assert done.returncode == 0 and "Error" not in done.stderr, done.stderr
    assert "caf\\udce9test/source0.wav" in done.stdout
    assert len(list((tmp_path / "sep" / f"{NAME}test").glob("source*.wav"))) == 2
    assert run(separate, path, ("algorithm", "separate")) == 0


def test_text_is_written_whatever_is_in_it_and_json_reads_the_name_back(tmp_path):
    assert files.printable("plain ü") == "plain ü"
    assert files.printable(NAME) == "caf\\udce9"
    files.write_files({tmp_path / "a.json": json.dumps([NAME, "ü"], ensure_ascii=False)})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == [NAME, "ü"]
