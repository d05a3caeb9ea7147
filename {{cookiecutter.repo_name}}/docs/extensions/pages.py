"""The pages of the site: the lists of index.md are its navigation, the model cards belong to them.

index.md stays what GitHub shows: headings, and lists of links with a word about each page.
"""

import re
from pathlib import Path

from reference import PAGES
from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
GENERATED = ("scripts", *(page.name for page in PAGES), "python")  # of reference.py
# {page of the site: file of the project, not in docs/}
CARDS = {"model-card": "best_model/README.md", "speech-model-card": "speech_model/README.md"}
ENTRY = re.compile(r"^- \[([^\]]+)\]\(([\w/-]+)\.md\)", re.M)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", read)
    return {"parallel_read_safe": True}


def read(app: Sphinx, name: str, source: list[str]) -> None:
    """Change a page's text before it is parsed."""
    if name == app.config.root_doc:
        source[0] = with_navigation(source[0])
    if name in CARDS:
        text = (DOCS.parent / CARDS[name]).read_text(encoding="utf-8")
        source[0] = text.replace("](../docs/", "](")
    up = "../" * name.count("/")
    for page, card in CARDS.items():
        source[0] = source[0].replace(f"]({up}../{card}", f"]({up}{page}.md")


def with_navigation(text: str) -> str:
    """The text, with a hidden toctree after each of its lists of pages; that of the reference is
    followed by the pages that reference.py writes."""
    parts = re.split(r"^(?=## )", text, flags=re.M)
    return "\n".join(part + _navigation(part) for part in parts)


def _navigation(part: str) -> str:
    caption = part.splitlines()[0].removeprefix("## ")
    pages = [f"{title} <{page}>" for title, page in ENTRY.findall(part)]
    trees = [_toctree([":hidden:", f":caption: {caption}"], pages)] if pages else []
    if caption == "Reference":
        trees.append(_toctree([":maxdepth: 1"], [f"reference/{name}" for name in GENERATED]))
    return "\n".join(trees)


def _toctree(options: list[str], pages: list[str]) -> str:
    return "\n".join(["", "```{toctree}", *options, "", *pages, "```", ""])
