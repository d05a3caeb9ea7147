"""Marks in a page: a line `<!-- NAME -->` or `<!-- NAME: ARGUMENT -->` becomes a directive of that
name when the site is built. On GitHub the comment is not shown.
"""

import re

from docutils.parsers.rst import Directive
from sphinx.application import Sphinx


def add(app: Sphinx, name: str, directive: type[Directive]) -> None:
    """Have a directive stand where pages have its mark."""
    begin = "```{" + name + "} "
    mark = re.compile(rf"^<!-- {name}(?:: (\w+))? -->$", re.M)

    def read(app: Sphinx, page: str, source: list[str]) -> None:
        source[0] = mark.sub(lambda found: begin + (found[1] or "") + "\n```", source[0])

    app.add_directive(name, directive)
    app.connect("source-read", read)
