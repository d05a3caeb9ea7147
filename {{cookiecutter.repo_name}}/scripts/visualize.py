"""Separate one item and draw it: python -m scripts.visualize -p best_model/config.yml"""

import json
import logging
import re
from itertools import count
from pathlib import Path

from scripts.common import run

log = logging.getLogger("visualize")


def main(config):
    import numpy as np

    import audio
    import experiment
    import labels
    import separations
    from evaluation import score_item
    from files import write_files
    from scripts.pages import page_of_one

    experiment.check(config)
    settings, method = config.visualize, config.algorithm.class_name
    separator = experiment.build_separator(config, settings.device)
    model = experiment.load_model_of(config, settings.device)
    data = experiment.build_datasets(config, [settings.split], model=model)[settings.split]
    if settings.item is not None:
        index = data.index_of(settings.item)
    else:
        index = int(np.random.default_rng(settings.seed).integers(len(data)))
    item = data[index]
    name, mix = item["metadata"]["name"], item["mix"]
    result = separations.separate_item(separator, item)

    number = name if re.fullmatch(r"\d{8}", name) else f"{index:08d}"
    folder = folder_of(config.info, Path(settings.output_folder) / settings.split, number)
    names = labels.file_names(result.labels, len(result.estimates))
    signals = {"mixture": mix} | dict(zip(names, result.estimates, strict=True))
    files = {
        f"{name}.wav": audio.encode(signal.audio_data, signal.sample_rate)
        for name, signal in signals.items()
    }
    title = f"{config.info.name}: {settings.split} {name}"
    about = made_by(config.info) | {FILES: json.dumps([*files, "viz.png", "index.html"])}
    files["viz.png"] = separations.draw(title, mix, result, settings.frequency, about)
    order = result.labels and separations.by_label(result.labels, result.estimates)
    scored = {method: lambda mix: order or result.estimates}
    unnamed, named = (scored, {}) if order is None else ({}, scored)
    rows = separations.named(name, score_item, item, unnamed, named)
    about = {
        "Model": experiment.model_path(config) or "none",
        "Checkpoint": experiment.model_fingerprint(config) or "none",
    }
    files["index.html"] = page_of_one(title, item, result, method, rows, about, settings.frequency)
    before = kept_in(folder / "viz.png").get(FILES, [])
    write_files({folder / name: content for name, content in files.items()})
    for left in {*before} - {*files}:  # of another number of sources, or other names
        (folder / left).unlink(missing_ok=True)
    for file in files:
        log.info("%s", folder / file)


# what viz.png says of its folder, in the file's own text fields
EXPERIMENT, OUTPUT_FOLDER, FILES = "Experiment", "Output folder", "Files"


def made_by(info):
    return {EXPERIMENT: info.name, OUTPUT_FOLDER: info.output_folder}


def folder_of(info, place, number):
    """`place/number`; where that is another experiment's, the number with this one's name."""
    name = re.sub(r"[^\w-]+", "_", info.name).strip("_")[:60]
    others = (f"{number}_{name}" if i == 1 else f"{number}_{name}_{i}" for i in count(1))
    folder = place / number
    while not is_free(folder / "viz.png", info):
        folder = place / next(others)
    return folder


def is_free(picture, info):
    found = kept_in(picture)
    return all(found.get(key, text) == text for key, text in made_by(info).items())


def kept_in(picture):
    """What a viz.png says of its folder; {} if it is not there, or of none of ours."""
    from PIL import Image

    try:
        with Image.open(picture) as image:
            found = {key: image.info[key] for key in (EXPERIMENT, OUTPUT_FOLDER, FILES)}
        return found | {FILES: [Path(name).name for name in json.loads(found[FILES])]}
    except (OSError, KeyError, ValueError, TypeError, SyntaxError):
        return {}


if __name__ == "__main__":
    run(main, __doc__, needs=("algorithm", "visualize", "datasets"))
