"""What an algorithm declares by class attributes, and the result of running it.

Any subclass of nussl's base classes works in every script. These are the defaults::

    output_key = None      the output of a network that it works on ("mask", ...); None: no network
    streams = False        it takes a recording of `streams`, and has `NetworkSeparation.stream`
    source_labels = None   labels of its sources in their order; None: its sources have no order
    labels_in = None       the argument that names its sources in their order
    files_in = None        the argument that names a folder of files that it reads

`source_labels` may depend on the instance (a network's sources have an order if it was trained with
one): then the class has `labels_of(model, metadata)`, and with it `load(model_path, device)`, which
returns the two, and `outputs_of(model, metadata)`, how many sources it gives; see
`NetworkSeparation`.
A class that stores masks or an embedding elsewhere than nussl's base classes returns a `Result`
from a method `result(estimates)`.
"""

import inspect
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from compat import nussl
from errors import UserError, amount

DEFAULTS = {
    "output_key": None,
    "streams": False,
    "source_labels": None,
    "labels_in": None,
    "files_in": None,
}


class Result(NamedTuple):
    """A separated mixture; all but the estimates may be None.

    Args:
        estimates: [AudioSignal], of the mixture's length, rate and channels.
        masks: (sources, bins, frames), 0 to 1, means over the channels; bins from 0 Hz to half of
            the mixture's rate.
        embedding: (bins, frames, dims), of all of the mixture or a part of it.
        loud: (bins, frames), true where the embedding was clustered.
        clusters: (bins, frames), the number of the estimate that each bin of the embedding is in.
        span: (start, stop) in seconds of that part; None: all.
        labels: the names of the estimates, in their order.
    """

    estimates: list
    masks: Any = None
    embedding: Any = None
    loud: Any = None
    clusters: Any = None
    span: tuple | None = None
    labels: list | None = None


def trait(algorithm, name):
    """What an algorithm (a class or an instance) declares, or the default."""
    return getattr(algorithm, name, DEFAULTS[name])


def needs_model(algorithm):
    """Does a class need a trained network?"""
    return trait(algorithm, "output_key") is not None or "model_path" in _takes(algorithm)


def needs_only_the_mixture(algorithm):
    """Can a class be used without arguments, as a baseline?"""
    _, *others = _takes(algorithm).values()
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return all(p.default is not p.empty or p.kind in variable for p in others)


def count_sources(algorithm, args, model=None):
    """How many estimates `algorithm(mixture, **args)` will give; None if that is not known.

    model: what `NetworkSeparation.load` returned, of an algorithm that has it.
    """
    count = None if model is None else algorithm.outputs_of(*model)
    if count is not None:
        return count
    labels = labels_of(algorithm, model, args)
    if labels:
        return len(labels)
    parameter = _takes(algorithm).get("num_sources")
    if parameter is None:
        return None
    count = args.get("num_sources", parameter.default)
    return count if isinstance(count, int) else None  # null: the algorithm estimates it


def labels_of(algorithm, model=None, args=None):
    """The labels of a class's sources in their order; None: they have no order.

    model: as in `count_sources`. args: of the algorithm.
    """
    if model is not None:
        return algorithm.labels_of(*model)
    argument = trait(algorithm, "labels_in")
    if argument and argument in (args or ()):
        return list(args[argument])
    labels = trait(algorithm, "source_labels")
    if isinstance(labels, property) or not labels:  # a property: only an instance knows them
        return None
    return list(labels)


def estimates_of(algorithm, mix):
    """Run an algorithm that was made for the AudioSignal `mix`: [AudioSignal], each like `mix`.

    Raises:
        UserError: it returned something else; the text says what.
    """
    name, expected = type(algorithm).__name__, _form(mix)
    try:
        estimates = algorithm()
    except nussl.core.audio_signal.AudioSignalException as error:  # NaN in an estimate, say
        raise UserError(f"{name} failed: {error}") from error
    if isinstance(estimates, dict) or not isinstance(estimates, Iterable):
        kind = type(estimates).__name__
        raise UserError(f"{name} returns a {kind}; it has to return a list of AudioSignals")
    estimates = list(estimates)
    for estimate in estimates:
        is_signal = isinstance(estimate, nussl.AudioSignal)
        if not is_signal or _form(estimate) != expected:
            found = _form(estimate) if is_signal else f"a {type(estimate).__name__}"
            raise UserError(
                f"{name} returns {found} as an estimate; each has to be an AudioSignal like the "
                f"mixture, {expected}"
            )
    labels = trait(algorithm, "source_labels")
    if not estimates or (labels and len(labels) != len(estimates)):
        named = f", its source_labels name {len(labels)}" if labels else "; at least 1 is needed"
        raise UserError(f"{name} returns {amount(len(estimates), 'estimate')}{named}")
    return estimates


def _form(signal):
    channels, samples = signal.audio_data.shape
    size = f"{amount(samples, 'sample')} in {amount(channels, 'channel')}"
    return f"{size} at {signal.sample_rate} Hz"


def separate(algorithm, mix):
    """Run an algorithm that was made for the AudioSignal `mix`: Result.

    Masks and embeddings are those that nussl's `MaskSeparationBase` and `ClusteringSeparationBase`
    store, unless the class has a method `result(estimates)`.
    """
    estimates = estimates_of(algorithm, mix)
    if hasattr(algorithm, "result"):
        return algorithm.result(estimates)
    return result_of(algorithm, estimates)


def result_of(algorithm, estimates):
    """The masks and the embedding that nussl's base classes store, as a Result."""
    base = nussl.separation.base
    masks = embedding = loud = clusters = None
    if isinstance(algorithm, base.MaskSeparationBase) and algorithm.result_masks:
        masks = np.stack([mean_of_channels(mask.mask) for mask in algorithm.result_masks])
    features = getattr(algorithm, "features", None)
    if isinstance(algorithm, base.ClusteringSeparationBase) and features is not None:
        # channels as one: (f, t, c, d) -> (f, t, d)
        embedding, loud = features.mean(axis=2), algorithm.tf_point_over_cutoff.any(axis=-1)
        clusters = None if masks is None else masks.argmax(axis=0)
    labels = trait(algorithm, "source_labels")
    labels = list(labels) if labels else None
    return Result(estimates, masks, embedding, loud, clusters, None, labels)


def mean_of_channels(mask):
    """A mask (bins, frames, channels), real, complex or boolean, as (bins, frames), 0 to 1."""
    size = np.abs(mask) if np.iscomplexobj(mask) else np.asarray(mask, dtype=float)
    return np.clip(size.mean(axis=-1), 0.0, 1.0)


def _takes(algorithm):
    return dict(inspect.signature(algorithm).parameters)
