"""The settings of the documentation that `make docs` builds with Sphinx."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "extensions")]

project = "Source separation experiments"
root_doc = "index"
exclude_patterns = ["extensions", "style"]
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "pages",
    "equations",
    "networks",
    "sounds",
    "reference",
    "breaks",
]
nitpick_ignore_regex = [("py:.*", ".*")]

# Markdown as GitHub reads it
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
highlight_language = "none"

# Docstrings: Google's sections; names of code between single backticks
default_role = "code"
napoleon_numpy_docstring = False
autodoc_typehints = "none"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80  # a longer one: a line for each argument

# Everything lies in the output folder, so that the site works from a disk, its search too.
html_theme = "furo"
html_title = project
html_copy_source = False
html_use_index = False
html_show_copyright = False
html_static_path = ["style"]
html_css_files = ["tables.css", "equations.css", "networks.css", "pictures.css", "sounds.css"]
