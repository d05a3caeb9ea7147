"""Run scripts in order of dependency: python -m scripts.pipeline -p pipelines/sample.yml"""

import logging

from scripts.common import check_all, names, needs_of, run

log = logging.getLogger("pipeline")
NEEDS = ("pipeline",)


def main(config):
    from orchestration import pipeline

    steps = pipeline.read_steps(config, names(), needs_of)
    planned = pipeline.Pipeline(config, steps)
    reasons = planned.plan()
    for line in pipeline.plan_lines(reasons):
        log.info("%s", line)
    due = [steps[name].config for name, reason in reasons.items() if reason]
    if due and not config.pipeline.plan:
        check_all(due)  # before the first one runs
        planned.run()


if __name__ == "__main__":
    run(main, __doc__, needs=NEEDS)
