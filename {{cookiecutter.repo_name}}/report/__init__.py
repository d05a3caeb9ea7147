"""Pictures of a separation."""

from .figures import draw_separation
from .plots import against_input, boxes, learning_curves

__all__ = ["against_input", "boxes", "draw_separation", "learning_curves"]
