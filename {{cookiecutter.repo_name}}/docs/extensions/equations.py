"""Equations as pictures in the page, drawn by matplotlib: no script and no font from elsewhere.

On GitHub the same `$...$` and `$$...$$` are equations too. matplotlib's mathtext knows most of the
mathematics of TeX, without environments.
"""

import html
import io
import re

import matplotlib
from docutils import nodes
from matplotlib import mathtext
from matplotlib.font_manager import FontProperties
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

matplotlib.use("agg")
SIZE = 12  # in points, as the text beside it


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("drawn", (visit_inline, None), (visit_block, None))
    app.config.html_math_renderer = "drawn"
    return {"parallel_read_safe": True}


def drawn(text: str) -> str:
    """An equation as an SVG element, in the color of the text around it."""
    text = " ".join(text.split())
    picture = io.BytesIO()
    try:
        with matplotlib.rc_context({"svg.hashsalt": text, "mathtext.fontset": "cm"}):
            depth = mathtext.math_to_image(
                f"${text}$", picture, prop=FontProperties(size=SIZE), format="svg"
            )
    except ValueError as error:
        raise ExtensionError(f"cannot draw the equation {text}: {error}") from error
    svg = picture.getvalue().decode()
    svg = svg[svg.index("<svg") :].rstrip()  # a line break would be a space before a comma
    svg = re.sub(
        r"<metadata>.*?</metadata>|<style.*?</style>|<g id=\"patch_1\">.*?</g>", "", svg, flags=re.S
    )
    name = html.escape(text, quote=True)
    style = f"vertical-align: {-depth:.2f}pt; max-width: 100%; fill: currentColor"
    return svg.replace("<svg", f'<svg role="img" aria-label="{name}" style="{style}"', 1)


def visit_inline(self, node: nodes.math) -> None:
    self.body.append(drawn(node.astext()))
    raise nodes.SkipNode


def visit_block(self, node: nodes.math_block) -> None:
    # several equations on a line go on on the next one where the page is narrow
    parts = [f"<span>{drawn(text)}</span>" for text in node.astext().split("\\qquad")]
    self.body.append(f'<p class="equations">{" ".join(parts)}</p>')
    raise nodes.SkipNode
