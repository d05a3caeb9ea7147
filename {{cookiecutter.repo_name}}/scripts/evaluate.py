"""Score an algorithm on a dataset: python -m scripts.evaluate -p experiments/deep_clustering.yml"""

import json
import logging
from pathlib import Path

from scripts.common import run

log = logging.getLogger("evaluate")


def main(config):
    import numpy as np
    from tqdm import tqdm

    import experiment
    from config import write_resolved
    from evaluation import ORACLES, format_table, score_item, tabulate
    from files import UserError, csv_text, write_files

    experiment.check(config)
    settings = config.evaluate
    separator = experiment.build_separator(config, settings.device)
    methods = {config.algorithm.class_name: lambda mix: separator(mix)()}
    for name in settings.baselines:
        methods[name] = lambda mix, algorithm=experiment.BASELINES[name]: algorithm(mix)()
    data = experiment.build_dataset(config, settings.split)
    chosen = experiment.evenly(len(data), settings.num_items)
    count = len(chosen)
    data.ensure(chosen)
    named = {}
    if config.datasets.train is not None:
        named["static mask"] = experiment.build_static_mask(config)

    rows, failed = [], {}
    for index in tqdm(chosen, desc=f"scoring {settings.split}", unit="item", disable=None):
        name = data.tracks[index].name
        try:
            rows += experiment.named(name, lambda i=index: score_item(data[i], methods, named))
        except UserError as error:  # counted and named in every result
            failed[name] = str(error)
    if not rows:
        raise UserError(
            f"none of {count} items could be scored; the first: {next(iter(failed.values()))}"
        )
    table = tabulate(rows, ["mixture", *methods, *named, *ORACLES])
    silent = sorted({row["item"] for row in rows if np.isnan(row["si_sdr"])})
    folder = Path(config.info.output_folder) / "evaluation" / settings.split
    result = {
        "experiment": config.info.name,
        "split": settings.split,
        "items": count,
        "items_in_split": len(data),
        "failed": failed,
        "with_a_silent_source": silent,
        "manifest_hash": data.manifest_hash,
        "versions": experiment.versions(),
        "table": table,
    }
    write_files(
        {
            folder / "scores.csv": csv_text(rows),
            folder / "summary.json": json.dumps(result, indent=1, allow_nan=False) + "\n",
            folder / "table.md": format_table(table, markdown=True) + "\n",
        }
    )
    write_resolved(config, folder / "config.yml")
    log.info("%s\n", format_table(table))
    log.info(
        "%d of %d items of %s scored, %d failed%s, %d with a silent source, for which there is "
        "no score",
        count - len(failed),
        len(data),
        settings.split,
        len(failed),
        f" ({', '.join(list(failed)[:5])})" if failed else "",
        len(silent),
    )
    log.info("%s", folder)
    if failed:
        raise UserError(
            f"{len(failed)} of {count} items failed; the first: {next(iter(failed.items()))}"
        )


if __name__ == "__main__":
    run(main, __doc__, needs=("algorithm", "evaluate", "datasets"))
