"""Download and convert a dataset: python -m scripts.prepare -p data_prep/musdb18/hq.yml"""

import logging

import memory
from scripts.common import run

logging.getLogger("prepare").setLevel(logging.INFO)
NEEDS = ("prepare",)


def main(config):
    with memory.gc_paused():
        import experiment
        from preparation import STEPS, prepare

    experiment.check(config, training=False)
    steps = [STEPS[step.class_name](**step.args) for step in config.prepare.steps]
    prepare(config.prepare, steps)


if __name__ == "__main__":
    run(main, __doc__, needs=NEEDS)
