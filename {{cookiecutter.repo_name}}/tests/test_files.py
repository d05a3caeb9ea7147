"""Files are whole or not there."""

import errno
import os
import stat
import threading

import pytest

from errors import UserError
from files import csv_text, write_files


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fail_with_a_full_disk(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_text_and_bytes_become_files_and_folders_are_made(tmp_path):
    write_files({tmp_path / "a" / "b" / "scores.csv": "é\n", str(tmp_path / "c.bin"): b"\x00\xff"})
    assert (tmp_path / "a" / "b" / "scores.csv").read_bytes() == b"\xc3\xa9\n"
    assert (tmp_path / "c.bin").read_bytes() == b"\x00\xff"
    assert names(tmp_path / "a" / "b") == ["scores.csv"] and names(tmp_path) == ["a", "c.bin"]


def test_an_older_file_is_replaced(tmp_path):
    path = tmp_path / "model.pth"
    path.write_text("a longer old one")
    write_files({path: "new"})
    assert path.read_text() == "new"


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_is_reported_with_the_file_and_leaves_the_old_one(tmp_path, monkeypatch, call):
    path = tmp_path / "model.pth"
    path.write_text("old")
    monkeypatch.setattr(os, call, fail_with_a_full_disk)
    with pytest.raises(
        UserError, match="model.pth: cannot be written .No space left on device.; free the disk"
    ) as caught:
        write_files({path: "new"})
    assert isinstance(caught.value.__cause__, OSError)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["model.pth"]


def test_of_several_files_all_are_written_or_none(tmp_path, monkeypatch):
    synced, sync = [], os.fsync

    def full_at_the_second(handle):
        synced.append(handle)
        if len(synced) == 2:
            fail_with_a_full_disk()
        sync(handle)

    monkeypatch.setattr(os, "fsync", full_at_the_second)
    with pytest.raises(UserError, match="source1.wav: cannot be written"):
        write_files({tmp_path / f"source{i}.wav": b"sound" for i in range(3)})
    assert names(tmp_path) == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_stop_on_the_way_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, stop):
    path = tmp_path / "model.pth"
    path.write_text("old")

    def stopped(*_):
        raise stop

    monkeypatch.setattr(os, "fsync", stopped)
    with pytest.raises(stop):
        write_files({path: "new"})
    assert path.read_text() == "old"
    assert names(tmp_path) == ["model.pth"]


def test_a_file_where_the_folder_should_be_is_reported(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UserError, match="runs/model.pth: cannot be written"):
        write_files({tmp_path / "runs" / "model.pth": b""})


def test_a_folder_where_the_file_should_be_is_reported(tmp_path):
    (tmp_path / "model.pth").mkdir()
    with pytest.raises(UserError, match="model.pth: cannot be written .Is a directory."):
        write_files({tmp_path / "model.pth": b""})
    assert names(tmp_path) == ["model.pth"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_reported(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        write_files({tmp_path / "model.pth": b""})


@pytest.mark.parametrize("name", ["x" * 251 + ".wav", "é" * 125 + ".wav", "歌" * 83 + ".wav"])
def test_a_name_as_long_as_the_file_system_takes_can_be_written(tmp_path, name):
    write_files({tmp_path / name: "whole"})
    assert names(tmp_path) == [name]


def test_the_file_gets_the_rights_that_any_new_file_gets(tmp_path):
    (tmp_path / "usual").write_text("")
    write_files({tmp_path / "ours": ""})
    usual, ours = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "ours"))
    assert ours == usual


def test_many_writers_at_once_leave_one_whole_file_and_readers_never_see_a_part(tmp_path):
    path = tmp_path / "history.json"
    texts = [str(number) * 100_000 for number in range(8)]
    path.write_text(texts[0])
    seen, done = set(), threading.Event()

    def write(text):
        for _ in range(5):
            write_files({path: text})

    def look():
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=look)
    writers = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert seen <= set(texts)
    assert path.read_text() in texts
    assert names(tmp_path) == ["history.json"]


def test_rows_become_csv_with_a_heading():
    rows = [{"item": "a,b", "si_sdr": 1.5}, {"item": 'say "c"', "si_sdr": -2.0}]
    assert csv_text(rows).splitlines() == ["item,si_sdr", '"a,b",1.5', '"say ""c""",-2.0']
