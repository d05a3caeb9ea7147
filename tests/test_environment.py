"""The Makefiles, the locked versions and setup/environment."""

import hashlib
import json
import os
import re
import shutil
import sys
import tomllib
import venv
from pathlib import Path

import pytest
from conftest import FOLDER, REPOSITORY, files_of
from packaging.requirements import Requirement

HERE = REPOSITORY / FOLDER


def pinned(path):
    """{name: version} of a requirements.lock."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith(("#", "./"))]
    return dict(line.split(" ;")[0].split("==") for line in lines)


def declared(path):
    """What a pyproject.toml requires, dev group included."""
    table = tomllib.loads(path.read_text())
    lists = [table["project"]["dependencies"], table.get("dependency-groups", {}).get("dev", [])]
    return [Requirement(line) for lines in lists for line in lines]


def test_requirements_lock_follows_from_poetry_lock(run):
    code, said = run("python", HERE / "setup/environment/lock.py", "--check", cwd="/")
    assert code == 0, said


def test_a_requirements_lock_that_differs_is_found(bake, run):
    project = bake()
    path = project / "requirements.lock"
    path.write_text(path.read_text().replace("nussl==1.1.9\n", ""))
    code, said = run("python", "setup/environment/lock.py", "--check", cwd=project)
    assert code == 1
    assert said == "requirements.lock does not follow from poetry.lock: run `make lock`\n"


def test_poetry_lock_is_of_the_present_pyproject(project):
    """By the hash that Poetry 2 keeps in it (poetry.packages.locker.Locker._get_content_hash)."""
    table = tomllib.loads((project / "pyproject.toml").read_text())
    project_keys = ("requires-python", "dependencies", "optional-dependencies")
    poetry_keys = ("dependencies", "source", "extras", "dev-dependencies", "group")
    poetry = table["tool"]["poetry"]
    content = {
        "project": {key: table["project"][key] for key in project_keys if key in table["project"]},
        "dependency-groups": table["dependency-groups"],
        "tool": {"poetry": {key: poetry[key] for key in poetry_keys if key in poetry}},
    }
    lock = tomllib.loads((project / "poetry.lock").read_text())
    text = json.dumps(content, sort_keys=True)
    assert lock["metadata"]["content-hash"] == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("folder", [HERE, REPOSITORY], ids=["the project", "the template"])
def test_every_package_that_is_declared_is_locked_within_its_bounds(folder):
    versions = pinned(folder / "requirements.lock")
    for requirement in declared(folder / "pyproject.toml"):
        if requirement.name != "soxbindings":  # a path
            assert requirement.specifier.contains(versions[requirement.name]), requirement


def test_the_template_and_the_project_lock_the_same_versions():
    ours, theirs = pinned(REPOSITORY / "requirements.lock"), pinned(HERE / "requirements.lock")
    assert {name: ours[name] for name in ours if name in theirs} == {
        name: theirs[name] for name in theirs if name in ours
    }


def test_pip_is_given_no_cuda_package():
    assert not [
        name
        for name in pinned(HERE / "requirements.lock")
        if name.startswith(("nvidia", "cuda", "triton"))
    ]


def test_no_file_names_the_host_of_a_package_index():
    host = re.compile(rb"p[y]pi\.org|python[h]osted|download\.[p]ytorch|[c]onda\.anaconda")
    assert not [f for f in files_of(REPOSITORY) if host.search((REPOSITORY / f).read_bytes())]


@pytest.mark.parametrize("folder", [HERE, REPOSITORY], ids=["the project", "the template"])
def test_make_help_lists_every_target(folder, run):
    targets = re.search(r"^\.PHONY: (.*)$", (folder / "Makefile").read_text(), re.M)[1].split()
    code, said = run("make", "--no-print-directory", cwd=folder)
    assert code == 0
    assert [line.split()[1] for line in said.split("\n\n")[0].splitlines()] == targets


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_ml_config_names_folders_in_the_project_from_wherever_it_is_sourced(project, run, shell):
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    script = (
        f"source '{project}/setup/environment/ml_config.sh' && "
        "echo $DATA_DIRECTORY $CACHE_DIRECTORY $ARTIFACTS_DIRECTORY"
    )
    code, said = run(shell, "-c", f"set -u; {script}", cwd="/")
    assert code == 0
    assert said.split() == [f"{project}/{name}" for name in ("data", "cache", "artifacts")]
    code, said = run(shell, "-c", script, cwd=project, DATA_DIRECTORY="/mnt/audio")
    assert said.split()[0] == "/mnt/audio"


def test_an_environment_younger_than_the_lock_is_left_alone(bake, run):
    project = bake()
    assert run("make", "-q", "install", cwd=project)[0] == 1
    (project / ".venv").mkdir()
    (project / ".venv/.installed").touch()
    assert run("make", "-q", "install", cwd=project)[0] == 0
    os.utime(project / ".venv/.installed", (0, 0))
    assert run("make", "-q", "install", cwd=project)[0] == 1


@pytest.mark.parametrize(
    "settings, line",
    [
        (
            ["PYTHON="],
            "No Python 3.11, 3.12 or 3.13 is found: name one with PYTHON=/path/to/python",
        ),
        (["INSTALLER=conda"], "make install: INSTALLER=conda is not known: pip, uv or poetry"),
        (
            ["INSTALLER=poetry", "TORCH_INDEX=http://localhost"],
            "make install: Poetry installs the torch of poetry.lock: "
            "TORCH_INDEX goes with pip or uv",
        ),
    ],
)
def test_an_installation_that_cannot_be_ends_in_one_line(bake, run, settings, line):
    project = bake()
    code, said = run("make", "--no-print-directory", "install", *settings, cwd=project)
    assert code == 2
    assert sum(line in words for words in said.splitlines()) == 1
    assert len(said.splitlines()) <= 2  # the line, and make's own
    assert not (project / ".venv").exists()


def test_without_a_network_the_installation_says_so(bake, run):
    project = bake()
    code, said = run(
        "make",
        "install",
        f"PYTHON={sys.executable}",
        cwd=project,
        PIP_CONFIG_FILE=os.devnull,
        PIP_RETRIES="1",
        PIP_FIND_LINKS="",
        PIP_EXTRA_INDEX_URL="",
        PIP_NO_CACHE_DIR="1",
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
    )
    assert code == 2
    assert "could not install what requirements.lock lists: no package index could be re" in said
    assert "Traceback" not in said
    assert not (project / ".venv/.installed").exists()


def test_an_active_environment_that_does_not_fit_is_not_replaced(bake, run, tmp_path):
    project, active = bake(), tmp_path / "active"
    active.mkdir()
    (active / "mine").touch()
    code, said = run(
        "make", "install", f"PYTHON={sys.executable}", cwd=project, VIRTUAL_ENV=str(active)
    )
    assert code == 2
    assert "is active, but has no Python 3.11, 3.12 or 3.13" in said
    assert [path.name for path in active.iterdir()] == ["mine"]


@pytest.mark.parametrize("target", ["test", "lint", "docs"])
def test_nothing_is_installed_unasked_into_an_active_environment(project, run, tmp_path, target):
    (tmp_path / "mine").touch()
    code, said = run("make", target, cwd=project, VIRTUAL_ENV=str(tmp_path))
    assert code == 2
    assert f"make {target}: the active environment, {tmp_path}, does not hold the packages" in said
    assert "run make install" in said
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_script_of_a_project_that_is_not_installed_says_what_to_do(project, run, tmp_path):
    venv.create(tmp_path / "bare")
    python = tmp_path / "bare" / "bin" / "python"
    code, said = run(python, "-m", "scripts.train", "-p", "experiments/demo.yml", cwd=project)
    assert code == 1 and "Traceback" not in said
    assert f"error: {python} has no package pydantic, yaml, numpy, torch, nussl; run" in said


def test_the_active_conda_environment_is_the_one_that_is_used_but_not_base(project, run, tmp_path):
    def used(**variables):
        said = run("make", "-n", "test", cwd=project, **variables)[1]
        return Path(said.splitlines()[-1].split()[0]).parents[1]

    assert used() == Path(".venv")
    assert used(CONDA_DEFAULT_ENV="base", CONDA_PREFIX="/opt/conda") == Path(".venv")
    assert used(CONDA_DEFAULT_ENV="nussl", CONDA_PREFIX="/c/nussl") == Path("/c/nussl")
    assert used(VIRTUAL_ENV="/v", CONDA_DEFAULT_ENV="nussl", CONDA_PREFIX="/c/nussl") == Path("/v")


def test_an_installed_project_can_be_imported_from_any_folder(project, run, tmp_path):
    venv.create(tmp_path / "env", symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    install = "import sys; sys.path.insert(0, 'setup/environment'); import install; "
    install += f"install.make_importable(install.Path({str(tmp_path / 'env')!r}))"
    assert run(python, "-c", install, cwd=project)[0] == 0
    code, said = run(python, "-c", "import errors; print(errors.__file__)", cwd="/")
    assert (code, said.strip()) == (0, str(project / "errors.py"))
