"""One item, separated, with errors that name it."""

import functools
import io
from typing import NamedTuple

import matplotlib.image
import numpy as np

import streams
from algorithms import ALGORITHMS, Result, needs_model, separated
from compat import nussl
from errors import UserError
from evaluation import TooFewEstimates
from report import draw_separation

SHOWN = 10  # seconds of a recording in a picture

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
    except TooFewEstimates:  # no fault of this audio
        raise
    except FAILURES as error:
        text = str(error)
        raise UserError(text if text.startswith(f"{name}: ") else f"{name}: {text}") from error


def separate_item(separator, item):
    """Separate a dataset's item: `algorithms.Result`.

    Raises:
        UserError: what goes wrong with this audio, by the item's name.
    """
    name = item["metadata"]["name"]
    algorithm = named(name, separator, item["mix"])
    return named(name, separated, algorithm, item["mix"])


def by_label(labels, estimates):
    """Estimates that come in the order of `labels`, in that of the sorted labels."""
    return [estimates[labels.index(label)] for label in sorted(labels)]


def draw(title, mix, result, frequency="auto", about=None):
    """viz.png of an `algorithms.Result`: the bytes of a PNG file."""
    return draw_separation(
        title,
        mix,
        result.estimates,
        result.masks,
        result.embedding,
        result.loud,
        result.clusters,
        result.stretch,
        result.labels,
        frequency,
        about,
    )


def picture_of(title, recording, paths, work):
    """viz.png of a file that was separated: of its loudest ten seconds.

    Args:
        title: a line above everything.
        recording: as in `streams`.
        paths: of the sources.
        work: the `Streamed` that has separated it.
    """
    rate = recording.sample_rate
    result = Result([], labels=work.labels)
    if hasattr(work.algorithm, "result"):
        result = work.algorithm.result([])._replace(masks=None)
    if result.stretch is None:
        starts = range(0, recording.length, SHOWN * rate)
        loudness = [np.square(recording.read(start, SHOWN * rate)).sum() for start in starts]
        first = starts[int(np.argmax(loudness))]
    else:
        first = int(result.stretch[0] * rate)
    length = min(SHOWN * rate, recording.length - first)

    def signal(data):
        return nussl.AudioSignal(audio_data_array=data, sample_rate=rate)

    estimates = [signal(streams.File(path).read(first, length)) for path in paths]
    title = f"{title}, {first / rate:.0f} to {(first + length) / rate:.0f} s of "
    title += f"{recording.length / rate:.0f} s"
    mix = signal(recording.read(first, length))
    return draw(title, mix, result._replace(estimates=estimates))


class Demonstration(NamedTuple):
    """What a logger shows: {name: (channels, samples)}, and a picture (height, width, 4)."""

    sounds: dict
    sample_rate: int
    picture: np.ndarray


def demonstrate(config, trainer):
    """Separate the first item of the validation data with the best model so far."""
    algorithm, args = ALGORITHMS[config.algorithm.class_name], dict(config.algorithm.args)
    if needs_model(algorithm):
        args |= {"model_path": str(trainer.best), "device": trainer.device}
    item = trainer.val_data[0]
    mix, result = item["mix"], separate_item(functools.partial(algorithm, **args), item)
    title = f"{config.info.name}: {item['metadata']['name']}"
    picture = matplotlib.image.imread(io.BytesIO(draw(title, mix, result)))
    names = result.labels or [f"source {i}" for i in range(len(result.estimates))]
    sounds = {name: e.audio_data for name, e in zip(names, result.estimates, strict=True)}
    return Demonstration({"mixture": mix.audio_data, **sounds}, mix.sample_rate, picture)
