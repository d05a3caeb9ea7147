"""Garbage collection while large libraries are imported."""

import gc
import importlib

import pytest

import memory


def test_nothing_is_collected_during_imports_and_what_was_imported_is_frozen(tmp_path, monkeypatch):
    (tmp_path / "imported_here.py").write_text("import gc\nCOLLECTS = gc.isenabled()\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = gc.get_freeze_count()
    with memory.gc_paused():
        module = importlib.import_module("imported_here")
    assert not module.COLLECTS and gc.isenabled()
    assert gc.get_freeze_count() > before
    before = gc.get_freeze_count()
    with memory.gc_paused():  # nothing new is imported, so nothing is frozen
        importlib.import_module("imported_here")
    assert gc.get_freeze_count() <= before and gc.isenabled()


def test_the_collector_is_on_after_an_import_that_failed():
    with pytest.raises(ImportError), memory.gc_paused():
        importlib.import_module("there_is_no_such_module")
    assert gc.isenabled()
