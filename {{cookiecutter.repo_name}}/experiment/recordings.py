"""Separate recordings into files: those of scripts.separate, one by one."""

import json
import logging
from pathlib import Path

from tqdm import tqdm

import recordings
import streams
from algorithms import Streamed, confidence
from errors import UserError
from files import file_stamp, read_json, write_files
from report import draw_recording

from .labels import file_names
from .separation import model_digest

log = logging.getLogger("separate")


def separate_recording(path, folder, make, about):
    """Separate one file into `folder`, in bounded memory.

    Args:
        make: function(mixture) -> algorithm.
        about: {key: plain data} for separation.json (`separation_record`). "format": wav or flac;
            "picture": the file name of a picture; without the key none is drawn.

    Returns:
        the content of separation.json.
    """
    recording = streams.FileRecording(path)
    if recording.flaw is not None:
        log.warning("%s: %s; only the part that decodes is separated", path, recording.flaw)
        about = {**about, "missing": recording.flaw}
    work = Streamed(make, recording)
    rate, length = recording.sample_rate, recording.length
    bar = tqdm(total=round(length / rate, 1), desc=path.name, unit="s", disable=None, leave=False)
    titles = file_names(work.labels, len(work.labels)) if work.labels else None
    with bar, streams.SourceFiles(folder, rate, length, about["format"], titles) as sources:
        for piece in work.pieces():
            sources.write(piece)
            bar.update(round(piece.shape[-1] / rate, 1))
        record = {**about, "input": _stamp(path), "confidence": confidence(work.algorithm)}
        paths = sources.finish(record)
    if "picture" in about:
        picture = draw_recording(path, recording, work.result(), paths)
        write_files({folder / about["picture"]: picture})
    return {**record, "files": [path.name for path in paths]}


def is_separated(path, folder, about):
    """Does `folder` hold the sources of this file already, separated by the same algorithm?"""
    try:
        record = read_json(folder / recordings.RECORD)
        same = {key: record[key] for key in about} == json.loads(json.dumps(about))
        names = [*record["files"], *([about["picture"]] if "picture" in about else [])]
        files = [folder / name for name in names]
        return same and record["input"] == _stamp(path) and all(map(Path.is_file, files))
    except (UserError, OSError, KeyError, TypeError):
        return False  # missing, or not written by this project


def _stamp(path):
    """Path, size and time of a file, by which a change is detected."""
    return {"path": str(path)} | file_stamp(path)


def separation_record(config):
    """What separation.json says of the algorithm: {key: plain data}."""
    record = {
        "algorithm": config.to_dict()["algorithm"],
        "format": config.separate.format,
        "checkpoint": model_digest(config),
    }
    return record | ({"picture": "viz.png"} if config.separate.picture else {})


def separation_lines(folder, record):
    """Lines for the terminal: the files, and the confidence measures of a clustering."""
    lines = [folder / name for name in record["files"]]
    if record["confidence"]:
        values = ", ".join(f"{name} {value:.3f}" for name, value in record["confidence"].items())
        lines.append(f"  confidence (docs/separation.md): {values}")
    return lines
