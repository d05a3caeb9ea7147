"""Scores, what stands beside them, and what may be said of them."""

from .metrics import best_permutation, si_sdr
from .oracles import ORACLES
from .scoring import score_item
from .static_mask import StaticMask
from .statistics import summarize
from .table import format_table, tabulate

__all__ = [
    "ORACLES",
    "StaticMask",
    "best_permutation",
    "format_table",
    "score_item",
    "si_sdr",
    "summarize",
    "tabulate",
]
