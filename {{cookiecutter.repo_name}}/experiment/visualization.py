"""One item of a dataset, separated, drawn and scored: what scripts.visualize writes."""

import re
from pathlib import Path

import numpy as np

import audio
from compat.failures import errors_named
from evaluation import score_item
from files import write_files
from report import draw_separation, files_of, folder_of, page_of_one, picture_fields

from .data import build_datasets
from .evaluation import by_label
from .labels import file_names
from .separation import (
    build_separator,
    load_model_of,
    model_digest,
    model_path,
    separate_item,
)

NUMBER = re.compile(r"\d{8}")  # a name that is a number itself


def visualize(config):
    """Separate the item that `visualize` names, or one drawn by its seed.

    Returns:
        [path of each file written]: the mixture, the sources, viz.png and index.html.
    """
    settings, method = config.visualize, config.algorithm.class_name
    separator = build_separator(config, settings.device)
    model = load_model_of(config, settings.device)
    data = build_datasets(config, [settings.split], model=model)[settings.split]
    index = _choose(data, settings)
    item = data[index]
    name, mix = item["metadata"]["name"], item["mix"]
    result = separate_item(separator, item)

    numbered = all(NUMBER.fullmatch(track.name) for track in data.tracks)
    number = name if numbered else f"{index:08d}"  # that some names are, too, of other items
    folder = folder_of(config.info, Path(settings.output_folder) / settings.split, number)
    names = file_names(result.labels, len(result.estimates))
    signals = {"mixture": mix} | dict(zip(names, result.estimates, strict=True))
    files = {
        f"{name}.wav": audio.encode(signal.audio_data, signal.sample_rate)
        for name, signal in signals.items()
    }
    title = f"{config.info.name}: {settings.split} {name}"
    about = {
        "Model": model_path(config) or "none",
        "Checkpoint": model_digest(config) or "none",
    }
    fields = about | picture_fields(config.info, [*files, "viz.png", "index.html"])
    files["viz.png"] = draw_separation(title, mix, result, settings.frequency, fields)
    rows = _scores(method, item, result)
    files["index.html"] = page_of_one(title, item, result, method, rows, about, settings.frequency)
    before = files_of(folder)
    write_files({folder / name: content for name, content in files.items()})
    for name in {*before} - {*files}:  # of an earlier run with other sources
        (folder / name).unlink(missing_ok=True)
    return [folder / file for file in files]


def _choose(data, settings):
    if settings.item is not None:
        return data.index_of(settings.item)
    return int(np.random.default_rng(settings.seed).integers(len(data)))


def _scores(method, item, result):
    """The rows of `score_item` for a Result."""
    methods, named = {}, {}
    if result.labels is None:
        methods[method] = lambda mix: result.estimates
    else:
        named[method] = lambda mix: by_label(result.labels, result.estimates)
    with errors_named(item["metadata"]["name"]):
        return score_item(item, methods, named)
