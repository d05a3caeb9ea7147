"""The model, the losses and the trainer of a config."""

import functools
import inspect
from pathlib import Path

import torch

import checkpoints
import devices
from compat import nussl
from errors import UserError
from features import FrontEnd
from model import BUILDERS, external_network
from training import LOGGERS, LOSSES, TRAINERS, Setup, Term, initial
from training.resuming import settings_of

from .data import build_datasets, build_stft_params
from .separation import demonstrate
from .validation import ValidationScore

MODEL_GIVEN = ("num_features", "num_audio_channels", "sample_rate")  # to a builder, from `signal`


def build_graph(config):
    """The model as plain data, as nussl's SeparationModel takes it: of a module of another package,
    spelt out in the file, or of a builder."""
    section = config.model
    if section.module is not None:
        return external_network(
            section.module, section.args, section.input, section.output, section.target
        )
    if section.builder is None:
        return section.graph
    builder, signal = BUILDERS[section.builder], config.signal
    values = (signal.num_features, signal.num_channels, signal.sample_rate)
    takes = inspect.signature(builder).parameters
    given = {k: value for k, value in zip(MODEL_GIVEN, values, strict=True) if k in takes}
    return builder(**section.args, **given)


def build_front_end(config, names):
    """The front end that makes the features called `names`."""
    signal = config.signal
    return FrontEnd(
        signal.window_length,
        signal.hop_length,
        signal.window_type,
        target=config.train.target,
        names=names,
    )


def build_trainer(config):
    """The trainer of a config, ready to `fit`, with model, losses, data, front end and loggers. The
    weights are initialised from `info.seed` or `train.initial`.

    Raises:
        UserError: the device or the data are not there, or model, losses and data do not fit.
    """
    device = devices.choose(config.train.device)
    torch.manual_seed(config.info.seed)
    graph = build_graph(config)
    model = nussl.ml.SeparationModel(graph).to(device)
    losses = {}
    for name, component in config.train.loss.items():
        loss = LOSSES[component.class_name](**component.args).to(device)
        losses[name] = Term(loss, component.weight, component.keys or loss.DEFAULT_KEYS)
    needed = {*model.input}.union(*(term.keys for term in losses.values()))
    data = build_datasets(config, ("train", "val"), if_there=("test",))
    train_data, val_data = data["train"], data.get("val")
    demonstrable = config.algorithm is not None and val_data is not None
    metadata = _model_metadata(config, model, losses, train_data, val_data)
    started_from = ()
    if config.train.initial is not None and not is_begun(config):
        given = config.train.initial, metadata["labels"], metadata["ordered"]
        started_from = initial.load(model, *given)
    setup = Setup(
        settings=config.train,
        model=model,
        losses=losses,
        front_end=build_front_end(config, needed & {*FrontEnd.features}),
        train_data=train_data,
        val_data=val_data,
        output_folder=config.info.output_folder,
        seed=config.info.seed,
        metadata=metadata,
        identity=settings_of(config),
        augment=config.datasets.train.augment,
        loggers=build_loggers(config),
        demonstrate=functools.partial(demonstrate, config) if demonstrable else None,
        started_from=started_from,
        score=ValidationScore(config, val_data) if config.train.best_by is not None else None,
    )
    trainer = TRAINERS[config.train.class_name](setup, **config.train.args)
    if not hasattr(trainer, "engine"):
        raise UserError(
            f"train.class: {type(trainer).__name__}.__init__ has to call super().__init__(setup)"
        )
    trainer.prepare()
    return trainer


def is_begun(config):
    """Does the output folder hold a training run, which would be resumed?"""
    return (Path(config.info.output_folder) / checkpoints.LATEST).exists()


def build_loggers(config):
    given = (Path(config.info.output_folder), config.info.name, config.to_dict())
    return [LOGGERS[c.class_name](*given, **c.args) for c in config.train.loggers]


def describe_signal(config):
    """The audio format stored in a checkpoint."""
    return {
        "stft_params": build_stft_params(config),
        "sample_rate": config.signal.sample_rate,
        "num_channels": config.signal.num_channels,
    }


def gives_order(losses):
    """Does a model that is trained with these losses (modules) give the sources in the order of
    their labels? It does if a loss compares them in this order, and none is permutation-invariant.
    """
    invariant = [getattr(loss, "permutation_invariant", None) for loss in losses]
    return False in invariant and True not in invariant


def _model_metadata(config, model, losses, train_data, val_data):
    """The metadata of a checkpoint: what nussl's separation classes read, and for ours `labels` of
    the sources, `ordered` (`gives_order`) and the whole `experiment`."""
    transforms = nussl.datasets.transforms
    if "mix_audio" in model.input:
        features = [transforms.GetAudio()]
    elif config.train.target == "magnitude":
        features = [transforms.MagnitudeSpectrumApproximation(), transforms.MagnitudeWeights()]
    else:
        features = [transforms.PhaseSensitiveSpectrumApproximation(), transforms.MagnitudeWeights()]
    pipeline = transforms.Compose([*features, transforms.ToSeparationModel()])
    signal = describe_signal(config)

    def dataset(data):
        return {
            **signal,
            "name": type(data).__name__,
            "folder": data.folder,
            "transforms": pipeline,
        }

    metadata = {
        **signal,
        "train_dataset": dataset(train_data),
        "labels": train_data.labels,
        "ordered": gives_order(term.loss for term in losses.values()),
        "experiment": config.to_dict(),
    }
    if val_data is not None:
        metadata["val_dataset"] = dataset(val_data)
    return metadata
