"""The pages of docs/reference/, written before each build: what a YAML file can name, the scripts.

They walk the registries, so that a class of yours is in them as soon as it is registered. Their
texts are the docstrings.
"""

import ast
import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
PROJECT = DOCS.parent
OUR_FOLDER = str(PROJECT)


class Page(NamedTuple):
    """A registry, or a list of names, as a page.

    name: of its file; title: its heading; place: where YAML names what is in it; module: whose
    docstring introduces it; registry: its dictionary in that module; members: whether the public
    methods are shown, for what is made to be overridden.
    """

    name: str
    title: str
    place: str
    module: str
    registry: str
    members: bool = False


PAGES = (
    Page(
        "datasets",
        "Datasets",
        "datasets: {train: {class: NAME, args: {...}}}",
        "dataset",
        "DATASETS",
    ),
    Page(
        "networks",
        "Builders of networks",
        "model: {builder: NAME, args: {...}}",
        "model",
        "BUILDERS",
    ),
    Page(
        "modules",
        "Modules of networks",
        "model: {modules: {layer: {class: NAME, args: {...}}}}",
        "model.extras",
        "EXTRAS",
    ),
    Page(
        "losses",
        "Losses",
        "train: {loss: {term: {class: NAME, args: {...}}}}",
        "training.losses",
        "LOSSES",
    ),
    Page("trainers", "Trainers", "train: {class: NAME, args: {...}}", "training", "TRAINERS", True),
    Page(
        "loggers",
        "Loggers",
        "train: {loggers: [{class: NAME, args: {...}}]}",
        "training.loggers",
        "LOGGERS",
    ),
    Page(
        "algorithms",
        "Algorithms",
        "algorithm: {class: NAME, args: {...}}",
        "algorithms",
        "ALGORITHMS",
    ),
    Page(
        "preparation",
        "Steps of a preparation",
        "prepare: {steps: [{class: NAME, args: {...}}]}",
        "preparation",
        "STEPS",
    ),
)
SCRIPTS = """\
Each script reads one YAML file, named after ``-p``, or the ``config.yml`` of a folder. All mistakes
in it are reported before the work begins."""
PYTHON = (
    ("separation", "load", False),
    ("separation", "Separator", True),
    ("dataset", "StemDataset", True),
    ("dataset", "Track", False),
    ("dataset", "Channel", False),
    ("features", "FrontEnd", True),
    ("training", "Setup", False),
    ("training.losses", "SourceLoss", True),
    ("algorithms", "Result", False),
    ("algorithms", "Streamed", True),
)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write)
    app.connect("autodoc-process-docstring", adapt)
    app.connect("autodoc-process-signature", own_arguments)
    return {"parallel_read_safe": True}


def write(app: Sphinx) -> None:
    """Write the pages whose text has changed."""
    folder = Path(app.srcdir) / "reference"
    folder.mkdir(exist_ok=True)
    texts = {f"{page.name}.rst": text_of(page) for page in PAGES}
    texts |= {"scripts.rst": scripts(), "python.rst": python()}
    for name, text in texts.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.iterdir():
        if path.name not in texts:
            path.unlink()


def own_arguments(app: Sphinx, kind: str, name: str, thing: object, options, arguments, returns):
    """No arguments in place of those of torch's Module, which takes any and means none."""
    return ("()", returns) if arguments == "(*args, **kwargs)" else None


def text_of(page: Page) -> str:
    """A page of the classes or functions of a registry, by their names there."""
    module = __import__(page.module, fromlist=["_"])
    registry: Mapping[str, Callable] = getattr(module, page.registry)
    parts = [heading(page.title, "="), inspect.getdoc(module) or "", code("yaml", page.place)]
    for name in sorted(registry, key=str.lower):
        parts += [heading(name, "-"), shown(registry[name], page.members)]
    return "\n\n".join(parts) + "\n"


def shown(thing: Callable, members: bool) -> str:
    """The directive that shows a class or function, from where it is written."""
    kind = "autoclass" if inspect.isclass(thing) else "autofunction"
    lines = [f".. {kind}:: {thing.__module__}.{thing.__qualname__}"]
    return "\n".join([*lines, *(["   :members:"] if members else [])])


def python() -> str:
    """The page of what Python code uses or subclasses."""
    parts = [heading("From Python", "="), "What your own code calls and subclasses."]
    for module, name, members in PYTHON:
        thing = getattr(__import__(module, fromlist=["_"]), name)
        parts += [heading(name, "-"), shown(thing, members)]
    return "\n\n".join(parts) + "\n"


def scripts() -> str:
    """The page of the scripts: what each does, and the sections that its file must have."""
    from scripts import common

    paragraphs = (inspect.getdoc(common.run) or "").split("\n\n")
    statuses = next(part for part in paragraphs if part.startswith("Exit status"))
    parts = [heading("Scripts", "="), SCRIPTS, statuses]
    for name in common.names():
        text = (PROJECT / "scripts" / f"{name}.py").read_text(encoding="utf-8")
        about, _, command = (ast.get_docstring(ast.parse(text)) or name).partition(": ")
        needs = ", ".join(f"``{one}``" for one in common.needs_of(name))
        parts += [heading(name, "-"), f"{about}."]
        parts += [code("none", command)] if command else []
        parts += [f"Sections that its file needs: {needs}." if needs else ""]
    return "\n\n".join(parts) + "\n"


def heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}"


def code(language: str, text: str) -> str:
    return f".. code-block:: {language}\n\n   {text}"


def adapt(
    app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Take a docstring as plain text with names of code in backticks: `|x|` and `name_` have no
    other meaning in it. Of a class of nussl only the first paragraph: it is not ours to correct."""
    module = inspect.getmodule(thing)
    if module and not str(getattr(module, "__file__", "")).startswith(OUR_FOLDER):
        lines[lines.index("") if "" in lines else len(lines) :] = []
    literal = None  # the indentation of the line that announced a block of code
    for number, line in enumerate(lines):
        indentation = len(line) - len(line.lstrip())
        if literal is not None and line.strip() and indentation <= literal:
            literal = None
        if literal is None:
            parts = line.split("`")
            parts[::2] = [re.sub(r"\||(?<=\w)_(?!\w)", r"\\\g<0>", part) for part in parts[::2]]
            lines[number] = "`".join(parts)
            literal = indentation if line.rstrip().endswith("::") else None
