"""Train an experiment with other values: python -m scripts.sweep -p sweeps/learning_rate.yml"""

import logging

import pool
from scripts.common import needs_of, run

log = logging.getLogger("sweep")
NEEDS = ("sweep",)


def main(config):
    from orchestration.sweep import Sweep, run_workers

    sweep = Sweep(config, needs_of)
    examples = sweep.examples()
    sweep.check_names()

    from orchestration import results
    from orchestration.study import Study

    if not (sweep.folder / "study.db").exists():
        with pool.process_pool(1) as executor:  # torch, which it imports, goes away with it
            executor.submit(check, examples).result()
    about = (sweep.points(), sweep.definition(), sweep.direction)
    study = Study(sweep.folder, config.sweep, config.info.seed, *about)
    run_workers(sweep, study)
    with study.lock():
        for line in results.write(sweep, study):
            log.info("%s", line)


def check(configs):
    """Check the classes and arguments of all values before the first training."""
    import experiment

    for config in configs:
        experiment.check(config)


if __name__ == "__main__":
    run(main, __doc__, needs=NEEDS)
