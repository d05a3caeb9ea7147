"""The weights that a training run starts from: those of a model that was trained before, or of some
of its modules."""

from typing import NamedTuple

import torch

import checkpoints
from config.plain import is_below
from errors import amount

from .parameters import no_such_module, tensors

SHOWN = 4  # of the tensors that do not fit


class Match(NamedTuple):
    """How a checkpoint fits a model.

    taken: {name of a tensor here: its name in the checkpoint}.
    absent: names here that the checkpoint lacks.
    left: names in the checkpoint that have no place here.
    resized: {name here: (shape here, shape in the checkpoint)}.
    """

    taken: dict
    absent: list
    left: list
    resized: dict

    @property
    def complete(self):
        return not (self.absent or self.left or self.resized)


def match(here, there, modules=None):
    """Which tensors of a checkpoint are those of which tensors of a model.

    Args:
        here, there: {name: tensor} of the model and of the checkpoint's.
        modules: {module here: module there}; None: all, by the same names.
    """
    pairs, of_there = {}, {}
    for ours, theirs in (modules or {None: None}).items():
        mine = [name for name in here if ours is None or is_below(name, ours)]
        pairs |= {name: name if ours is None else theirs + name[len(ours) :] for name in mine}
        of_there |= dict.fromkeys(n for n in there if theirs is None or is_below(n, theirs))
    taken, resized = {}, {}
    for name, other in pairs.items():
        if other in there and here[name].shape == there[other].shape:
            taken[name] = other
        elif other in there:
            resized[name] = (tuple(here[name].shape), tuple(there[other].shape))
    absent = [name for name, other in pairs.items() if other not in there]
    left = [name for name in of_there if name not in pairs.values()]
    return Match(taken, absent, left, resized)


def problems(model, metadata, described, settings):
    """What is wrong with `train.initial`: yields (key below it, message).

    Args:
        model: the one to train; on the meta device will do.
        metadata: {"sample_rate", "num_channels", "stft_params"} of the experiment.
        described: the section `model` of the experiment, as plain data.
        settings: `train.initial` of the config.

    Raises:
        UserError: the checkpoint is missing, damaged, or no model.
    """
    other, its = checkpoints.load_model(settings.checkpoint)
    here, there = tensors(model), tensors(other)
    wrong = {
        ours: no_such_module(ours, here, patterns=False)
        or no_such_module(theirs, there, settings.checkpoint, patterns=False)
        for ours, theirs in (settings.modules or {}).items()
    }
    if any(wrong.values()):
        yield from ((f"modules.{name}", text) for name, text in wrong.items() if text)
        return
    if signal := _of_another_signal(model, other, metadata, its):
        yield (
            "checkpoint",
            f"{settings.checkpoint} was trained with {signal}; its weights mean something else "
            "here: write its values, or start from a model that was trained with these",
        )
        return
    found = match(here, there, settings.modules)
    if found.complete or (not settings.strict and found.taken):
        return
    sources = its.get("labels")
    known = (
        f" (trained on {amount(len(sources), 'source')}: {', '.join(sources)})" if sources else ""
    )
    advice = "write the model as it is there, name the modules to take in `modules`"
    if settings.strict:
        advice += ", or write strict: false, which keeps the random initialisation of the rest"
    its_model = (its.get("experiment") or {}).get("model")
    yield (
        "checkpoint",
        f"{settings.checkpoint}{known} does not fit: {'; '.join(_differences(found))}"
        f"{_settings_that_differ(described, its_model)}; {advice}",
    )


def _of_another_signal(model, other, here, there):
    """The keys of `signal` that differ, as text."""
    values = {
        f"signal.{key}": (there[key], here[key])
        for key in ("sample_rate", "num_channels")
        if there[key] != here[key]
    }
    if {*model.input, *other.input} != {"mix_audio"}:  # else no spectrum is looked at
        stft = there["stft_params"], here["stft_params"]
        for key in ("window_length", "hop_length", "window_type"):
            theirs, ours = (getattr(params, key) for params in stft)
            if theirs != ours:
                values[f"signal.{key}"] = (theirs, ours)
    return ", ".join(f"{key}: {was} (here {now})" for key, (was, now) in values.items())


def _differences(found):
    """What does not fit, a phrase each."""
    sizes = [
        f"{name} is {list(theirs)} there and {list(ours)} here"
        for name, (ours, theirs) in found.resized.items()
    ]
    yield from sizes[:SHOWN]
    if len(sizes) > SHOWN:
        yield f"{len(sizes) - SHOWN} more of other sizes"
    for names, text in ((found.absent, "it lacks"), (found.left, "it also has")):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            yield f"{text} {', '.join(names[:SHOWN])}{more}"


def _settings_that_differ(here, there):
    """The arguments of the builder that differ, as text; "" where that is not known."""
    if not there or not here.get("builder") or there.get("builder") != here["builder"]:
        return ""
    ours, theirs = here.get("args", {}), there.get("args", {})
    differ = [
        f"{key}: {theirs.get(key)} (here {ours.get(key)})"
        for key in sorted({*ours, *theirs})
        if ours.get(key) != theirs.get(key)
    ]
    return f"; its model.args have {', '.join(differ)}" if differ else ""


@torch.no_grad()
def load(model, settings, labels, ordered):
    """Give a model the weights that `train.initial` names.

    Args:
        model: the one to train.
        settings: `train.initial` of the config, in which there are no `problems`.
        labels: of the training data, sorted.
        ordered: does the model give the sources in their order?

    Returns:
        lines that say what was taken, and what was not.
    """
    other, its = checkpoints.load_model(settings.checkpoint)
    here, there = tensors(model), tensors(other)
    found = match(here, there, settings.modules)
    for name, theirs in found.taken.items():
        here[name].copy_(there[theirs])
    digest = checkpoints.digest(settings.checkpoint)
    drawn = [name for name in here if name not in found.taken]
    of_there = [name for name in there if name not in found.taken.values()]
    lines = [
        f"initial weights of {settings.checkpoint} (SHA-256 {digest[:12]}): {_summary(found.taken)}"
    ]
    if drawn:
        lines.append(f"  randomly initialised: {_summary(drawn)}")
    if of_there:
        lines.append(f"  not loaded: {_summary(of_there)}")
    before = its.get("labels") or labels
    if len(before) != len(labels) or (ordered and before != labels):
        lines.append(f"  it was trained on {', '.join(before)}; here are {', '.join(labels)}")
    return lines


def _summary(names):
    """ "embedding (2 tensors), recurrent_stack (16 tensors)"."""
    counts = {}
    for name in names:
        module = name.partition(".")[0]
        counts[module] = counts.get(module, 0) + 1
    return ", ".join(f"{m} ({n} tensor{'s' if n > 1 else ''})" for m, n in counts.items())
