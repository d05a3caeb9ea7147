"""Pictures of a separation."""

from .figures import draw_separation

__all__ = ["draw_separation"]
