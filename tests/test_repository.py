"""What a project's repository holds beside its code: citation, workflow, licenses."""

import re
import shlex

import pytest
import yaml
from conftest import FOLDER, REPOSITORY

PROJECT = REPOSITORY / FOLDER


@pytest.mark.parametrize("license", ["MIT", "Apache-2.0", "No license"])
def test_a_project_is_cited_by_its_name_author_and_license(bake, license):
    answers = {"project_name": "D'Arcy: 1 #", "author_name": "O'Neil, 山田", "license": license}
    plain = yaml.safe_load((bake(**answers) / "CITATION.cff").read_text(encoding="utf-8"))
    assert (plain["title"], plain["authors"]) == ("D'Arcy: 1 #", [{"name": "O'Neil, 山田"}])
    assert plain.get("license") == (None if license == "No license" else license)
    assert plain["cff-version"] == "1.2.0" and plain["message"] and plain["type"] == "software"


def test_the_workflow_runs_targets_that_the_makefile_has():
    workflow = yaml.safe_load((PROJECT / ".github/workflows/tests.yml").read_text())
    assert set(workflow[True]) == {"push", "pull_request"}  # YAML 1.1 reads the key `on` so
    steps = workflow["jobs"]["tests"]["steps"]
    made = [shlex.split(step["run"])[:2] for step in steps if "run" in step]
    targets = re.search(r"^\.PHONY: (.*)$", (PROJECT / "Makefile").read_text(), re.M)[1].split()
    assert made and all(make == "make" and target in targets for make, target in made)
    assert all(("uses" in step) != ("run" in step) for step in steps)


def test_the_licenses_of_all_dependencies_are_listed(run):
    code, said = run("python", "setup/environment/licenses.py", cwd=PROJECT)
    assert code == 0, said
    rows = [line.strip("| ").split(" | ") for line in said.splitlines()[2:]]
    locked = re.findall(r"^([\w.-]+)==", (PROJECT / "requirements.lock").read_text(), re.M)
    assert {row[0] for row in rows} == set(locked)
    found = {row[0]: row[-1] for row in rows}
    assert "BSD-3-Clause" in found["torch"] and found["nussl"] == "MIT"


def checked_by(*arguments):
    """Without check-jsonschema, which has these schemas in it, nothing is checked."""
    pytest.importorskip("check_jsonschema")
    return ("python", "-m", "check_jsonschema", *arguments)


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ("github-workflows", ".github/workflows/tests.yml"),
        ("github-issue-forms", ".github/ISSUE_TEMPLATE/problem.yml"),
        ("citation-file-format", "CITATION.cff"),
    ],
)
def test_what_github_reads_has_the_form_that_it_asks_for(project, run, schema, name):
    both = [folder / name for folder in (project, REPOSITORY) if (folder / name).exists()]
    command = checked_by("--builtin-schema", f"vendor.{schema}")
    code, said = run(*command, *both, cwd=REPOSITORY)
    assert both and code == 0, said
    wrong = project.parent / "wrong.yml"
    wrong.write_text("jobs: 1\nbody: 1\n")
    assert run(*command, wrong, cwd=REPOSITORY)[0] != 0


def test_the_hooks_before_a_commit_are_valid():
    clientlib = pytest.importorskip("pre_commit.clientlib")
    for folder in (REPOSITORY, PROJECT):
        hooks = clientlib.load_config(folder / ".pre-commit-config.yaml")["repos"][0]["hooks"]
        assert {hook["id"] for hook in hooks} == {"ruff-check", "ruff-format", "mypy"}
