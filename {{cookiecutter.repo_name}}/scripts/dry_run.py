"""Estimate what a training run takes: python -m scripts.dry_run -p experiments/x.yml"""

import memory
from scripts.common import run

NEEDS = ("datasets.train", "model", "train")


def main(config):
    with memory.gc_paused():
        import experiment
        from training import profiling

    experiment.check(config)
    trainer = experiment.build_trainer(config)
    announcement = experiment.announcement(trainer.train_data)
    print("\n".join([trainer.describe(), announcement, profiling.summarize(trainer)]))


if __name__ == "__main__":
    run(main, __doc__, needs=NEEDS)
