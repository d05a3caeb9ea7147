"""Compare evaluated runs: python -m scripts.analyze -p experiments/analyze.yml"""

import logging
from pathlib import Path

import runs
from errors import amount
from scripts.common import run

log = logging.getLogger("analyze")
NEEDS = ("analyze",)


def main(config):
    scored, unscored = runs.find_all(config)  # before the slow imports

    from evaluation import comparison

    settings, folder = config.analyze, Path(config.info.output_folder)
    everything = comparison.read_runs(scored, settings.split)
    for score in settings.scores:
        comparison.check_score(everything, score)

    from files import write_files
    from report.comparison import comparison_files

    shared, items = comparison.shared(everything)
    files = comparison_files(shared, settings.scores)
    write_files({folder / name: content for name, content in files.items()})
    log.info("\n%s, scored in every run", amount(items, "item"))
    for one in unscored:
        log.warning("%s: not compared, because it has no scores of %s", one, settings.split)
    for one in everything:
        if count := len({row["item"] for row in one.rows}) - items:
            left = amount(count, "item")
            log.info("left out: %s of %s that not every run has scored", left, one.name)
    log.info("%s", folder)


if __name__ == "__main__":
    run(main, __doc__, needs=NEEDS)
