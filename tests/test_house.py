"""Rules of the code that the template writes: who may import whom, and what no file may hold.

They are the template's, not the projects': a user who adds a file of his own may write as he likes.
"""

import ast
import graphlib

from conftest import FOLDER, REPOSITORY

PROJECT = REPOSITORY / FOLDER

# imports go down, or sideways on the ground floor; packages of floor 3 share plain data only
GROUND = """errors files memory audio distributed pool devices config compat provenance features
    songs streams recordings runs caches locks"""
FLOORS = {name: 0 for name in GROUND.split()}
FLOORS |= {"model": 1, "checkpoints": 2}
FLOORS |= {"dataset": 3, "training": 3, "algorithms": 3, "evaluation": 3, "preparation": 3}
FLOORS |= {"report": 4, "auditing": 4, "exporting": 4, "realtime": 4}
FLOORS |= {"experiment": 5, "orchestration": 5}
FLOORS |= {"separation": 6, "scripts": 6, "setup": 6, "docs": 7}
APART = ("tests", "vendor")  # tests may import anything; vendor/ is not ours to import
LONGER = ("compat/bugs.py",)  # one repair after another, with what broke
LINES = 400


def files(*suffixes):
    """The project's files, as a path relative to it; not what git ignores or runs leave."""
    left_out = {"__pycache__", "artifacts", "cache", "data", "runs", "venv", "node_modules"}
    found = [path.relative_to(PROJECT) for path in PROJECT.rglob("*") if path.suffix in suffixes]
    return sorted(
        path
        for path in found
        if not any(part in left_out or part.startswith(".") for part in path.parts)
    )


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


EVERY = files(".py")
OURS = [path for path in EVERY if top(path) not in APART]


def test_every_module_has_its_floor():
    assert {top(path) for path in OURS} <= set(FLOORS)
    assert len(OURS) > 30  # the walk above has found the project


def test_imports_go_down_only():
    wrong = []
    for path in OURS:
        here = top(path)
        for name, line in imports(path):
            if name in APART:
                wrong.append(f"{path}:{line} imports {name}")
            elif name in FLOORS and name != here:
                below = FLOORS[name] < FLOORS[here] or FLOORS[name] == FLOORS[here] == 0
                if not below:
                    wrong.append(
                        f"{path}:{line}: {here} (floor {FLOORS[here]}) imports {name} "
                        f"(floor {FLOORS[name]})"
                    )
    assert wrong == []


def test_the_ground_floor_has_no_circle():
    ground = {name: set() for name, floor in FLOORS.items() if floor == 0}
    for path in OURS:
        if top(path) in ground:
            ground[top(path)] |= {name for name, _ in imports(path) if name in ground} - {top(path)}
    order = list(graphlib.TopologicalSorter(ground).static_order())  # raises CycleError
    assert set(order) == set(ground)


def test_nussl_is_imported_nowhere_but_in_compat():
    # whose tests hold what it repairs against plain nussl
    others = [path for path in EVERY if "compat" not in path.parts[:2]]
    assert [
        f"{path}:{line}: write `from compat import nussl`"
        for path in others
        for name, line in imports(path)
        if name == "nussl"
    ] == []


def test_no_code_and_no_experiment_contains_curly_braces_of_the_template():
    wrong = []
    for path in files(".py", ".yml", ".yaml"):
        text = (PROJECT / path).read_text(encoding="utf-8")
        wrong += [f"{path} holds {'{' + sign!r}" for sign in ("%", "#", "{") if "{" + sign in text]
    assert wrong == []


def test_no_file_is_too_long_to_read_in_one_sitting():
    lines = {path.as_posix(): len((PROJECT / path).read_text().splitlines()) for path in OURS}
    assert {path: n for path, n in lines.items() if n > LINES and path not in LONGER} == {}


def test_no_error_is_swallowed_without_a_reason():
    wrong = []
    for path in EVERY:
        lines = (PROJECT / path).read_text(encoding="utf-8").splitlines()
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            where = f"{path}:{node.lineno}"
            if node.type is None:
                wrong.append(f"{where}: a bare except")
            elif all(isinstance(child, ast.Pass) for child in node.body):
                caught = ast.unparse(node.type)
                if caught in ("Exception", "BaseException"):
                    wrong.append(f"{where}: {caught}: pass")
                elif "#" not in "".join(lines[node.lineno - 1 : node.end_lineno]):
                    wrong.append(f"{where}: except {caught}: pass, and no comment says why")
    assert wrong == []


def test_every_module_says_what_it_is_for():
    filled = [path for path in OURS if (PROJECT / path).stat().st_size]
    assert [str(path) for path in filled if not ast.get_docstring(tree(path))] == []
