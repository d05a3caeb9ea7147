"""From a config to live objects: classes are found by name and called with their args.

`check` tells every class and argument that is not there, before any data is read; the `build_`
functions then make what a script needs.
"""

import contextlib
import functools
import inspect
import logging
import multiprocessing
from pathlib import Path

import torch

import checkpoints
import devices
import labels
from algorithms import ALGORITHMS, baselines
from compat import nussl
from config import check_args, check_class, flat
from dataset import DATASETS
from features import FrontEnd
from files import UserError
from model import BUILDERS
from preparation import STEPS
from separations import demonstrate
from training import LOGGERS, LOSSES, OPTIMIZERS, SCHEDULERS, TRAINERS, Term
from training.resuming import settings_of

log = logging.getLogger("experiment")

SPLITS = ("train", "val", "test")
DATASET_GIVEN = ("sample_rate", "num_channels", "stft_params")
DATASET_OPTIONAL = ("split",)
ALGORITHM_GIVEN = ("input_audio_signal", "device")
ALGORITHM_OPTIONAL = ("model_path",)
LOGGER_GIVEN = ("folder", "name", "config")
MODEL_GIVEN = ("num_features", "num_audio_channels")


def check(config):
    """Raise ConfigError with every unknown class and argument in the file."""
    problems = []
    for split in SPLITS:
        if config.datasets is not None and getattr(config.datasets, split) is not None:
            problems += _check(
                config, f"datasets.{split}", DATASETS, DATASET_GIVEN, DATASET_OPTIONAL
            )
            problems += _check_split(config, split)
    if config.model is not None and config.model.builder is not None:
        wrong = check_class(config, "model.builder", BUILDERS)
        problems += wrong or check_args(
            config, "model", BUILDERS[config.model.builder], MODEL_GIVEN
        )
    if config.model is not None:
        for name, module in (config.model.modules or {}).items():
            if module.class_name is not None:
                problems += _check(config, f"model.modules.{name}", _modules(module.class_name))
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
        problems += _check(config, "algorithm", ALGORITHMS, ALGORITHM_GIVEN, ALGORITHM_OPTIONAL)
    if config.prepare is not None:
        for number in range(len(config.prepare.steps)):
            problems += _check(config, f"prepare.steps[{number}]", STEPS)
    if config.evaluate is not None:
        for number in range(len(config.evaluate.baselines)):
            problems += check_class(config, f"evaluate.baselines[{number}]", baselines())
    if not problems:
        problems = _check_model(config) + _check_training(config)
    config.require(problems)


def _check(config, key, choices, given=(), optional=()):
    wrong = check_class(config, key, choices)
    return wrong or check_args(config, key, choices[config.get(key + ".class")], given, optional)


def _modules(name):
    """{name: class} of what a graph may hold: modules of nussl's and of model/extras/, or `name`
    of torch.nn."""
    known = vars(nussl.ml.networks.modules)
    modules = {
        key: item
        for key, item in known.items()
        if isinstance(item, type) and issubclass(item, torch.nn.Module)
    }
    of_torch = getattr(torch.nn, name, None)
    return modules if name in modules or of_torch is None else {**modules, name: of_torch}


def _check_split(config, split):
    """The split of a dataset is its key; args may repeat it, but not say another one."""
    written = getattr(config.datasets, split).args.get("split", split)
    if written == split:
        return []
    return [
        config.problem(
            f"datasets.{split}.args.split",
            f"is {written!r}, but what stands under datasets.{split} is the {split} split; remove "
            f"it, or move the dataset to datasets.{written}",
        )
    ]


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
        own = getattr(loss, "DEFAULT_KEYS", {})
        keys = component.keys or own
        if not keys:
            text = (
                f"{component.class_name} has no DEFAULT_KEYS; say what it reads under `keys`, "
                "output or feature: its argument"
            )
            problems.append(config.problem(place, text))
            continue
        missing = sorted({*own.values()} - {*keys.values()})
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
        **{**component.args, "split": split},
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
    return algorithm.load(model_path(config), devices.choose(device))


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
        identity=settings_of(config),
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
    if (path := model_path(config)) is not None:
        args |= {"model_path": path, "device": devices.choose(device)}
        # kept for the algorithm; what is wrong with it is found now, not at the first file
        _, metadata = getattr(algorithm, "load", checkpoints.load_model)(path, args["device"])
        if multiprocessing.parent_process() is None:  # said once
            _warn_of_another_model(config, path, metadata)
    return functools.partial(algorithm, **args)


def best_model(config):
    """The path of the best model that this experiment trains."""
    return str(Path(config.info.output_folder) / checkpoints.BEST)


def model_path(config):
    """The path of the checkpoint that the algorithm reads, by default the best model of this
    experiment; None if it reads none."""
    algorithm = ALGORITHMS[config.algorithm.class_name]
    if "model_path" not in inspect.signature(algorithm).parameters:
        return None
    return config.algorithm.args.get("model_path", best_model(config))


def _warn_of_another_model(config, path, metadata):
    """Say so if the model that separates is not the one that this experiment trains."""
    if config.train is None:
        return
    if Path(path).resolve() != Path(best_model(config)).resolve():
        log.warning(
            "%s: algorithm.args.model_path names another model than the one that this experiment "
            "trains, %s; remove the key to use that",
            path, best_model(config),
        )  # fmt: skip
    trained = metadata.get("experiment") or {}
    now = config.to_dict()
    differ = [
        f"{key} = {was.get(key)!r}, here {here.get(key)!r}"
        for section in ("signal", "model")
        for was, here in [(flat(trained.get(section), section), flat(now.get(section), section))]
        for key in sorted({*was, *here})
        if trained.get(section) and was.get(key) != here.get(key) and key != section
    ]
    if differ:
        log.warning("%s: was trained with %s", path, "; ".join(differ[:5]))


def model_fingerprint(config):
    """SHA-256 of the checkpoint that the algorithm reads; None if it reads none."""
    path = model_path(config)
    return None if path is None else checkpoints.fingerprint(path)
