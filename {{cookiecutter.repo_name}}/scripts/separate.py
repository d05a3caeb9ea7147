"""Separate audio files: python -m scripts.separate -p experiments/separate.yml"""

import json
import logging
from pathlib import Path

import recordings
from errors import UserError
from files import read_json, write_files
from scripts.common import run

log = logging.getLogger("separate")


def main(config):
    files = find_files(config)

    import experiment
    import separations

    experiment.check(config)
    make = experiment.build_separator(config, config.separate.device)
    about = {
        "algorithm": config.to_dict()["algorithm"],
        "format": config.separate.format,
        "checkpoint": experiment.model_fingerprint(config),
    }
    if config.separate.picture:
        about["picture"] = "viz.png"
    failed, there = [], 0
    for path, folder in files:
        try:
            if is_done(path, folder, about):
                there += 1
                continue
            record = separations.named(path, separate, path, folder, make, about)
            for name in record["files"]:
                log.info("%s", folder / name)
            if record["confidence"]:
                values = ", ".join(f"{k} {v:.3f}" for k, v in record["confidence"].items())
                log.info(
                    "  how distinct the clusters are (no certainty of being right, see "
                    "docs/separation.md): %s",
                    values,
                )
        except UserError as error:  # one bad file does not stop the others
            failed.append(str(error))
            log.error("error: %s", error)
    if there:
        log.info("%d of %d files were separated before", there, len(files))
    if failed:
        raise UserError(
            f"{len(failed)} of {len(files)} files were not separated:\n  " + "\n  ".join(failed)
        )


def separate(path, folder, make, about):
    """Separate one file into `folder`, in bounded memory. Returns what `separation.json` holds."""
    from tqdm import tqdm

    import streams
    from algorithms import Streamed, confidence
    from labels import file_names
    from separations import picture_of

    recording = streams.File(path)
    if recording.flaw is not None:
        log.warning("%s: %s; only this much of it is separated", path, recording.flaw)
        about = {**about, "missing": recording.flaw}
    work = Streamed(make, recording)
    rate, length = recording.sample_rate, recording.length
    bar = tqdm(total=round(length / rate, 1), desc=path.name, unit="s", disable=None, leave=False)
    titles = file_names(work.labels, len(work.labels)) if work.labels else None
    with bar, streams.SourceFiles(folder, rate, length, about["format"], titles) as sources:
        for piece in work.pieces():
            sources.write(piece)
            bar.update(round(piece.shape[-1] / rate, 1))
        record = {**about, "input": stamp(path), "confidence": confidence(work.algorithm)}
        paths = sources.finish(record)
    if "picture" in about:
        write_files({folder / about["picture"]: picture_of(path, recording, paths, work)})
    return {**record, "files": [path.name for path in paths]}


def is_done(path, folder, about):
    """Are the sources of this very file, made by this very algorithm, there already?"""
    try:
        record = read_json(folder / recordings.RECORD)
        same = {key: record[key] for key in about} == json.loads(json.dumps(about))
        names = [*record["files"], *([about["picture"]] if "picture" in about else [])]
        files = [folder / name for name in names]
        return same and record["input"] == stamp(path) and all(map(Path.is_file, files))
    except (UserError, OSError, KeyError, TypeError):
        return False  # not there, or another's


def stamp(path):
    """What tells that a file is still the same."""
    about = path.stat()
    return {"path": str(path), "bytes": about.st_size, "modified_ns": about.st_mtime_ns}


def find_files(config):
    """[(audio file, folder for its sources)] of the paths, folders and patterns in the config."""
    found, problems = [], []
    for number, entry in enumerate(config.separate.files):
        some = recordings.find(entry)
        if some is None:
            key = f"separate.files[{number}]"
            said = f"{entry!r} is no file; name one, a folder, or a pattern (*.wav)"
            problems.append(config.problem(key, said))
        found += some or []
    if not found and not problems:
        tried = ", ".join(map(repr, config.separate.files))
        said = f"no audio file is found by {tried}; put audio there, or name other files"
        problems.append(config.problem("separate.files", said))
    config.require(problems)
    return recordings.with_folders(found, Path(config.separate.output_folder))


if __name__ == "__main__":
    run(main, __doc__, needs=("algorithm", "separate"))
