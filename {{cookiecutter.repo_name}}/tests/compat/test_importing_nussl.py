"""compat/imports.py and compat/overlay.py: nussl imported where it could not be."""

import importlib.util
import inspect
import sys
import warnings
from types import SimpleNamespace

import ignite.contrib.handlers
import numpy as np
import pytest
from signals import needed, run

from compat import imports, nussl
from compat.overlay import Overlay


@pytest.fixture(scope="module")
def bare_machine():
    """compat on a machine that has neither ffmpeg nor sox, nor the packages that nussl can do
    without.
    """
    return run(["-W", "error::SyntaxWarning", "-c", BARE])


BARE = """
import json, sys
import ignite
absent = ("sox", "soxbindings", "audioread", "ignite.contrib", "ignite.contrib.handlers")
sys.modules.update(dict.fromkeys(absent))  # None: the import of it fails
from compat import nussl
import scipy.signal

def said(function):
    try:
        return str(function())
    except ImportError as error:
        return str(error)

print(json.dumps({
    "version": nussl.__version__,
    "musdb": said(lambda: nussl.datasets.MUSDB18("nowhere")),
    "sox": said(lambda: nussl.core.effects.sox.Transformer()),
    "audioread": said(lambda: nussl.core.audio_signal.audioread.audio_open("x.mp3")),
    "progress": nussl.ml.train.trainer.ProgressBar.__name__,
    "still lent": [name for name in (*absent[1:], "musdb") if sys.modules.get(name)],
    "hann": hasattr(scipy.signal, "hann"),
}))
"""


@pytest.mark.slow
def test_compat_imports_nussl_where_scipy_has_moved_its_windows(plain, bare_machine):
    needed("scipy.signal" in plain["scipy"], "imports._scipy_windows")
    assert bare_machine["version"] == "1.1.9"


def test_what_is_lent_to_the_import_is_taken_back(bare_machine):
    assert bare_machine["still lent"] == [] and not bare_machine["hann"]


@pytest.mark.slow
def test_without_ffmpeg_nussl_imports_and_musdb_says_what_to_install(plain, bare_machine):
    needed("RuntimeError" in plain["musdb"], "imports._musdb")
    assert "install ffmpeg" in bare_machine["musdb"]


@pytest.mark.slow
def test_without_sox_and_soxbindings_nussl_imports_and_time_stretch_says_what_to_install(
    plain, bare_machine
):
    needed("ModuleNotFoundError" in plain["no_sox"], "imports._soxbindings")
    assert "pip install sox" in bare_machine["sox"]


@pytest.mark.slow
def test_without_audioread_nussl_imports_and_an_unreadable_file_says_what_to_do(
    plain, bare_machine
):
    needed("ModuleNotFoundError" in plain["no_audioread"], "imports._audioread")
    assert "convert it" in bare_machine["audioread"]


def test_without_the_alias_ignite_contrib_the_handlers_are_found(bare_machine):
    source = inspect.getsource(nussl.ml.train.trainer)
    needed("from ignite.contrib.handlers import" in source, "imports._ignite_contrib")
    assert bare_machine["progress"] == ignite.contrib.handlers.ProgressBar.__name__


LIGHT = """
import json, sys
import experiment
slow = ("torch.distributed.fsdp", "sympy", "librosa.display", "matplotlib.pyplot",
        "pandas", "zarr", "gpytorch", "museval", "jams", "torch.utils.tensorboard", "numba")
imported = [name for name in slow if name in sys.modules]
import ignite.handlers, torch.distributed.optim
print(json.dumps({
    "imported": imported,
    "zero": torch.distributed.optim.ZeroRedundancyOptimizer.__name__,
    "checkpoint": ignite.handlers.Checkpoint.__name__,
}))
"""


@pytest.mark.slow
def test_what_no_script_needs_at_its_start_is_not_imported():
    """FSDP and sympy alone take as long as torch; both stay importable."""
    assert run(["-c", LIGHT]) == {
        "imported": [],
        "zero": "ZeroRedundancyOptimizer",
        "checkpoint": "Checkpoint",
    }


def test_scipy_keeps_its_docstrings_and_its_parser_of_them():
    from scipy._lib import _array_api, _docscrape
    from scipy.signal import hilbert

    assert _array_api.FunctionDoc is _docscrape.FunctionDoc
    assert hilbert.__doc__.lstrip().startswith("FFT-based computation of the analytic signal")
    assert "Parameters\n" in hilbert.__doc__


def test_a_docstring_of_nussl_is_no_syntax_warning():
    source = inspect.getsource(nussl.ml.train.closures)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            compile(source, "closures.py", "exec")
            clean = True
        except (SyntaxError, DeprecationWarning):
            clean = False
        needed(not clean, "imports._ignore_escape_warnings")
        with imports._ignore_escape_warnings():
            compile(source, "closures.py", "exec")


def test_nussl_imported_before_compat_is_refused():
    with pytest.raises(ImportError, match="from compat import nussl"):
        imports.import_nussl()


def test_nussl_not_installed_says_make_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "nussl")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="make install"):
        imports.import_nussl()


def test_another_version_of_nussl_is_warned_of(monkeypatch):
    monkeypatch.delitem(sys.modules, "nussl")
    fake = SimpleNamespace(
        import_module=lambda name: SimpleNamespace(__version__="2.0"), util=importlib.util
    )
    monkeypatch.setattr(imports, "importlib", fake)
    with pytest.warns(UserWarning, match=r"nussl 1\.1\.9; this is nussl 2\.0"):
        imports.import_nussl()


def test_an_overlay_changes_a_module_for_its_holder_only():
    seen = Overlay(np, mean=lambda x: "ours")
    assert seen.mean([1]) == "ours" and np.mean([1]) == 1
    assert seen.pi == np.pi and {"mean", "pi"} <= set(dir(seen))
    with pytest.raises(AttributeError, match="numpy"):
        _ = seen.no_such_name
