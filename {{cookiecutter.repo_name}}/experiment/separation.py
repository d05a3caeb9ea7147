"""The algorithm of a config, the checkpoint that it reads, and what it separates."""

import functools
import inspect
import io
import logging
import multiprocessing
from pathlib import Path

import checkpoints
import devices
from algorithms import ALGORITHMS, needs_model, separate
from compat.failures import errors_named
from config import flat
from files import PROJECT
from model import allow
from report import draw_separation
from training.loggers import Demonstration

log = logging.getLogger("experiment")


def build_separator(config, device):
    """A function(AudioSignal) -> the algorithm of the config for this mixture, ready to be called.

    Raises:
        UserError: the device or the model that the algorithm needs is not there.
    """
    algorithm, args = ALGORITHMS[config.algorithm.class_name], dict(config.algorithm.args)
    device = devices.choose(device)
    if config.model is not None and config.model.module is not None:
        allow(config.model.module)
    if "device" in inspect.signature(algorithm).parameters:
        args["device"] = device
    path = model_path(config)
    if path is not None:
        args["model_path"] = path
        # loaded now, so that errors come before the first file; it stays cached for the algorithm
        _, metadata = getattr(algorithm, "load", checkpoints.load_model)(path, device)
        if multiprocessing.parent_process() is None:  # not once more in each worker
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
    """Warn if the model that separates is not the one that this experiment trains, or was trained
    with another signal or network."""
    if config.train is None:
        return
    if (PROJECT / path).resolve() != (PROJECT / best_model(config)).resolve():
        log.warning(
            "%s: algorithm.args.model_path names another model than the one that this experiment "
            "trains, %s; remove the key to use that",
            path,
            best_model(config),
        )
    trained, now = metadata.get("experiment") or {}, config.to_dict()
    differences = []
    for section in ("signal", "model"):
        if not trained.get(section):
            continue
        was, here = flat(trained[section], section), flat(now.get(section), section)
        differences += [
            f"{key} = {was.get(key)!r}, here {here.get(key)!r}"
            for key in sorted({*was, *here} - {section})
            if was.get(key) != here.get(key)
            and not all(isinstance(side.get(key), dict | list) for side in (was, here))
        ]
    if differences:
        log.warning("%s: was trained with %s", path, "; ".join(differences[:5]))


def model_digest(config):
    """SHA-256 of the checkpoint that the algorithm reads; None if it reads none."""
    path = model_path(config)
    return None if path is None else checkpoints.digest(path)


def load_model_of(config, device):
    """(model, metadata) that the algorithm reads; None for an algorithm without `load`."""
    algorithm = ALGORITHMS[config.algorithm.class_name]
    if not hasattr(algorithm, "load"):
        return None
    return algorithm.load(model_path(config), devices.choose(device))


def separate_item(separator, item):
    """Separate a dataset's item: `algorithms.Result`.

    Raises:
        UserError: the audio cannot be separated; the message names the item.
    """
    with errors_named(item["metadata"]["name"]):
        return separate(separator(item["mix"]), item["mix"])


def demonstrate(config, trainer):
    """The first item of the validation data, separated by the best model: `Demonstration`."""
    from matplotlib import image  # only few trainings show anything

    algorithm, args = ALGORITHMS[config.algorithm.class_name], dict(config.algorithm.args)
    if needs_model(algorithm):
        args |= {"model_path": str(trainer.best), "device": trainer.device}
    item = trainer.val_data[0]
    mix, result = item["mix"], separate_item(functools.partial(algorithm, **args), item)
    title = f"{config.info.name}: {item['metadata']['name']}"
    picture = image.imread(io.BytesIO(draw_separation(title, mix, result)))
    names = result.labels or [f"source {i}" for i in range(len(result.estimates))]
    sounds = {name: e.audio_data for name, e in zip(names, result.estimates, strict=True)}
    return Demonstration({"mixture": mix.audio_data, **sounds}, mix.sample_rate, picture)
