"""One item, separated: what is heard and seen of it, and whose fault it is if that goes wrong."""

import functools
import inspect
import io
from typing import Any, NamedTuple

import matplotlib.image
import numpy as np

from algorithms import ALGORITHMS
from compat import nussl
from files import UserError
from report import draw_separation

# what reading, separating and scoring raise about one piece of audio
FAILURES = (
    UserError,
    ValueError,
    nussl.core.audio_signal.AudioSignalException,
    nussl.separation.SeparationException,
)


def named(name, function, *args):
    """Call `function`; what goes wrong with this audio becomes a UserError that names it."""
    try:
        return function(*args)
    except FAILURES as error:
        text = str(error)
        raise UserError(text if text.startswith(f"{name}: ") else f"{name}: {text}") from error


class Separation(NamedTuple):
    """An item, separated: AudioSignals, masks (sources, bins, frames), the embedding (bins, frames,
    dims) and which of its points are loud, or None, and the bytes of a PNG file, if drawn."""

    mix: Any
    estimates: list
    masks: Any
    embedding: Any
    loud: Any
    picture: bytes | None = None


def separate_item(title, separator, item):
    """Separate a dataset's item and draw it; raises as `separation_of`."""
    shown = separation_of(separator, item)
    return shown._replace(picture=draw_separation(title, *shown[:5]))


def separation_of(separator, item):
    """Separate a dataset's item.

    Raises:
        UserError: what goes wrong with this audio, by the item's name.
    """
    name, mix = item["metadata"]["name"], item["mix"]
    algorithm = named(name, separator, mix)
    estimates = named(name, algorithm)
    masks = np.stack([mask.mask.mean(axis=-1) for mask in algorithm.result_masks])
    embedding = getattr(algorithm, "features", None)
    loud = None
    if embedding is not None:  # channels as one: (f, t, c, d) -> (f, t, d)
        embedding, loud = embedding.mean(axis=2), algorithm.tf_point_over_cutoff.any(axis=-1)
    return Separation(mix, estimates, masks, embedding, loud)


class Demonstration(NamedTuple):
    """What a logger shows: {title: (channels, samples)}, and a picture (height, width, 4)."""

    sounds: dict
    sample_rate: int
    picture: np.ndarray


def demonstrate(config, trainer):
    """Separate the first item of the validation data with the best model so far."""
    algorithm, args = ALGORITHMS[config.algorithm.class_name], dict(config.algorithm.args)
    if "model_path" in inspect.signature(algorithm).parameters:
        args |= {"model_path": str(trainer.best), "device": trainer.device}
    item = trainer.val_data[0]
    title = f"{config.info.name}: {item['metadata']['name']}"
    shown = separate_item(title, functools.partial(algorithm, **args), item)
    sounds = {f"source {i}": estimate.audio_data for i, estimate in enumerate(shown.estimates)}
    picture = matplotlib.image.imread(io.BytesIO(shown.picture))
    return Demonstration(
        {"mixture": shown.mix.audio_data, **sounds}, shown.mix.sample_rate, picture
    )
