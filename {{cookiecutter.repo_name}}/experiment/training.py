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

# what the program supplies to a builder
MODEL_GIVEN = ("num_features", "num_audio_channels", "sample_rate")


def build_graph(config):
    """The model as plain data, as nussl's SeparationModel takes it."""
    section = config.model
    if section.module is not None:
        axes = section.input, section.output, section.target
        return external_network(section.module, section.args, *axes)
    if section.builder is None:
        return section.graph
    builder = BUILDERS[section.builder]
    signal = config.signal
    values = (signal.num_features, signal.num_channels, signal.sample_rate)
    given = dict(zip(MODEL_GIVEN, values, strict=True))
    takes = inspect.signature(builder).parameters
    return builder(**section.args, **{key: given[key] for key in given if key in takes})


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
    """The trainer with all that it works on; weights are drawn from `info.seed`."""
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
    """Is there a run in the output folder, which is resumed? It has its weights already."""
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
    """Does a model that is trained by these losses (modules) give the sources in their order?"""
    invariant = [getattr(loss, "permutation_invariant", None) for loss in losses]
    return False in invariant and True not in invariant


def _model_metadata(config, model, losses, train_data, val_data):
    """What nussl's own separation classes read from a checkpoint, and ours: `labels`, and if the
    model gives the sources in their order."""
    transforms = nussl.datasets.transforms
    if "mix_audio" in model.input:
        features = [transforms.GetAudio()]
    elif config.train.target == "magnitude":
        features = [transforms.MagnitudeSpectrumApproximation(), transforms.MagnitudeWeights()]
    else:
        features = [transforms.PhaseSensitiveSpectrumApproximation(), transforms.MagnitudeWeights()]
    pipeline = transforms.Compose([*features, transforms.ToSeparationModel()])
    described = describe_signal(config)

    def of(data):
        return {
            **described,
            "name": type(data).__name__,
            "folder": data.folder,
            "transforms": pipeline,
        }

    metadata = {
        **described,
        "train_dataset": of(train_data),
        "labels": train_data.labels,
        "ordered": gives_order(term.loss for term in losses.values()),
        "experiment": config.to_dict(),
    }
    return metadata if val_data is None else {**metadata, "val_dataset": of(val_data)}
