"""The record in run.json: inputs and results of a training run or an evaluation."""

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
    """Refuse to train where a file would be overwritten that no training run has written: a run
    writes run.json before all else.

    Raises:
        UserError: with the file.
    """
    folder = Path(config.info.output_folder)
    if provenance.sessions(folder) or (folder / checkpoints.LATEST).exists():
        return
    for name in ("config.yml", "history.csv"):
        path = folder / name
        if path.exists() and path.resolve() not in config.files:
            raise UserError(
                f"{path}: is there, no training run has written it, and it would be overwritten; "
                "move it away, or choose another info.output_folder"
            )


@contextlib.contextmanager
def recorded_training(config, trainer):
    """Keep the log, the session and the resolved config of a training run, in its output folder;
    yields the session, in all but the main process an empty one."""
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
    """The same for an evaluation, in the output folder of the experiment.

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
    """What tells two training runs of the same config apart: plain data."""
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
    """What a training run has reached: plain data."""
    history = trainer.history
    return {
        "epochs": len(history.rows),
        "steps": trainer.engine.state.iteration,
        "best_epoch": next(iter(history.best_epochs(1)), None),
        "best_by": history.key,
        "best": history.best_value,
        "best_model": checkpoints.digest(trainer.best) if trainer.best.exists() else None,
    }
