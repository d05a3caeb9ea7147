"""Scores, what stands beside them, and what they allow to say."""

from .bss_eval import BSSEval
from .metrics import best_permutation, si_sdr, usdr
from .oracles import ORACLES
from .order import HEALTHY, by_chance, orders, swapped
from .results import Results
from .scale_invariant import scale_invariant
from .scoring import METRICS, TooFewEstimates, columns, score_item
from .static_mask import StaticMask
from .statistics import evenly, summarize
from .table import aligned, format_table, format_tables, scores_in, tabulate

__all__ = [
    "HEALTHY",
    "METRICS",
    "ORACLES",
    "BSSEval",
    "Results",
    "StaticMask",
    "TooFewEstimates",
    "aligned",
    "best_permutation",
    "by_chance",
    "columns",
    "evenly",
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
    "usdr",
]
