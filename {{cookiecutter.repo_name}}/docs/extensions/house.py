"""The layers of the project, from its imports: `python docs/extensions/house.py` writes them into
docs/design.md.

A folder or module is one layer above the highest of those that it imports.
"""

import ast
import graphlib
import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "design.md"
BLOCK = re.compile(r"(<!-- the layers -->\n).*?(<!-- end of the layers -->)", re.S)
APART = {"docs", "tests", "vendor", "setup"}


def modules() -> dict[str, list[Path]]:
    """{folder or module of the project: its files}."""
    found = {path.stem: [path] for path in PROJECT.glob("*.py")}
    for path in PROJECT.glob("*/__init__.py"):
        found[path.parent.name] = sorted(path.parent.rglob("*.py"))
    return {name: found[name] for name in sorted(found) if name not in APART}


def imported(files: list[Path]) -> set[str]:
    """The top-level names that files import, by any import statement in them."""
    names = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return names


def layers(graph: dict[str, set[str]]) -> dict[str, int]:
    """{name: the length of the longest chain of imports below it}.

    Raises:
        graphlib.CycleError: two of them import each other.
    """
    found: dict[str, int] = {}
    for name in graphlib.TopologicalSorter(graph).static_order():
        found[name] = max((found[below] + 1 for below in graph[name]), default=0)
    return found


def drawn() -> str:
    """The layers as a table in Markdown, the highest first."""
    files = modules()
    graph = {name: imported(paths) & set(files) - {name} for name, paths in files.items()}
    found = layers(graph)
    lines = ["| layer | module | what it is | imports |", "|---|---|---|---|"]
    for name in sorted(files, key=lambda one: (-found[one], one)):
        text = ast.get_docstring(ast.parse(_first(files[name]).read_text(encoding="utf-8"))) or ""
        about = re.split(r"(?<=\w)[.:]+(?=\s|$)", " ".join(text.split()))[0].replace("|", "\\|")
        label = f"`{name}/`" if (PROJECT / name).is_dir() else f"`{name}.py`"
        below = ", ".join(f"`{one}`" for one in sorted(graph[name]))
        lines.append(f"| {found[name]} | {label} | {about} | {below} |")
    return "\n".join(lines) + "\n"


def _first(files: list[Path]) -> Path:
    return next((path for path in files if path.name == "__init__.py"), files[0])


def written_out(text: str) -> str:
    """The page with the present layers."""
    return BLOCK.sub(lambda found: found[1] + drawn() + found[2], text)


if __name__ == "__main__":
    PAGE.write_text(written_out(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(PAGE)
