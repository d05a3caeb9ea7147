"""Score an algorithm on a dataset: python -m scripts.evaluate -p experiments/deep_clustering.yml"""

import json
import logging
from math import isnan
from pathlib import Path

from scripts.common import run

log = logging.getLogger("evaluate")


def main(config):
    import distributed

    distributed.run(lambda: evaluate(config))


def evaluate(config):
    """Score in this process, alone or with others that run the same."""
    from tqdm import tqdm

    import distributed
    import experiment
    import labels
    from errors import UserError
    from evaluation import Results
    from scripts.scoring import Scoring, identity, score_all

    experiment.check(config)
    scoring = distributed.local_main_process_first(lambda: ready(Scoring(config)))
    settings = config.evaluate
    folder = Path(config.info.output_folder) / "evaluation" / settings.split
    if distributed.is_main_process():
        log.info("%s", labels.announcement(scoring.data))
    about = identity(config, scoring.data)
    results = Results(folder, about)

    def progress(items, count):
        bar = f"scoring {settings.split}"
        return tqdm(items, desc=bar, total=count, unit="item", disable=None)

    found = score_all(config, scoring, results, progress)
    failed = {item["name"]: item["failed"] for item in found.values() if "failed" in item}
    rows = [row for item in found.values() for row in item.get("rows", ())]
    if distributed.is_main_process():
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
            f"{len(failed)} of {len(found)} items failed; the first: {next(iter(failed.values()))}"
        )


def ready(scoring):
    scoring.data.ensure(scoring.chosen)
    return scoring


def report(config, scoring, results, about, rows, failed):
    """Write the tables and say what they say."""
    import experiment
    from config import write_resolved
    from evaluation import format_tables, orders, scores_in, swapped, tabulate
    from files import csv_text

    settings, count = config.evaluate, len(scoring.chosen)
    table, scores = tabulate(rows, scoring.names), scores_in(rows)
    silent = sorted({row["item"] for row in rows if isnan(row["si_sdr"])})
    without_gain = sorted(
        {
            row["item"]
            for row in rows
            if isnan(row["si_sdr_improvement"]) and not isnan(row["si_sdr"])
        }
    )
    songs = len({row["song"] for row in rows})
    complaints = swapped(rows, scoring.in_order)
    result = {
        "experiment": config.info.name,
        "split": settings.split,
        "items": count,
        "items_in_split": len(scoring.data),
        "songs": songs,
        "failed": failed,
        "with_a_silent_source": silent,
        "without_improvement": without_gain,
        "sources": scoring.data.labels,
        "label_order": {"found": orders(rows), "complaints": complaints},
        "model_path": experiment.model_path(config),
        "checkpoint": about["checkpoint"],
        "manifest": about["manifest"],
        "versions": about["versions"],
        "table": table,
    }
    said = sentences(result)
    warnings = [f"WARNING: {complaint}" for complaint in complaints]
    text = format_tables(table, scores, markdown=True)
    page = {}
    if settings.page_items:
        from scripts.pages import page_of_many

        page["index.html"] = page_of_many(config, scoring, result, rows, said)
    if result["checkpoint"] is not None:
        said.append(f"Checkpoint {result['model_path']}, SHA-256 {result['checkpoint'][:12]}.")
    results.finish(
        page
        | {
            "scores.csv": csv_text(rows),
            "summary.json": json.dumps(result, indent=1, allow_nan=False) + "\n",
            "table.md": "\n\n".join([text, " ".join(said), *warnings]) + "\n",
        }
    )
    write_resolved(config, results.folder / "config.yml")
    log.info("%s\n", format_tables(table, scores))
    for sentence in (*said, *warnings, results.folder):
        log.info("%s", sentence)


def sentences(result):
    """What has to be known of the table, of what summary.json holds."""
    failed, silent = result["failed"], result["with_a_silent_source"]
    names = f" ({', '.join(list(failed)[:5])})" if failed else ""
    said = [
        f"{result['items'] - len(failed)} of {result['items_in_split']} items of "
        f"{result['split']} scored, {len(failed)} failed{names}, {len(silent)} with a silent "
        "source, for which there is no score."
    ]
    if result["without_improvement"]:
        said.append(
            f"{len(result['without_improvement'])} items have a source that the mixture is already "
            "(all others are silent or nearly so); its improvement is left out of the means."
        )
    if result["songs"] == 1:
        said.append("No interval: all items are of one song.")
    return said


if __name__ == "__main__":
    run(main, __doc__, needs=("algorithm", "evaluate", "datasets"))
