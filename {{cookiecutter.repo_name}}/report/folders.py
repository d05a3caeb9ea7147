"""The folders of scripts.visualize: one for each item and experiment, named in its viz.png."""

import json
import re
from itertools import count
from pathlib import Path

from PIL import Image

# text fields of viz.png
EXPERIMENT, OUTPUT_FOLDER, FILES = "Experiment", "Output folder", "Files"


def picture_fields(info, files):
    """{keyword: text} for viz.png: the experiment, and the files of its folder."""
    return _owner(info) | {FILES: json.dumps([*files])}


def folder_of(info, place, number):
    """The folder for an item: `place/number`, or `place/number_name`, ... if another experiment
    has written that."""
    name = re.sub(r"[^\w-]+", "_", info.name).strip("_")[:60]
    others = (f"{number}_{name}" if i == 1 else f"{number}_{name}_{i}" for i in count(1))
    folder = place / number
    while not _is_free(folder / "viz.png", info):
        folder = place / next(others)
    return folder


def fields_of(picture):
    """The text fields of a viz.png; {} if it is missing, or not written by this project."""
    try:
        with Image.open(picture) as image:
            fields = {key: image.info[key] for key in (EXPERIMENT, OUTPUT_FOLDER, FILES)}
        return fields | {FILES: [Path(name).name for name in json.loads(fields[FILES])]}
    except (OSError, KeyError, ValueError, TypeError, SyntaxError):
        return {}


def files_of(folder):
    """The names of the files that an earlier run wrote into a folder."""
    return fields_of(folder / "viz.png").get(FILES, [])


def _owner(info):
    return {EXPERIMENT: info.name, OUTPUT_FOLDER: info.output_folder}


def _is_free(picture, info):
    fields = fields_of(picture)
    return all(fields.get(key, text) == text for key, text in _owner(info).items())
