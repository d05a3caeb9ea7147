"""Packages of Debian become stems: fetched, unpacked, mixed in pairs, by YAML."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from errors import UserError
from preparation import (
    STEPS,
    FetchPackages,
    download,
)
from scripts import common, prepare

PROJECT = Path(__file__).parent.parent


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
