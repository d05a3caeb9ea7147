"""Imports of large libraries, without a search for garbage among what stays."""

import gc
import importlib

import pytest

import memory


def test_nothing_is_collected_during_imports_and_what_they_made_is_never_looked_at(
    tmp_path, monkeypatch
):
    (tmp_path / "imported_here.py").write_text("import gc\nCOLLECTS = gc.isenabled()\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = gc.get_freeze_count()
    with memory.gc_paused():
        module = importlib.import_module("imported_here")
    assert not module.COLLECTS and gc.isenabled()
    assert gc.get_freeze_count() > before
    before = gc.get_freeze_count()
    with (
        memory.gc_paused()
    ):  # which is imported already: what the program has made stays collectable
        importlib.import_module("imported_here")
    assert gc.get_freeze_count() <= before and gc.isenabled()


def test_an_import_that_fails_leaves_the_collector_on():
    with pytest.raises(ImportError), memory.gc_paused():
        importlib.import_module("there_is_no_such_module")
    assert gc.isenabled()
