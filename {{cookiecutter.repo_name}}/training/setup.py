"""What a Trainer is built from."""

from typing import Any, NamedTuple

import torch


class Term(NamedTuple):
    """A term of the loss.

    Args:
        loss: a module that returns the mean over a batch, a scalar tensor.
        weight: of the term in the sum.
        keys: {output of the model, or feature: argument of the loss}.
    """

    loss: torch.nn.Module
    weight: float
    keys: dict


class Setup(NamedTuple):
    """The arguments of a Trainer, which `experiment.build_trainer` makes from a config.

    Args:
        settings: the section `train` of the config.
        model: a nussl SeparationModel, on the device to train on.
        losses: {name: Term}.
        front_end: turns a batch of waveforms into features (`features.FrontEnd`).
        train_data, val_data: datasets of ours; without val_data the training loss decides.
        output_folder: where to write.
        seed: of the order of the data, the excerpts and dropout.
        metadata: what goes into the model's file beside its weights.
        identity: {dotted key: plain value} of the settings that are compared when the run is
            resumed (`resuming.settings_of`).
        augment: `datasets.train.augment` of the config, or None.
        loggers: of `training.loggers`.
        started_from: lines that say which weights the model was given (`initial.load`).
        score: `train.best_by`: function(trainer) -> {its attribute `name`: number}, the same in
            each process; or None.
        demonstrate: function(trainer) -> `loggers.Demonstration`, or None.
    """

    settings: Any
    model: Any
    losses: dict
    front_end: Any
    train_data: Any
    val_data: Any
    output_folder: Any
    seed: int
    metadata: dict
    identity: dict
    augment: Any = None
    loggers: tuple = ()
    started_from: tuple = ()
    score: Any = None
    demonstrate: Any = None
