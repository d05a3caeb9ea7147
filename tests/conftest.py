"""The template as a clone of the repository would have it, and projects baked from it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cookiecutter.main import cookiecutter

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = "{{cookiecutter.repo_name}}"
sys.path.append(str(REPOSITORY / FOLDER / "tests"))  # for `forks`


def pytest_collection_modifyitems(items):
    """A project's own tests take longer than all others: they begin first, are waited for last."""
    items.sort(key=lambda item: "project_tests" in item.fixturenames)


def files_of(folder):
    """The files of a folder that git knows, or would know after `git add .`, relative to it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    return sorted(file for file in listed if file and (folder / file).exists())


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A copy of the repository, without its environment, caches and results."""
    copy = tmp_path_factory.mktemp("template")
    for file in files_of(REPOSITORY):
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / file, copy / file)
    return copy


@pytest.fixture(scope="session")
def environ(tmp_path_factory):
    """An environment in which neither the user's settings nor an active virtualenv play a part."""
    home = tmp_path_factory.mktemp("home")
    dropped = (
        "VIRTUAL_ENV",
        "PYTHONDONTWRITEBYTECODE",
        "DATA_DIRECTORY",
        "CACHE_DIRECTORY",
        "ARTIFACTS_DIRECTORY",
        "INSTALLER",
        "TORCH_INDEX",
        "MAKEFLAGS",
        "MAKELEVEL",
    )
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in dropped and not key.startswith(("CONDA_", "GIT_", "PYTEST_"))
    }
    person = {"NAME": "A tester", "EMAIL": "tester@localhost"}
    git = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in person.items()
    }
    # each project would compile librosa anew, which takes ten seconds
    numba = {"NUMBA_CACHE_DIR": str(REPOSITORY / "build" / "numba")}
    return {**kept, **git, **numba, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}


@pytest.fixture(scope="session")
def run(environ):
    """Runs a command and returns (exit status, everything it printed)."""

    def run(*command, cwd, **changes):
        command = [sys.executable if part == "python" else str(part) for part in command]
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environ | changes,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return done.returncode, done.stdout

    return run


@pytest.fixture
def bake(template, tmp_path, monkeypatch, environ):
    """Bakes a project with the given answers and returns its folder."""
    monkeypatch.setenv("HOME", environ["HOME"])

    def bake(template=template, **answers):
        return Path(
            cookiecutter(
                str(template),
                no_input=True,
                extra_context=answers,
                output_dir=str(tmp_path),
                default_config=True,
                overwrite_if_exists=answers.pop("again", False),
            )
        )

    return bake


def default_project(template, folder):
    """A project of the default answers, in this folder: its path."""
    return Path(
        cookiecutter(str(template), no_input=True, default_config=True, output_dir=str(folder))
    )


@pytest.fixture(scope="session")
def project(template, tmp_path_factory):
    """A project of the default answers, for tests that write nothing into it."""
    return default_project(template, tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def project_tests(template, environ, tmp_path_factory):
    """A new project's own tests, which run beside these: (the process, the file it prints to)."""
    folder = tmp_path_factory.mktemp("tested")
    output = folder / "output.txt"
    with (
        open(output, "wb") as file,
        subprocess.Popen(
            [sys.executable, "-u", "-m", "pytest", "-q", "-n", "auto", "--dist", "loadfile"],
            cwd=default_project(template, folder),
            env=environ,
            stdout=file,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        yield process, output
        process.terminate()


@pytest.fixture(scope="session", autouse=True)
def begin_project_tests(request):
    """Start them before the first test, if they are to be run at all."""
    if any("project_tests" in item.fixturenames for item in request.session.items):
        request.getfixturevalue("project_tests")
