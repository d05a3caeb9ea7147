"""From a config to live objects: classes are found by name and called with their args.

`check` tells every class and argument that is not there, before any data is read; the `build_`
functions then make what a script needs.
"""

import contextlib
import functools
import importlib.metadata
import inspect
from pathlib import Path

import numpy as np
import torch

import checkpoints
import devices
import labels
from algorithms import ALGORITHMS, baselines
from compat import nussl
from config import check_args, check_class
from dataset import DATASETS
from evaluation import StaticMask
from features import FrontEnd
from files import UserError
from model import BUILDERS
from preparation import STEPS
from separations import demonstrate
from training import LOGGERS, LOSSES, TRAINERS, Term

OPTIMIZERS = {
    name: item
    for name, item in vars(torch.optim).items()
    if isinstance(item, type) and issubclass(item, torch.optim.Optimizer)
}
SCHEDULERS = {
    name: item
    for name, item in vars(torch.optim.lr_scheduler).items()
    if isinstance(item, type) and issubclass(item, torch.optim.lr_scheduler.LRScheduler)
}

STATIC_ITEMS = 60  # tracks of the training data that the static mask is learnt from

SPLITS = ("train", "val", "test")
DATASET_GIVEN = ("sample_rate", "num_channels", "stft_params")
LOGGER_GIVEN = ("folder", "name", "config")
MODEL_GIVEN = ("num_features", "num_audio_channels")


def check(config):
    """Raise ConfigError with every unknown class and argument in the file."""
    problems = []
    for split in SPLITS:
        if config.datasets is not None and getattr(config.datasets, split) is not None:
            problems += _check(config, f"datasets.{split}", DATASETS, DATASET_GIVEN)
    if config.model is not None and config.model.builder is not None:
        wrong = check_class(config, "model.builder", BUILDERS)
        problems += wrong or check_args(
            config, "model", BUILDERS[config.model.builder], MODEL_GIVEN
        )
    if config.train is not None:
        problems += check_class(config, "train", TRAINERS)
        problems += _check(config, "train.optimizer", OPTIMIZERS, ("params",))
        if config.train.scheduler is not None:
            problems += _check(config, "train.scheduler", SCHEDULERS, ("optimizer",))
        for name in config.train.loss:
            problems += _check(config, f"train.loss.{name}", LOSSES)
        for number in range(len(config.train.loggers)):
            problems += _check(config, f"train.loggers[{number}]", LOGGERS, LOGGER_GIVEN)
    if config.algorithm is not None:
        problems += _check(config, "algorithm", ALGORITHMS, ("input_audio_signal", "device"))
    if config.prepare is not None:
        for number in range(len(config.prepare.steps)):
            problems += _check(config, f"prepare.steps[{number}]", STEPS)
    if config.evaluate is not None:
        for number in range(len(config.evaluate.baselines)):
            problems += check_class(config, f"evaluate.baselines[{number}]", baselines())
    if not problems:
        problems = _check_model(config) + _check_training(config)
    config.require(problems)


def _check(config, key, choices, given=()):
    wrong = check_class(config, key, choices)
    return wrong or check_args(config, key, choices[config.get(key + ".class")], given)


def _check_model(config):
    """Can the graph be built, and does something provide what each loss reads?"""
    if config.model is None:
        return []
    try:
        graph = build_graph(config)
        with torch.device("meta"):  # shapes only: nothing is computed or kept
            model = nussl.ml.SeparationModel(graph)
    except (ValueError, TypeError, AttributeError, RuntimeError) as error:
        return [config.problem("model", f"cannot be built: {error}")]
    features = ", ".join(FrontEnd.features)
    inputs = ", ".join(FrontEnd.of_mixture)
    problems = [
        config.problem("model.modules", f"reads '{key}'; of a mixture the front end gives {inputs}")
        for key in model.input
        if key not in FrontEnd.of_mixture
    ]
    for name, component in config.train.loss.items() if config.train else ():
        place, loss = f"train.loss.{name}", LOSSES[component.class_name]
        keys = component.keys or loss.DEFAULT_KEYS
        missing = sorted({*loss.DEFAULT_KEYS.values()} - {*keys.values()})
        if missing:
            text = f"names nothing for {', '.join(missing)} of {component.class_name}"
            problems.append(config.problem(f"{place}.keys", text))
        problems += [
            config.problem(
                place,
                f"{component.class_name} reads '{key}', which nothing provides; the model gives "
                f"{', '.join(graph['output'])}, the front end {features}",
            )
            for key in keys
            if key not in {*FrontEnd.features, *graph["output"]}
        ]
        if not {*keys} & {*graph["output"]}:
            text = f"reads nothing that the model gives ({', '.join(graph['output'])})"
            problems.append(config.problem(place, text))
    return problems


def _check_training(config):
    """Do optimiser, scheduler and losses take the values that they are given?"""
    if config.train is None:
        return []
    problems = []

    def attempt(key, make):
        try:
            return make()
        except (ValueError, TypeError, RuntimeError) as error:
            problems.append(config.problem(f"{key}.args", f"refused: {error}"))
            return None

    chosen = config.train.optimizer
    optimizer = attempt(
        "train.optimizer",
        lambda: OPTIMIZERS[chosen.class_name]([torch.nn.Parameter(torch.zeros(1))], **chosen.args),
    )
    plan = config.train.scheduler
    if plan is not None and optimizer is not None:
        attempt("train.scheduler", lambda: SCHEDULERS[plan.class_name](optimizer, **plan.args))
    for name, loss in config.train.loss.items():
        attempt(f"train.loss.{name}", lambda loss=loss: LOSSES[loss.class_name](**loss.args))
    return problems


def build_stft_params(config):
    signal = config.signal
    return nussl.STFTParams(signal.window_length, signal.hop_length, signal.window_type)


def build_dataset(config, split):
    """The dataset of `split`, at the experiment's rate, channels and STFT."""
    component = getattr(config.datasets, split)
    data = DATASETS[component.class_name](
        **component.args,
        sample_rate=config.signal.sample_rate,
        num_channels=config.signal.num_channels,
        stft_params=build_stft_params(config),
    )
    data.augment = getattr(component, "augment", None)
    return data


def build_datasets(config, splits, if_there=(), model=None):
    """{split: dataset} of the splits that the config has.

    Args:
        if_there: splits whose sources are compared too, if their data are there.
        model: what `load_model_of` returned; None: the algorithm's model is not there yet.

    Raises:
        ConfigError: the splits do not have the same sources, or the algorithm gives fewer.
    """
    of_config = [split for split in SPLITS if getattr(config.datasets, split) is not None]
    data = {split: build_dataset(config, split) for split in of_config if split in splits}
    of_splits = {split: one.labels for split, one in data.items()}
    for split in of_config:
        if split in if_there:
            with contextlib.suppress(UserError):  # whoever needs it will say so
                of_splits[split] = build_dataset(config, split).labels
    config.require(labels.problems(config, of_splits, model))
    return data


def load_model_of(config, device):
    """The model that the algorithm reads, and its metadata; None if it needs none of ours."""
    algorithm = ALGORITHMS[config.algorithm.class_name]
    if not hasattr(algorithm, "load"):
        return None
    return algorithm.load(config.algorithm.args["model_path"], devices.choose(device))


def build_graph(config):
    """The model as plain data, as nussl's SeparationModel takes it."""
    if config.model.builder is None:
        return config.model.graph
    builder = BUILDERS[config.model.builder]
    values = (config.signal.num_features, config.signal.num_channels)
    given = dict(zip(MODEL_GIVEN, values, strict=True))
    takes = inspect.signature(builder).parameters
    return builder(**config.model.args, **{key: given[key] for key in given if key in takes})


def build_front_end(config, wanted):
    """The front end that makes the features named by `wanted`."""
    signal = config.signal
    return FrontEnd(
        signal.window_length,
        signal.hop_length,
        signal.window_type,
        target=config.train.target,
        wanted=wanted,
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
    wanted = {*model.input}.union(*(term.keys for term in losses.values()))
    data = build_datasets(config, ("train", "val"), if_there=("test",))
    train_data, val_data = data["train"], data.get("val")
    trainer = TRAINERS[config.train.class_name](
        settings=config.train,
        model=model,
        losses=losses,
        front_end=build_front_end(config, wanted & {*FrontEnd.features}),
        train_data=train_data,
        val_data=val_data,
        output_folder=config.info.output_folder,
        seed=config.info.seed,
        metadata=_model_metadata(config, model, losses, train_data, val_data),
        identity=_identity(config),
        loggers=build_loggers(config),
    )
    if config.algorithm is not None and val_data is not None:
        for logger in trainer.loggers:
            logger.demonstrate = functools.partial(demonstrate, config, trainer)
    return trainer


def build_loggers(config):
    """Who else is told about the training."""
    given = (Path(config.info.output_folder), config.info.name, config.to_dict())
    return [LOGGERS[c.class_name](*given, **c.args) for c in config.train.loggers]


def _identity(config):
    """What must be the same for a training to go on: {dotted key: plain value}."""
    plain = config.to_dict()
    same = {
        "info.seed": plain["info"]["seed"],
        "train.batch_size": config.train.batch_size,
        "train.excerpt_frames": config.train.excerpt_frames,
        "train.curriculum": plain["train"]["curriculum"],
        "train.target": config.train.target,
        "train.overfit": config.train.overfit,
        "train.ema_decay": config.train.ema_decay,
    }
    for section in ("signal", "model"):
        same |= {f"{section}.{key}": value for key, value in plain[section].items()}
    same["train.optimizer.class"] = config.train.optimizer.class_name
    same["datasets.train"] = {
        "class": config.datasets.train.class_name,
        **{k: v for k, v in config.datasets.train.args.items() if k != "folder"},
    }
    if config.datasets.train.augment is not None:
        same["datasets.train"]["augment"] = plain["datasets"]["train"]["augment"]
    return same


def _model_metadata(config, model, losses, train_data, val_data):
    """What nussl's own separation classes read from a checkpoint, and ours: `labels`, and if the
    model gives the sources in their order."""
    invariant = [getattr(term.loss, "permutation_invariant", None) for term in losses.values()]
    transforms = nussl.datasets.transforms
    if "mix_audio" in model.input:
        features = [transforms.GetAudio()]
    elif config.train.target == "magnitude":
        features = [transforms.MagnitudeSpectrumApproximation(), transforms.MagnitudeWeights()]
    else:
        features = [transforms.PhaseSensitiveSpectrumApproximation(), transforms.MagnitudeWeights()]
    pipeline = transforms.Compose([*features, transforms.ToSeparationModel()])
    described = {
        "stft_params": build_stft_params(config),
        "sample_rate": config.signal.sample_rate,
        "num_channels": config.signal.num_channels,
    }

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
        "ordered": False in invariant and True not in invariant,
        "experiment": config.to_dict(),
    }
    return metadata if val_data is None else {**metadata, "val_dataset": of(val_data)}


def build_separator(config, device):
    """A function that makes `algorithm` of the config for an AudioSignal, ready to be called.

    Raises:
        UserError: the device or the model that the algorithm needs is not there.
    """
    algorithm, args = ALGORITHMS[config.algorithm.class_name], dict(config.algorithm.args)
    if "device" in inspect.signature(algorithm).parameters:
        args["device"] = devices.choose(device)
        # kept for the algorithm; what is wrong with it is found now, not at the first file
        getattr(algorithm, "load", checkpoints.load_model)(args["model_path"], args["device"])
    return functools.partial(algorithm, **args)


def model_fingerprint(config):
    """SHA-256 of the checkpoint that the algorithm reads; None if it reads none."""
    path = config.algorithm.args.get("model_path")
    return None if path is None else checkpoints.fingerprint(path)


def build_static_mask(config):
    """The static mask, learnt from excerpts of the training data."""
    data = build_dataset(config, "train")
    frame = config.signal.window_length
    long_enough = [index for index in range(len(data)) if data.length_of(index) >= frame]
    if not long_enough:
        text = f"no track has {frame} samples, one frame of the STFT (signal.window_length)"
        config.require([config.problem("datasets.train", text)])
    chosen = [long_enough[number] for number in evenly(len(long_enough), STATIC_ITEMS)]
    data.ensure(chosen)

    def middle(index):
        length = min(data.length_of(index), 10 * data.sample_rate)
        return data.excerpt(index, (data.length_of(index) - length) // 2, length)

    return StaticMask(map(middle, chosen), data.sample_rate, data.stft_params)


def evenly(count, most):
    """At most `most` of the indices 0 to `count` - 1, spread evenly; None: all."""
    return np.linspace(0, count - 1, min(most or count, count)).round().astype(int).tolist()


def versions():
    """{package: version} of what a result depends on."""
    packages = ("nussl", "torch", "numpy", "scipy", "scikit-learn", "librosa", "soundfile", "soxr")
    return {package: importlib.metadata.version(package) for package in packages}
