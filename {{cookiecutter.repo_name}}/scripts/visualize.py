"""Separate one item and plot it: python -m scripts.visualize -p best_model/config.yml"""

import logging

import memory
from scripts.common import run

log = logging.getLogger("visualize")
NEEDS = ("algorithm", "visualize", "datasets")


def main(config):
    with memory.gc_paused():
        import experiment

    experiment.check(config, training=False)
    for path in experiment.visualize(config):
        log.info("%s", path)


if __name__ == "__main__":
    run(main, __doc__, needs=NEEDS)
