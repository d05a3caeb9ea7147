"""What `scripts.prepare` does with damaged archives, audio and manifests, with copies and links."""

import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from preparations import run, tarred, zipped

import files
import locks
from errors import UserError
from preparation import unpack

NOISE = np.random.default_rng(0).integers(-9000, 9000, 20_000).astype(np.int16)
CONVERT = [{"class": "Convert", "args": {"format": "flac"}}]


def sound(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, NOISE, 16000)
    return path


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


@pytest.fixture
def stems(tmp_path):
    for name in ("a/one.flac", "a/two.flac", "b/one.flac"):
        sound(tmp_path / "made" / name)
    return tmp_path / "made"


def manifest(tmp_path):
    return json.loads((tmp_path / "made" / "manifest.json").read_text())


# ---- audio --------------------------------------------------------------------------------------


def test_files_that_are_cut_come_into_no_manifest_and_all_are_named(tmp_path, stems):
    paths = [cut(stems / "a" / "two.flac"), cut(stems / "b" / "one.flac")]
    said = run(tmp_path)
    assert said.startswith("error: 2 problems with the data")
    assert all(f"{path}: cut short, decodes to" in said for path in paths)
    assert not (stems / "manifest.json").exists()
    for path in paths:
        sound(path)
    assert run(tmp_path) is None
    assert manifest(tmp_path)["files"]["b/one.flac"]["length"] == len(NOISE)


def test_all_files_that_cannot_be_converted_are_named_at_once(tmp_path):
    for number in range(12):
        cut(sound(tmp_path / "raw" / f"{number:02d}.flac"))
    sound(tmp_path / "raw" / "whole.flac")
    said = run(tmp_path, source=str(tmp_path / "raw"), steps=CONVERT)
    assert said.startswith("error: 12 problems") and said.endswith("and 2 more")
    assert said.count("cut short") == 10
    assert not (tmp_path / "made" / "manifest.json").exists()


def test_a_file_that_was_changed_since_is_found_by_its_hash_though_its_size_is_the_same(
    tmp_path, stems
):
    assert run(tmp_path) is None
    path = stems / "a" / "one.flac"
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    said = run(tmp_path)
    assert (
        f"{path}: was changed after its preparation, by its size or hash in manifest.json; " in said
    )
    sound(path)  # the same again, at another time
    assert run(tmp_path) is None
    path.write_bytes(b"x")
    assert "was changed after its preparation" in run(tmp_path)


def test_what_a_killed_run_was_writing_is_removed_and_in_no_manifest(tmp_path, stems, monkeypatch):
    killed = []

    def kill(*args):
        killed.extend(stems.glob(f"a/.*{files.UNFINISHED}"))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", kill)
        patch.setattr(Path, "unlink", lambda *args, **kwargs: None)  # as if by kill -9
        with pytest.raises(KeyboardInterrupt):
            files.write_files({stems / "a" / "three.flac": b"1"})
    assert len(killed) == 1 and killed[0].exists()
    (stems / "a" / ".t11.flac.8a69n72r").write_bytes(b"fLaC")  # as earlier versions called it
    assert files.files_below(stems) == sorted(stems.glob("?/*.flac"))
    assert run(tmp_path) is None
    assert not killed[0].exists()
    assert sorted(manifest(tmp_path)["files"]) == ["a/one.flac", "a/two.flac", "b/one.flac"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"plan": 1}',
        '{"plan": {}}',
        '{"plan": {}, "files": []}',
        '{"plan": {"downloads": [], "steps": []}, "files": {"a/one.flac": 3}}',
        '{"plan": {"downloads": [], "steps": []}, "files": {"a/one.flac": {}}}',
        '{"plan": {"downloads": 3, "steps": []}, "files": {}}',
        '{"plan": {"downloads": [1], "steps": []}, "files": {}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_manifest_is_one_clear_message(tmp_path, stems, content):
    (stems / "manifest.json").write_text(content)
    said = run(tmp_path)
    assert said is not None and "manifest.json" in said and "remove" in said
    assert said.startswith("error: ") and "Traceback" not in said


# ---- archives -----------------------------------------------------------------------------------


def stored(kind):
    """The bytes of a tar archive of one file of noise, which compression leaves as it is."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{kind}") as archive:
        content = np.random.default_rng(1).bytes(200_000)
        member = tarfile.TarInfo("inner/noise.bin")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
@pytest.mark.parametrize("place", [0.02, 0.3, 0.5, 0.9, 0.999])
def test_a_flipped_byte_in_an_archive_is_found_before_anything_is_unpacked(tmp_path, kind, place):
    content = bytearray(stored(kind))
    content[int(len(content) * place)] ^= 0x10
    archive = tmp_path / "archives" / f"a.tar.{kind}"
    archive.parent.mkdir()
    archive.write_bytes(content)
    said = run(tmp_path, downloads=[{"file": archive.name}])
    assert f"{archive}: " in said and "get it again" in said
    assert not list((tmp_path / "made").rglob("noise*"))


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
@pytest.mark.parametrize("left", [0.0, 0.01, 0.5, 0.999])
def test_an_archive_that_is_cut_is_reported(tmp_path, kind, left):
    content = stored(kind)
    path = tmp_path / f"a.tar.{kind}"
    path.write_bytes(content[: int(len(content) * left)])
    with pytest.raises(UserError, match="get it again"):
        unpack.unpack(path, tmp_path / "made", checked=False)
    with pytest.raises(UserError, match="get it again"):
        unpack.unpack(path, tmp_path / "made")


def test_an_entry_without_a_name_is_reported(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        member = zipfile.ZipInfo("x")
        member.filename = ""
        archive.writestr(member, b"1")
    with pytest.raises(UserError, match="a.zip: (holds an entry without|cannot be unpacked)"):
        unpack.unpack(tmp_path / "a.zip", tmp_path / "made")


def test_a_file_of_the_right_size_that_is_another_one_is_unpacked_again(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"a": b"12345", "b": b"1"})
    unpack.unpack(archive, tmp_path / "made")
    before = (tmp_path / "made" / "b").stat().st_mtime_ns
    (tmp_path / "made" / "a").write_bytes(b"54321")
    unpack.unpack(archive, tmp_path / "made")
    assert (tmp_path / "made" / "a").read_bytes() == b"12345"
    assert (tmp_path / "made" / "b").stat().st_mtime_ns == before


def test_the_hash_of_an_archive_is_said_and_kept_and_may_be_written_down_later(tmp_path, caplog):
    (tmp_path / "archives").mkdir()
    archive = tarred(tmp_path / "archives" / "a.tar.gz", {"a/x.txt": b"1"})
    from preparation.download import digest

    with caplog.at_level("INFO"):
        assert run(tmp_path, downloads=[{"file": archive.name}]) is None
    assert digest(archive) in caplog.text
    assert manifest(tmp_path)["archives"] == {"a.tar.gz": digest(archive)}
    caplog.clear()
    with caplog.at_level("INFO"):
        assert run(tmp_path, downloads=[{"file": archive.name, "sha256": digest(archive)}]) is None
        assert run(tmp_path) is None  # without downloads it is the same folder
    assert caplog.text.count("complete, nothing to do") == 2
    assert "another plan" in run(tmp_path, downloads=[{"file": "other.zip"}])


def test_a_copy_in_the_source_is_not_downloaded_again(tmp_path, caplog):
    sound(tmp_path / "raw" / "a.wav")
    section = {
        "source": str(tmp_path / "raw"),
        "steps": CONVERT,
        "downloads": [{"file": "a.zip", "urls": ["http://localhost:9/a.zip"]}],
    }
    with caplog.at_level("INFO"):
        assert run(tmp_path, **section) is None
    assert "nothing is downloaded" in caplog.text
    assert list(manifest(tmp_path)["files"]) == ["a.flac"]


def test_what_was_half_unpacked_is_no_copy(tmp_path):
    sound(tmp_path / "raw" / "a.wav")
    (tmp_path / "raw" / ".unpacking").touch()  # a run that was killed
    section = {"source": str(tmp_path / "raw"), "steps": CONVERT, "downloads": [{"file": "a.zip"}]}
    assert "a.zip: does not exist and cannot be downloaded" in run(tmp_path, **section)
    (tmp_path / "archives").mkdir()
    with zipfile.ZipFile(tmp_path / "archives" / "a.zip", "w") as archive:
        archive.write(sound(tmp_path / "other.wav"), "b.wav")
    assert run(tmp_path, **section) is None
    assert sorted(manifest(tmp_path)["files"]) == ["a.flac", "b.flac"]
    assert not (tmp_path / "raw" / ".unpacking").exists()


# ---- links --------------------------------------------------------------------------------------


def test_a_linked_folder_is_prepared(tmp_path):
    sound(tmp_path / "disk" / "b.wav")
    sound(tmp_path / "raw" / "a.wav")
    os.symlink(tmp_path / "disk", tmp_path / "raw" / "linked")
    os.symlink(tmp_path / "raw", tmp_path / "raw" / "round")
    assert run(tmp_path, source=str(tmp_path / "raw"), steps=CONVERT) is None
    assert sorted(manifest(tmp_path)["files"]) == ["a.flac", "linked/b.flac"]


def test_a_source_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "raw").write_text("a file")
    said = run(tmp_path, source=str(tmp_path / "raw"), steps=CONVERT)
    assert said == f"error: {tmp_path / 'raw'}: is a file; name the folder of the data as " + (
        "prepare.source"
    )


def test_a_broken_link_in_the_source_is_not_left_out_silently(tmp_path):
    sound(tmp_path / "raw" / "a.wav")
    (tmp_path / "raw" / "b.wav").symlink_to("nowhere.wav")
    said = run(tmp_path, source=str(tmp_path / "raw"), steps=CONVERT)
    assert "b.wav: a broken symbolic link (nowhere.wav); repair or remove it" in said
    assert not (tmp_path / "made" / "a.flac").exists()


def test_two_processes_do_not_prepare_one_folder_at_the_same_time(tmp_path):
    sound(tmp_path / "raw" / "a.wav")
    section = {"source": str(tmp_path / "raw"), "steps": CONVERT}
    lock = locks.acquire(tmp_path / "made" / ".prepare.lock")
    said = run(tmp_path, **section)
    assert said.startswith(f"error: {tmp_path / 'made'}: another process is preparing it; wait")
    lock.close()  # as if it was killed
    assert run(tmp_path, **section) is None
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == [
        "a.flac",
        "manifest.json",
    ]
