"""Train a model: python -m scripts.train -p experiments/deep_clustering.yml"""

import logging

import memory
from scripts.common import run

NEEDS = ("datasets.train", "model", "train")


def main(config):
    with memory.gc_paused():
        import distributed

    distributed.run(lambda: train(config), config.train.device)


def train(config, steps=None):
    """Train in this process, which may be one of several ranks, for at most `steps` steps."""
    with memory.gc_paused():
        import distributed
        import experiment

    experiment.check(config)
    experiment.check_folder(config)
    if not distributed.is_main_process():  # the main process logs for all
        logging.getLogger("train").setLevel(logging.WARNING)
    trainer = experiment.build_trainer(config)
    trainer.restore()  # before anything is written: it raises an error if the run is another one
    for data in filter(None, (trainer.train_data, trainer.val_data)):
        distributed.local_main_process_first(lambda data=data: data.ensure(range(len(data))))
    with experiment.recorded_training(config, trainer) as session:
        logging.getLogger("train").info("%s", experiment.announcement(trainer.train_data))
        trainer.fit(steps)
        session["result"] = experiment.result_of(trainer)


if __name__ == "__main__":
    run(main, __doc__, needs=NEEDS)
