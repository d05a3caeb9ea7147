"""Pictures of a separation, and the page to listen to it."""

from .figures import draw_separation
from .listening import listening_page, page_item
from .plots import against_input, boxes, learning_curves

__all__ = [
    "against_input",
    "boxes",
    "draw_separation",
    "learning_curves",
    "listening_page",
    "page_item",
]
