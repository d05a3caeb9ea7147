"""Keys of `train` that depend on the model, checked before any data is read: initial weights,
frozen modules, groups of the optimizer, the score that decides which model is the best."""

import inspect

import torch

from algorithms import ALGORITHMS
from config import check_args
from errors import UserError
from evaluation import METRICS, score_names
from training import OPTIMIZERS, initial
from training.parameters import Frozen, groups_of, no_such_module, tensors, trainable

from .training import describe_signal, is_begun
from .validation import metric_of


def check_start(config, model):
    """Problems of `train.initial`, `freeze`, `optimizer.groups` and `best_by`.

    model: of the config, on the meta device.
    """
    problems = [*_check_initial(config, model), *_check_frozen(config, model)]
    if not problems:  # groups are checked on what is not frozen
        problems += _check_groups(config, model)
    return [*problems, *_check_best_by(config)]


def _check_initial(config, model):
    settings, plain = config.train.initial, config.to_dict()["model"]
    if settings is None or is_begun(config):  # a resumed run has its weights already
        return
    try:
        for key, message in initial.problems(model, describe_signal(config), plain, settings):
            yield config.problem(f"train.initial.{key}", message)
    except UserError as error:
        yield config.problem("train.initial.checkpoint", str(error))


def _check_frozen(config, model):
    patterns = config.train.freeze or ()
    for number, pattern in enumerate(patterns):
        message = no_such_module(pattern, tensors(model))
        if message:
            yield config.problem(f"train.freeze[{number}]", message)
    Frozen(model, patterns)
    if patterns and not trainable(model):
        yield config.problem("train.freeze", "leaves nothing to train; name fewer modules")


def _check_groups(config, model):
    """model: whose frozen parameters have `requires_grad` False (`_check_frozen`)."""
    groups, known = config.train.optimizer.groups or (), tensors(model)
    optimizer = OPTIMIZERS[config.train.optimizer.class_name]
    arguments = [*inspect.signature(optimizer).parameters]
    of_groups = groups_of(trainable(model), groups)[1:]
    for number, (group, names) in enumerate(zip(groups, of_groups, strict=True)):
        key = f"train.optimizer.groups[{number}]"
        messages = [no_such_module(name, known) for name in group.modules]
        for place, message in enumerate(messages):
            if message:
                yield config.problem(f"{key}.modules[{place}]", message)
        if not any(messages) and not names:
            text = "what it names is frozen, or in a group above; remove it"
            yield config.problem(f"{key}.modules", text)
        problems = check_args(config, key, optimizer, ("params",), optional=arguments)
        yield from problems
        try:
            args = {**config.train.optimizer.args, **({} if problems else group.args)}
            optimizer([torch.nn.Parameter(torch.zeros(1))], **args)
        except (ValueError, TypeError, RuntimeError) as error:
            yield config.problem(f"{key}.args", f"refused: {error}")


def _check_best_by(config):
    if config.train.best_by is None:
        return
    score = config.train.best_by.score
    if metric_of(score) is None:
        known = [name for metric in METRICS for name in score_names(metric)]
        text = f"there is no score '{score}'; known are {', '.join(known)}"
        yield config.problem("train.best_by.score", text)
    if score in config.train.loss:
        text = (
            f"is also the name of a loss term, so both would be column val_{score}; rename the "
            "loss term"
        )
        yield config.problem("train.best_by.score", text)
    name = config.algorithm.class_name
    if not hasattr(ALGORITHMS[name], "load"):
        able = ", ".join(key for key, kind in ALGORITHMS.items() if hasattr(kind, "load"))
        text = f"needs an algorithm that runs the model in training, and {name} does not: {able} do"
        yield config.problem("train.best_by", text)
