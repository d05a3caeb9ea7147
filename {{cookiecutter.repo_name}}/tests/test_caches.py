"""What libraries keep lies below CACHE_DIRECTORY, and no script needs a home folder."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import caches

PROJECT = Path(__file__).parents[1]
# somebody who may read everything, as this Python may lie in root's home, and write nowhere
NOBODY = (
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
)
IMPORT = (
    "import os, matplotlib, numba; from compat import nussl; import librosa\n"
    "print(matplotlib.get_cachedir()); print(numba.config.CACHE_DIR)\n"
)


def run(code, *before, **environment):
    plain = {key: value for key, value in os.environ.items() if key not in caches.FOLDERS}
    return subprocess.run(
        [
            *before,
            sys.executable,
            "-W",
            "ignore",
            "-c",
            "import caches; caches.set_cache_folders()\n" + code,
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        env={**plain, **environment},
    )


def test_each_library_gets_a_folder_and_what_is_set_stays(tmp_path, monkeypatch):
    for variable in caches.FOLDERS:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "c"))
    monkeypatch.setenv("TORCH_HOME", "/mine")
    assert caches.set_cache_folders() == tmp_path / "c"
    assert os.environ["TORCH_HOME"] == "/mine"
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "c" / "numba")
    assert os.environ["MPLCONFIGDIR"] == str(tmp_path / "c" / "matplotlib")


def test_a_folder_that_cannot_be_made_is_replaced_by_a_temporary_one(tmp_path, monkeypatch):
    for variable in caches.FOLDERS:
        monkeypatch.setenv(variable, "x")
    (tmp_path / "file").touch()
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "file" / "c"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert caches.set_cache_folders().parent == tmp_path
    assert caches.set_cache_folders() == caches.set_cache_folders()


def test_nothing_is_written_but_below_the_folder(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    done = run(IMPORT, HOME=str(home), CACHE_DIRECTORY=str(tmp_path / "c"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "c" / "matplotlib"), str(tmp_path / "c/numba")]
    assert list(home.rglob("*")) == []


def test_without_a_writable_home_package_or_cache_folder_all_is_imported(tmp_path):
    settings = {
        "HOME": "/nonexistent",
        "CACHE_DIRECTORY": "/nonexistent/cache",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if shutil.which("setpriv") is None or run("", *NOBODY, **settings).returncode != 0:
        pytest.skip("only root can become somebody who may write nowhere")
    done = run(IMPORT + "print(os.environ['TORCH_HOME'])\n", *NOBODY, **settings)
    assert done.returncode == 0, done.stderr
    assert all(line.startswith(tempfile.gettempdir()) for line in done.stdout.split())
