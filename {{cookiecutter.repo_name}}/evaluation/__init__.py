"""Scores, baselines and oracles to compare them with, and their statistics."""

from .bss_eval import BSSEval, sdr_v3
from .metrics import best_permutation, si_sdr, usdr
from .oracles import ORACLES
from .order import HEALTHY, by_chance, orders, swapped
from .results import Results
from .run import Scorer, check_scored, score_all
from .scale_invariant import scale_invariant
from .scoring import ABOUT, METRICS, TooFewEstimates, columns, score_item, score_names
from .static_mask import StaticMask
from .statistics import evenly, summarize
from .summary import sentences, summarize_run
from .table import aligned, format_table, format_tables, scores_in, tabulate

__all__ = [
    "ABOUT",
    "HEALTHY",
    "METRICS",
    "ORACLES",
    "BSSEval",
    "Results",
    "Scorer",
    "StaticMask",
    "TooFewEstimates",
    "aligned",
    "best_permutation",
    "by_chance",
    "check_scored",
    "columns",
    "evenly",
    "format_table",
    "format_tables",
    "orders",
    "scale_invariant",
    "score_all",
    "score_item",
    "score_names",
    "sdr_v3",
    "scores_in",
    "si_sdr",
    "sentences",
    "summarize",
    "summarize_run",
    "swapped",
    "tabulate",
    "usdr",
]
