"""Files are whole or not there."""

import errno
import os
import stat
import threading

import pytest

from files import UserError, written


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_written_becomes_the_file(tmp_path):
    with written(tmp_path / "a" / "b" / "scores.csv") as temporary:
        assert temporary.suffix == ".csv"  # from which some writers tell the format
        assert temporary.parent == tmp_path / "a" / "b"  # a rename across disks is a copy
        temporary.write_text("whole")
    assert (tmp_path / "a" / "b" / "scores.csv").read_text() == "whole"
    assert names(tmp_path / "a" / "b") == ["scores.csv"]


def test_until_the_end_the_old_file_is_there(tmp_path):
    path = tmp_path / "model.pth"
    path.write_text("old")
    with written(path) as temporary:
        temporary.write_text("new, half")
        assert path.read_text() == "old"
    assert path.read_text() == "new, half"


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_exception_on_the_way_leaves_the_old_file_and_no_litter(tmp_path, stop):
    path = tmp_path / "model.pth"
    path.write_text("old")
    with pytest.raises(stop), written(path) as temporary:
        temporary.write_text("half")
        raise stop
    assert path.read_text() == "old"
    assert names(tmp_path) == ["model.pth"]


def test_an_exception_on_the_way_leaves_nothing_where_nothing_was(tmp_path):
    with pytest.raises(ValueError, match="^mine$"), written(tmp_path / "model.pth"):
        raise ValueError("mine")
    assert names(tmp_path) == []


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_is_told_with_the_file_and_leaves_the_old_one(tmp_path, monkeypatch, call):
    path = tmp_path / "model.pth"
    path.write_text("old")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(UserError, match="model.pth: cannot be written .No space left on device.; "
                                        "free the disk") as caught, written(path) as temporary:
        temporary.write_text("new")
    assert isinstance(caught.value.__cause__, OSError)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["model.pth"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_disk_that_fills_up_while_writing_is_told(tmp_path):
    with pytest.raises(UserError, match="No space left on device"), written(tmp_path / "x"), \
            open("/dev/full", "w") as full:
        full.write("does not fit")
        full.flush()
    assert names(tmp_path) == []


def test_a_file_where_the_folder_should_be_is_told(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UserError, match="runs/model.pth: cannot be written"), \
            written(tmp_path / "runs" / "model.pth"):
        pass


def test_a_folder_where_the_file_should_be_is_told(tmp_path):
    (tmp_path / "model.pth").mkdir()
    with pytest.raises(UserError, match="model.pth: cannot be written .Is a directory."), \
            written(tmp_path / "model.pth"):
        pass
    assert names(tmp_path) == ["model.pth"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"), written(tmp_path / "model.pth"):
        pass


def test_a_message_of_ours_from_within_is_left_as_it_is(tmp_path):
    with pytest.raises(UserError, match="^mine$"), written(tmp_path / "x"):
        raise UserError("mine")


@pytest.mark.parametrize("name", ["x" * 251 + ".wav", "é" * 125 + ".wav", "歌" * 83 + ".wav"])
def test_a_name_as_long_as_the_file_system_takes_can_be_written(tmp_path, name):
    with written(tmp_path / name) as temporary:
        temporary.write_text("whole")
    assert names(tmp_path) == [name]


def test_the_file_gets_the_rights_that_any_new_file_gets(tmp_path):
    (tmp_path / "usual").write_text("")
    with written(tmp_path / "ours"):
        pass

    def rights(name):
        return stat.S_IMODE((tmp_path / name).stat().st_mode)

    assert rights("ours") == rights("usual")


def test_many_writers_at_once_leave_one_whole_file_and_readers_never_see_a_part(tmp_path):
    path = tmp_path / "history.json"
    texts = [str(number) * 100_000 for number in range(8)]
    path.write_text(texts[0])
    seen, done = set(), threading.Event()

    def write(text):
        for _ in range(5):
            with written(path) as temporary:
                temporary.write_text(text)

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
