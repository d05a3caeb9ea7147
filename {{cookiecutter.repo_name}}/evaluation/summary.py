"""What an evaluation found: summary.json, and the sentences that belong to every table."""

from math import isnan

from errors import amount

from .order import orders, swapped
from .table import tabulate


def summarize_run(scorer, rows, failed, about):
    """The content of summary.json.

    Args:
        scorer: the Scorer of the run.
        rows: of all items, as `score_item` returns them.
        failed: {name of an item: why it failed}.
        about: {key: plain data} of the experiment and its model, which come first.
    """
    return {
        **about,
        "items": len(scorer.chosen),
        "items_in_split": len(scorer.data),
        "songs": len({row["song"] for row in rows}),
        "failed": failed,
        "with_a_silent_source": _items(rows, lambda row: isnan(row["si_sdr"])),
        "without_improvement": _items(
            rows, lambda row: isnan(row["si_sdr_improvement"]) and not isnan(row["si_sdr"])
        ),
        "sources": scorer.data.labels,
        "label_order": {"found": orders(rows), "complaints": swapped(rows, scorer.in_order)},
        "table": tabulate(rows, scorer.names),
    }


def sentences(summary):
    """What a reader of the table has to know."""
    failed, silent = summary["failed"], summary["with_a_silent_source"]
    names = f" ({', '.join(list(failed)[:5])})" if failed else ""
    lines = [
        f"{summary['items'] - len(failed)} of {amount(summary['items_in_split'], 'item')} of "
        f"{summary['split']} scored, {len(failed)} failed{names}, {len(silent)} with a silent "
        "source, for which there is no score."
    ]
    if summary["without_improvement"]:
        lines.append(
            f"{amount(len(summary['without_improvement']), 'item')} with a source that equals the "
            "mixture (all others are silent or nearly so): its improvement is left out of the "
            "means."
        )
    if summary["songs"] == 1:
        lines.append("No interval: all items are of one song.")
    return lines


def _items(rows, condition):
    return sorted({row["item"] for row in rows if condition(row)})
