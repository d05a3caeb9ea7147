"""The house's own rules: who may import whom, and what no file may hold."""

import ast
import graphlib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]

# imports go down, or sideways on the ground floor; what stands on floor 1 shares plain data only
FLOORS = {
    "files": 0, "audio": 0, "devices": 0, "checkpoints": 0, "config": 0, "compat": 0, "songs": 0,
    "dataset": 1, "model": 1, "training": 1, "algorithms": 1, "evaluation": 1, "report": 1,
    "experiment": 2,
    "scripts": 3, "data_prep": 3, "setup": 3,
}  # fmt: skip
APART = ("tests", "vendor")  # tests may import anything; vendor/ is not ours to import
LONGER = ("compat/bugs.py",)  # one repair after another, with what broke
LINES = 400


def files(*suffixes):
    """The project's files, as a path relative to it; not what git ignores or runs leave."""
    left_out = {"__pycache__", "artifacts", "data", "runs", ".venv", "venv", "node_modules"}
    found = [path.relative_to(PROJECT) for path in PROJECT.rglob("*") if path.suffix in suffixes]
    return sorted(path for path in found
                  if not any(part in left_out or part.startswith(".") for part in path.parts))


def tree(path):
    return ast.parse((PROJECT / path).read_text(encoding="utf-8"), filename=str(path))


def top(path):
    """The package or module of the project that a file belongs to."""
    return path.parts[0].removesuffix(".py")


def imports(path):
    """(top-level name, line) of everything that a file imports from outside its own package."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom):
            inside = len(path.parts) - 1
            assert node.level <= inside, f"{path}:{node.lineno} imports from outside the project"


OURS = [path for path in files(".py") if top(path) not in APART]
ours = pytest.mark.parametrize("path", OURS, ids=str)
every = pytest.mark.parametrize("path", files(".py"), ids=str)


def test_every_module_has_its_floor():
    assert {top(path) for path in OURS} <= set(FLOORS)
    assert len(OURS) > 30  # the walk above has found the project


@ours
def test_imports_go_down_only(path):
    here = top(path)
    for name, line in imports(path):
        if name in FLOORS and name != here:
            below = FLOORS[name] < FLOORS[here] or FLOORS[name] == FLOORS[here] == 0
            assert below, (f"{path}:{line}: {here} (floor {FLOORS[here]}) imports {name} "
                           f"(floor {FLOORS[name]})")
        assert name not in APART, f"{path}:{line} imports {name}"


def test_the_ground_floor_has_no_circle():
    ground = {name: set() for name, floor in FLOORS.items() if floor == 0}
    for path in OURS:
        if top(path) in ground:
            ground[top(path)] |= {name for name, _ in imports(path) if name in ground} - {top(path)}
    order = list(graphlib.TopologicalSorter(ground).static_order())  # raises CycleError
    assert set(order) == set(ground)


@every
def test_nussl_is_imported_nowhere_but_in_compat(path):
    if top(path) == "compat" or path.parts[:2] == ("tests", "compat"):
        return  # which hold what they repair against plain nussl
    for name, line in imports(path):
        assert name != "nussl", f"{path}:{line}: write `from compat import nussl`"


@pytest.mark.parametrize("path", files(".py", ".yml", ".yaml"), ids=str)
def test_no_code_and_no_experiment_holds_curlies_of_the_template(path):
    text = (PROJECT / path).read_text(encoding="utf-8")
    for mark in ("%", "#", "{"):
        assert "{" + mark not in text, f"{path} holds {'{' + mark!r}, which is Jinja's"


@ours
def test_no_file_is_too_long_to_be_read_at_a_sitting(path):
    count = len((PROJECT / path).read_text(encoding="utf-8").splitlines())
    assert count <= LINES or path.as_posix() in LONGER, f"{path} has {count} lines"


@every
def test_no_error_is_swallowed_without_a_reason(path):
    lines = (PROJECT / path).read_text(encoding="utf-8").splitlines()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ExceptHandler):
            where = f"{path}:{node.lineno}"
            assert node.type is not None, f"{where}: a bare except"
            if all(isinstance(child, ast.Pass) for child in node.body):
                caught = ast.unparse(node.type)
                assert caught not in ("Exception", "BaseException"), f"{where}: {caught}: pass"
                reason = "#" in "".join(lines[node.lineno - 1 : node.end_lineno])
                assert reason, f"{where}: except {caught}: pass, and no comment says why"


@ours
def test_every_module_says_what_it_is_for(path):
    if (PROJECT / path).stat().st_size:
        assert ast.get_docstring(tree(path)), f"{path} has no docstring"
