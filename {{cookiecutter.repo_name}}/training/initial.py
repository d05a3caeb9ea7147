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
    """How the tensors of a checkpoint fit those of a model, as torch's `load_state_dict` says it.

    loaded: {name in the model: name in the checkpoint} of tensors of the same shape.
    missing: names in the model that the checkpoint does not have.
    unexpected: names in the checkpoint that the model does not have.
    mismatched: {name in the model: (shape in the model, shape in the checkpoint)}.
    """

    loaded: dict
    missing: list
    unexpected: list
    mismatched: dict

    @property
    def complete(self):
        return not (self.missing or self.unexpected or self.mismatched)


def match(model, checkpoint, modules=None):
    """Which tensor of a checkpoint goes into which tensor of a model.

    Args:
        model, checkpoint: {name: tensor} of each.
        modules: {module of the model: module of the checkpoint}, the only ones that are compared;
            None: everything, by the same names.
    """
    if modules is None:
        names = {name: name for name in model}  # in the model: in the checkpoint
        offered = list(checkpoint)
    else:
        names, offered = {}, []
        for ours, theirs in modules.items():
            below = [name for name in model if is_below(name, ours)]
            names |= {name: theirs + name.removeprefix(ours) for name in below}
            offered += [name for name in checkpoint if is_below(name, theirs)]
    loaded, missing, mismatched = {}, [], {}
    for name, other in names.items():
        if other not in checkpoint:
            missing.append(name)
        elif model[name].shape == checkpoint[other].shape:
            loaded[name] = other
        else:
            mismatched[name] = (tuple(model[name].shape), tuple(checkpoint[other].shape))
    expected = {*names.values()}
    unexpected = [name for name in dict.fromkeys(offered) if name not in expected]
    return Match(loaded, missing, unexpected, mismatched)


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
    other, its_metadata = checkpoints.load_model(settings.checkpoint)
    ours, theirs = tensors(model), tensors(other)
    unknown = False
    for name, its_name in (settings.modules or {}).items():
        text = no_such_module(name, ours, patterns=False)
        text = text or no_such_module(its_name, theirs, settings.checkpoint, patterns=False)
        if text:
            unknown = True
            yield f"modules.{name}", text
    if unknown:
        return
    signal = _different_signal(model, other, metadata, its_metadata)
    if signal:
        yield (
            "checkpoint",
            f"{settings.checkpoint} was trained with {signal}; its weights mean something else "
            "here: write its values, or start from a model that was trained with these",
        )
        return
    found = match(ours, theirs, settings.modules)
    if found.complete or (not settings.strict and found.loaded):
        return
    sources = its_metadata.get("labels")
    known = (
        f" (trained on {amount(len(sources), 'source')}: {', '.join(sources)})" if sources else ""
    )
    advice = "write the model as it is there, name the modules to take in `modules`"
    if settings.strict:
        advice += ", or write strict: false, which keeps the random initialisation of the rest"
    its_model = (its_metadata.get("experiment") or {}).get("model")
    yield (
        "checkpoint",
        f"{settings.checkpoint}{known} does not fit: {'; '.join(_differences(found))}"
        f"{_different_args(described, its_model)}; {advice}",
    )


def _different_signal(model, other, here, there):
    """The keys of `signal` that differ between the metadata `here` and `there`, as text."""
    values = {
        f"signal.{key}": (there[key], here[key])
        for key in ("sample_rate", "num_channels")
        if there[key] != here[key]
    }
    if {*model.input, *other.input} != {"mix_audio"}:  # models of waveforms use no STFT
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
        for name, (ours, theirs) in found.mismatched.items()
    ]
    yield from sizes[:SHOWN]
    if len(sizes) > SHOWN:
        yield f"{len(sizes) - SHOWN} more of other sizes"
    for names, text in ((found.missing, "it lacks"), (found.unexpected, "it also has")):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            yield f"{text} {', '.join(names[:SHOWN])}{more}"


def _different_args(here, there):
    """The arguments of the builder that differ, as text; "" if none do, or they are not known."""
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
        lines that say which modules were loaded, and which were not.
    """
    other, its_metadata = checkpoints.load_model(settings.checkpoint)
    ours, theirs = tensors(model), tensors(other)
    loaded = match(ours, theirs, settings.modules).loaded
    for name, its_name in loaded.items():
        ours[name].copy_(theirs[its_name])
    digest = checkpoints.digest(settings.checkpoint)
    lines = [
        f"initial weights of {settings.checkpoint} (SHA-256 {digest[:12]}): {_summary(loaded)}"
    ]
    initialised = [name for name in ours if name not in loaded]
    if initialised:
        lines.append(f"  randomly initialised: {_summary(initialised)}")
    unused = [name for name in theirs if name not in loaded.values()]
    if unused:
        lines.append(f"  not loaded: {_summary(unused)}")
    its_labels = its_metadata.get("labels") or labels
    if len(its_labels) != len(labels) or (ordered and its_labels != labels):
        lines.append(f"  it was trained on {', '.join(its_labels)}; here are {', '.join(labels)}")
    return lines


def _summary(names):
    """ "embedding (2 tensors), recurrent_stack (16 tensors)"."""
    counts = {}
    for name in names:
        module = name.partition(".")[0]
        counts[module] = counts.get(module, 0) + 1
    return ", ".join(f"{m} ({n} tensor{'s' if n > 1 else ''})" for m, n in counts.items())
