"""Score an algorithm on a dataset: python -m scripts.evaluate -p experiments/deep_clustering.yml"""

import functools
import logging
from pathlib import Path

import memory
from scripts.common import run

log = logging.getLogger("evaluate")
NEEDS = ("algorithm", "evaluate", "datasets")


def main(config):
    with memory.gc_paused():
        import distributed

    distributed.run(lambda: evaluate(config), config.evaluate.device)


def evaluate(config):
    """Score in this process, which may be one of several ranks."""
    with memory.gc_paused():
        import distributed
        import experiment
        from evaluation import Results, check_scored, score_all

    experiment.check(config, training=False)
    build, settings = functools.partial(experiment.build_scorer, config), config.evaluate
    scorer = distributed.local_main_process_first(lambda: build().with_data())
    about = experiment.identity(config, scorer.data)
    results = Results(Path(config.info.output_folder) / "evaluation" / settings.split, about)
    if distributed.is_main_process():
        log.info("%s", experiment.announcement(scorer.data))
    with results.alone(), experiment.recorded_evaluation(config, scorer, about):
        items = score_all(scorer, build, results, settings.num_workers, f"scoring {settings.split}")
        if distributed.is_main_process():
            for line in experiment.write_evaluation(config, scorer, results, items, about):
                log.info("%s", line)
        check_scored(items)


if __name__ == "__main__":
    run(main, __doc__, needs=NEEDS)
