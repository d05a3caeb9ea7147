"""Small training runs, for the tests that look at what they leave."""

import csv

import torch
import yaml

import config
import experiment

MODELS = {  # one step of each takes a few milliseconds
    "deep_clustering": (
        {"num_layers": 2, "hidden_size": 8, "dropout": 0.2},
        {"deep_clustering": {"class": "DeepClusteringLoss"}},
    ),
    "mask_inference": (
        {"num_layers": 2, "hidden_size": 8, "dropout": 0.2},
        {"mask_inference": {"class": "L1Loss"}},
    ),
    "chimera": (
        {"num_layers": 2, "hidden_size": 8, "dropout": 0.2},
        {
            "whitened_k_means": {"class": "WhitenedKMeansLoss", "weight": 0.9},
            "mask_inference": {"class": "MSELoss", "weight": 0.1},
        },
    ),
    "tasnet": (
        {"num_filters": 16, "num_layers": 2, "hidden_size": 8, "dropout": 0.2},
        {"si_sdr": {"class": "SISDRLoss"}},
    ),
    "conv_tasnet": (
        {"num_filters": 16, "num_channels": 8, "hidden_size": 8, "num_layers": 2, "num_repeats": 1},
        {"si_sdr": {"class": "SISDRLoss"}},
    ),
    "dual_path": (
        {"num_filters": 16, "num_channels": 8, "hidden_size": 8, "num_layers": 1, "dropout": 0.2},
        {"si_sdr": {"class": "SISDRLoss"}},
    ),
}


def plain_config(
    folder, sample_folder, name="small", builder="deep_clustering", args=None, **train
):
    """A training run of 2 steps an epoch, with changes, as plain data."""
    sizes, loss = MODELS[builder]
    return {
        "info": {"name": name, "seed": 3, "output_folder": str(folder / name)},
        "datasets": {
            split: {
                "class": "Sample",
                "args": {"folder": str(sample_folder), "split": split, "num_songs": 1},
            }
            for split in ("train", "val")
        },
        "model": {"builder": builder, "args": {**sizes, **(args or {})}},
        "train": {
            "class": "Trainer",
            "device": "cpu",
            "epochs": 3,
            "batch_size": 4,
            "segment": 0.232,
            "excerpts_per_epoch": 10,
            "validation_excerpts": 10,
            "gradient_clip": {"percentile": 50},
            "scheduler": {"class": "ReduceLROnPlateau", "args": {"patience": 0}},
            "loss": loss,
            **train,
        },
    }


def trainer_of(path):
    """The trainer of a config file, not yet started."""
    return experiment.build_trainer(config.load(path))


def fit(path):
    """Train what `path` says in this process: the trainer."""
    trainer = trainer_of(path)
    trainer.fit()
    return trainer


def weights(trainer):
    return torch.load(trainer.latest, weights_only=True)["model"]


def same(a, b):
    return all(torch.equal(a[key], b[key]) for key in {*a, *b})


def close(a, b, tolerance):
    return all(torch.allclose(a[key], b[key], rtol=0, atol=tolerance) for key in {*a, *b})


def write(path, plain):
    path.write_text(yaml.safe_dump(plain))
    return path


def rows(trainer):
    """The lines of a training run's history, {column: text} each."""
    with open(trainer.folder / "history.csv") as file:
        return list(csv.DictReader(file))
