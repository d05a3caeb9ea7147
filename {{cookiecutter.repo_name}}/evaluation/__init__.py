"""Scores, what stands beside them, and what may be said of them."""

from .bss_eval import BSSEval
from .metrics import best_permutation, si_sdr
from .oracles import ORACLES
from .results import Results
from .scale_invariant import scale_invariant
from .scoring import METRICS, score_item
from .static_mask import StaticMask
from .statistics import summarize
from .table import aligned, format_table, format_tables, orders, scores_in, swapped, tabulate

__all__ = [
    "METRICS",
    "ORACLES",
    "BSSEval",
    "Results",
    "StaticMask",
    "aligned",
    "best_permutation",
    "format_table",
    "format_tables",
    "orders",
    "scale_invariant",
    "score_item",
    "scores_in",
    "si_sdr",
    "summarize",
    "swapped",
    "tabulate",
]
