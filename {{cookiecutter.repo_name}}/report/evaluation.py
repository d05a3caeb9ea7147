"""The files of an evaluation: scores, table, summary and the listening page."""

import json

from evaluation import format_tables, scores_in, sentences
from files import csv_text

from .pages import page_of_many


def evaluation_files(config, scorer, summary, rows):
    """What scripts.evaluate writes and prints.

    Args:
        summary: the content of summary.json (`evaluation.summarize_run`).
        rows: of all items, as `score_item` returns them.

    Returns:
        ({file name: content}, [line for the terminal]).
    """
    scores, warnings = scores_in(rows), summary["label_order"]["complaints"]
    notes = sentences(summary)
    files = {}
    if config.evaluate.page_items:
        files["index.html"] = page_of_many(config, scorer, summary, rows, notes)
    if summary["checkpoint"] is not None:
        notes.append(f"Checkpoint {summary['model_path']}, SHA-256 {summary['checkpoint'][:12]}.")
    warnings = [f"WARNING: {warning}" for warning in warnings]
    markdown = format_tables(summary["table"], scores, markdown=True)
    files |= {
        "scores.csv": csv_text(rows),
        "summary.json": json.dumps(summary, indent=1, allow_nan=False) + "\n",
        "table.md": "\n\n".join([markdown, " ".join(notes), *warnings]) + "\n",
    }
    return files, [format_tables(summary["table"], scores) + "\n", *notes, *warnings]
