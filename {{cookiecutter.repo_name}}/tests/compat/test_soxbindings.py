"""vendor/soxbindings satisfies nussl's requirement of soxbindings, without a download or a
compiler.
"""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

FOLDER = Path(__file__).parents[2] / "vendor" / "soxbindings"


@pytest.fixture
def source(tmp_path):
    """A copy of the folder, to build in."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(FOLDER, tmp_path / "source", ignore=ignored))


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_wheel_is_of_a_version_that_nussl_takes(source, tmp_path):
    name = load(source / "backend.py").build_wheel(tmp_path)
    found = next(importlib.metadata.distributions(path=[str(tmp_path / name)]))
    assert found.metadata["Name"] == "soxbindings"
    required = [text for text in importlib.metadata.requires("nussl") if "soxbindings" in text]
    assert "1.2.2" in required[0] and found.version == "1.2.3"


def test_the_wheel_has_the_same_bytes_every_time(source, tmp_path):
    backend = load(source / "backend.py")
    (tmp_path / "again").mkdir()
    first = tmp_path / backend.build_wheel(tmp_path)
    again = tmp_path / "again" / backend.build_wheel(tmp_path / "again")
    assert first.read_bytes() == again.read_bytes()


def test_pip_installs_it_offline_and_leaves_no_litter(source, tmp_path):
    pytest.importorskip("pip")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-index",
        "--target",
        tmp_path / "site",
        source,
    ]
    environment = {**os.environ, "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "soxbindings.py").read_bytes() == (
        FOLDER / "soxbindings.py"
    ).read_bytes()
    left = {path.name for path in source.iterdir()} - {"__pycache__"}
    assert left == {"backend.py", "pyproject.toml", "soxbindings.py"}


def test_pysox_is_imported_when_asked_for_and_not_before(monkeypatch):
    monkeypatch.setitem(sys.modules, "sox", None)  # the import of it fails
    module = load(FOLDER / "soxbindings.py")
    with pytest.raises(ImportError):
        _ = module.Transformer
    monkeypatch.setitem(sys.modules, "sox", SimpleNamespace(Transformer="pysox's"))
    assert module.Transformer == "pysox's"
    assert not hasattr(module, "__path__")
