"""Run scripts in their order: python -m scripts.pipeline -p pipelines/sample.yml"""

import logging

import pool
from scripts.common import names, needs_of, run

log = logging.getLogger("pipeline")
NEEDS = ("pipeline",)


def main(config):
    from orchestration import pipeline

    made = pipeline.Pipeline(config, pipeline.read_steps(config, names(), needs_of))
    reasons = made.plan()
    for line in pipeline.plan_lines(reasons):
        log.info("%s", line)
    due = [made.steps[name].config for name, reason in reasons.items() if reason]
    if due and not config.pipeline.plan:
        with pool.process_pool(1) as executor:  # torch, which it imports, goes away with it
            executor.submit(check, due).result()
        made.run()


def check(configs):
    """Check the classes and arguments in the files of all steps before the first one runs."""
    import experiment

    for config in configs:
        experiment.check(config)


if __name__ == "__main__":
    run(main, __doc__, needs=NEEDS)
