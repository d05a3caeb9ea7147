"""The pages: what they link to is there."""

import re
from urllib.parse import unquote

import pytest
from conftest import FOLDER, REPOSITORY, files_of

LINK = re.compile(r"\]\(([^)\s]+)\)")
PAGES = [file for file in files_of(REPOSITORY) if file.endswith(".md")]


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_somewhere(name):
    page, wrong = REPOSITORY / name, []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / unquote(path) if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


def test_every_page_that_a_project_names_comes_with_it(project):
    named = set()
    for file in files_of(REPOSITORY / FOLDER):
        if file.endswith((".py", ".yml", ".md", "Makefile")):
            text = (project / file).read_text(encoding="utf-8")
            named |= set(re.findall(r"\bdocs/[\w-]+\.md", text))
    assert "docs/data.md" in named
    assert [name for name in sorted(named) if not (project / name).exists()] == []
