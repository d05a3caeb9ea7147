"""Train a model: python -m scripts.train -p experiments/deep_clustering.yml"""

from scripts.common import run


def main(config):
    import experiment
    from config import write_resolved

    experiment.check(config)
    trainer = experiment.build_trainer(config)
    trainer.restore()  # refuses a folder that holds something else before anything is written
    for data in (trainer.train_data, trainer.val_data):
        if data is not None:
            data.ensure(range(len(data)))
    write_resolved(config, trainer.folder)
    trainer.fit()


if __name__ == "__main__":
    run(main, __doc__, needs=("datasets.train", "model", "train"))
