"""Score an algorithm on a dataset: python -m scripts.evaluate -p experiments/deep_clustering.yml"""

import json
import logging
from pathlib import Path

from scripts.common import run

log = logging.getLogger("evaluate")


def main(config):
    import processes

    processes.run(lambda: evaluate(config))


def evaluate(config):
    """Score in this process, alone or with others that run the same."""
    from tqdm import tqdm

    import experiment
    import processes
    from evaluation import Results
    from files import UserError
    from scripts.scoring import Scoring, identity, score_all

    experiment.check(config)
    scoring = processes.one_after_the_first(lambda: ready(Scoring(config)))
    settings = config.evaluate
    folder = Path(config.info.output_folder) / "evaluation" / settings.split
    about = identity(config, scoring.data)
    results = Results(folder, about)

    def progress(items, count):
        bar = f"scoring {settings.split}"
        return tqdm(items, desc=bar, total=count, unit="item", disable=None)

    found = score_all(config, scoring, results, progress)
    failed = {item["name"]: item["failed"] for item in found.values() if "failed" in item}
    rows = [row for item in found.values() for row in item.get("rows", ())]
    if processes.is_first():
        if rows:
            report(config, scoring, results, about, rows, failed)
        else:
            results.finish({})
    if not rows:
        raise UserError(
            f"none of {len(found)} items could be scored; the first: {next(iter(failed.values()))}"
        )
    if failed:
        raise UserError(
            f"{len(failed)} of {len(found)} items failed; the first: {next(iter(failed.items()))}"
        )


def ready(scoring):
    scoring.data.ensure(scoring.chosen)
    return scoring


def report(config, scoring, results, about, rows, failed):
    """Write the tables and say what they say."""
    from config import write_resolved
    from evaluation import format_tables, orders, scores_in, swapped, tabulate
    from files import csv_text

    settings, count = config.evaluate, len(scoring.chosen)
    table, scores = tabulate(rows, scoring.names), scores_in(rows)
    silent = sorted({row["item"] for row in rows if row["si_sdr"] != row["si_sdr"]})
    found = orders(rows)
    complaints = swapped(found, scoring.ordered)
    result = {
        "experiment": config.info.name,
        "split": settings.split,
        "items": count,
        "items_in_split": len(scoring.data),
        "failed": failed,
        "with_a_silent_source": silent,
        "label_order": {"found": found, "complaints": complaints},
        "checkpoint": about["checkpoint"],
        "manifest": about["manifest"],
        "versions": about["versions"],
        "table": table,
    }
    names = f" ({', '.join(list(failed)[:5])})" if failed else ""
    said = (
        f"{count - len(failed)} of {len(scoring.data)} items of {settings.split} scored, "
        f"{len(failed)} failed{names}, "
        f"{len(silent)} with a silent source, for which there is no score"
    )
    warnings = [f"WARNING: {complaint}" for complaint in complaints]
    text = format_tables(table, scores, markdown=True)
    page = {}
    if settings.page_items:
        from scripts.pages import page_of_many

        page["index.html"] = page_of_many(config, scoring, result, rows)
    results.finish(
        page
        | {
            "scores.csv": csv_text(rows),
            "summary.json": json.dumps(result, indent=1, allow_nan=False) + "\n",
            "table.md": "\n\n".join([text, said, *warnings]) + "\n",
        }
    )
    write_resolved(config, results.folder / "config.yml")
    log.info("%s\n", format_tables(table, scores))
    log.info("%s", said)
    for warning in warnings:
        log.info("%s", warning)
    log.info("%s", results.folder)


if __name__ == "__main__":
    run(main, __doc__, needs=("algorithm", "evaluate", "datasets"))
