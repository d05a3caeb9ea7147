"""What run.json records of a training run or an evaluation: its inputs and its results."""

import contextlib
from pathlib import Path

import torch

import checkpoints
import devices
import distributed
import provenance
from config import write_resolved
from errors import UserError
from training.resuming import tracks_of


def check_folder(config):
    """Check that training overwrites no file of the user's. A folder of a training run has a
    run.json, which is written first.

    Raises:
        UserError: it would; the message names the file.
    """
    folder = Path(config.info.output_folder)
    if provenance.sessions(folder) or (folder / checkpoints.LATEST).exists():
        return
    for name in ("config.yml", "history.csv"):
        path = folder / name
        if path.exists() and path.resolve() not in config.files:
            raise UserError(
                f"{path}: exists, was written by no training run, and would be overwritten; move "
                "it away, or choose another info.output_folder"
            )


@contextlib.contextmanager
def recorded_training(config, trainer):
    """A context that writes the log, the session and the resolved config of a training run to its
    output folder. Yields the session, a dict to add results to; an empty one in other ranks."""
    if not distributed.is_main_process():
        yield {}
        return
    with (
        provenance.recorded(trainer.folder, "train", **facts(config, trainer)) as session,
        provenance.log_file(trainer.folder / "train.log", "train", "dataset", "experiment"),
    ):
        write_resolved(config, trainer.folder)
        yield session


@contextlib.contextmanager
def recorded_evaluation(config, scorer, about):
    """A context that writes the session of an evaluation to the output folder of the experiment.
    Yields the session, as `recorded_training` does.

    about: `experiment.identity` of the evaluation.
    """
    if not distributed.is_main_process():
        yield {}
        return
    settings = config.evaluate
    given = {
        "split": settings.split,
        "seed": config.info.seed,
        "device": devices.describe(devices.choose(settings.device)),
        "threads": torch.get_num_threads(),
        "processes": distributed.world_size(),
        "data": {settings.split: describe_data(scorer.data)},
        "checkpoint": about["checkpoint"],
    }
    with provenance.recorded(config.info.output_folder, "evaluate", **given) as session:
        yield session


def facts(config, trainer):
    """What may differ between two training runs of the same config: plain data."""
    data = {"train": trainer.train_data, "val": trainer.val_data}
    initial = config.train.initial
    return {
        "seed": trainer.seed,
        "device": devices.describe(trainer.device),
        "precision": trainer.precision,
        "threads": torch.get_num_threads(),
        "processes": trainer.shard[1],
        "data": {name: describe_data(one) for name, one in data.items() if one is not None},
        "initial": digest_of(initial.checkpoint) if initial else None,
    }


def digest_of(path):
    """SHA-256 of a file; None if it is gone, as it may be when a training run is resumed."""
    return checkpoints.digest(path) if Path(path).exists() else None


def describe_data(data):
    """A dataset: its tracks, and the hash of its manifest if `scripts.prepare` made it."""
    return {**tracks_of(data), "manifest": data.manifest_hash}


def result_of(trainer):
    """The results of a training run: plain data."""
    history = trainer.history
    return {
        "epochs": len(history.rows),
        "steps": trainer.engine.state.iteration,
        "best_epoch": next(iter(history.best_epochs(1)), None),
        "best_by": history.key,
        "best": history.best_value,
        "best_model": checkpoints.digest(trainer.best) if trainer.best.exists() else None,
    }
