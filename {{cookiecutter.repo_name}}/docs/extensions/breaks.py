"""Names of code in tables may break after "_", "/" and ".", and before a capital, nowhere else.
A file keeps its extension."""

import re

from sphinx.application import Sphinx

CELL = re.compile(r"<t[dh]\b.*?</t[dh]>", re.S)
WORD = re.compile(r'(<span class="pre">)([^<]*)')
ENDINGS = r"(?:csv|html|json|md|onnx|png|pth|py|wav|yml)\b"
PLACE = re.compile(rf"(?<=\w[_/.])(?!{ENDINGS})(?=\w)|(?<=[a-z])(?=[A-Z])")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", mark)
    return {"parallel_read_safe": True}


def mark(app: Sphinx, page: str, template: str, context: dict, tree: object) -> None:
    """Put a <wbr>, which is not copied with the text, at each of these places."""
    if "body" in context:
        context["body"] = CELL.sub(lambda cell: WORD.sub(_broken, cell[0]), context["body"])


def _broken(word: re.Match) -> str:
    return word[1] + PLACE.sub("<wbr>", word[2])
