"""Train an experiment with different values: python -m scripts.sweep -p sweeps/learning_rate.yml"""

import logging

from errors import UserError, amount
from scripts.common import check_all, needs_of, run

log = logging.getLogger("sweep")
NEEDS = ("sweep",)


def main(config):
    from orchestration.sweep import Sweep
    from orchestration.worker import run_workers

    sweep = Sweep(config, needs_of)
    examples = sweep.examples()
    sweep.check_names()

    from orchestration import results
    from orchestration.study import Study

    if not (sweep.folder / "study.db").exists():
        check_all(examples, config)  # before the first training run
    about = (sweep.points(), sweep.definition(), sweep.direction)
    study = Study(sweep.folder, config.sweep, config.info.seed, *about)
    count, parallel = len(about[0]), config.sweep.workers
    log.info("%s, %d at a time; goal: %s", amount(count, "trial"), parallel, config.sweep.goal)
    run_workers(sweep, study)
    with study.lock():
        for line in results.write(sweep, study):
            log.info("%s", line)
    if not any(trial.state.name == "COMPLETE" for trial in study.trials()):
        raise UserError(f"{sweep.folder}: no trial was trained to its end; see trials.csv")


if __name__ == "__main__":
    run(main, __doc__, needs=NEEDS)
