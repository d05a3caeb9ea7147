"""Separate audio files: python -m scripts.separate -p experiments/separate.yml"""

import glob
import json
import logging
from pathlib import Path

from files import UserError, write_files
from scripts.common import run

log = logging.getLogger("separate")

AUDIO = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")  # what is taken from a folder


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
                log.info("  how distinct the clusters are (no certainty of being right, see "
                         "docs/separation.md): %s", values)  # fmt: skip
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
        record = json.loads((folder / "separation.json").read_text(encoding="utf-8"))
        same = {key: record[key] for key in about} == json.loads(json.dumps(about))
        names = [*record["files"], *([about["picture"]] if "picture" in about else [])]
        files = [folder / name for name in names]
        return same and record["input"] == stamp(path) and all(map(Path.is_file, files))
    except (OSError, ValueError, KeyError, TypeError):
        return False  # not there, or of another making


def stamp(path):
    """What tells that a file is still the same."""
    about = path.stat()
    return {"path": str(path), "bytes": about.st_size, "modified_ns": about.st_mtime_ns}


def find_files(config):
    """[(audio file, folder for its sources)] of the paths, folders and patterns in the config."""
    files, problems = [], []
    for number, entry in enumerate(config.separate.files):
        pattern = any(sign in entry for sign in "*?[") and not Path(entry).exists()
        if pattern:
            found = [Path(path) for path in sorted(glob.glob(entry, recursive=True))]
            files += [path for path in found if path.is_file()]
        elif Path(entry).is_dir():
            inside = sorted(path for path in Path(entry).rglob("*") if path.is_file())
            files += [path for path in inside if path.suffix.lower() in AUDIO]
        elif Path(entry).is_file():
            files.append(Path(entry))
        else:
            problems.append(
                config.problem(
                    f"separate.files[{number}]",
                    f"{entry!r} is no file; name one, a folder, or a pattern (*.wav)",
                )
            )
    if not files and not problems:
        problems.append(
            config.problem(
                "separate.files",
                f"no file is like {', '.join(map(repr, config.separate.files))}; "
                "put audio there, or name other files",
            )
        )
    config.require(problems)
    files = list(dict.fromkeys(files))
    return list(zip(files, folders_of(files, Path(config.separate.output_folder)), strict=True))


def folders_of(files, output):
    """A folder for each file, called after it: song.wav and song.mp3, a/song.wav and b/song.wav
    must not share one."""
    names = [Path(path.stem) for path in files]
    for depth in range(1, max(len(path.parts) for path in files) + 1):
        if len(set(names)) == len(names):
            break
        names = [
            name if names.count(name) == 1 else Path(*path.absolute().parts[1:][-depth:])
            for name, path in zip(names, files, strict=True)
        ]
    return [output / name for name in names]


if __name__ == "__main__":
    run(main, __doc__, needs=("algorithm", "separate"))
