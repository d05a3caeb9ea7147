"""Detects changes of the source's files, and removes what was made from changed ones."""

import logging
import os
from pathlib import Path

from tqdm import tqdm

from errors import UserError, amount, raise_all
from files import file_stamp, files_below

from .convert import AUDIO
from .download import digest
from .manifest import MANIFEST

NAMED = 3  # files that are named in a message; the others are counted
log = logging.getLogger("prepare")


def list_files(source, folder, known=None):
    """{name: {"bytes", "modified_ns", "sha256"}} of the files in `source` and its subfolders.

    Manifests, and the files of `folder` if it is below `source`, are not included.

    Args:
        known: an earlier result: files with the same size and time of modification are not read.

    Raises:
        UserError: a file cannot be read, or a symbolic link is broken.
    """
    own = Path(folder).absolute()
    broken = []
    found = files_below(source, on_other=lambda path: path.is_symlink() and broken.append(path))
    raise_all(
        f"{path}: a broken symbolic link ({os.readlink(path)}); repair or remove it"
        for path in broken
    )
    paths = [path for path in found if path.name != MANIFEST and own not in path.absolute().parents]
    files = {}
    for path in tqdm(paths, desc="reading the source", unit="file", disable=None):
        name = path.relative_to(source).as_posix()
        files[name] = file_stamp(path)
        before = (known or {}).get(name, {})
        same = all(before.get(key) == value for key, value in files[name].items())
        try:
            files[name]["sha256"] = before["sha256"] if same else digest(path)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    return files


def changed_files(known, found):
    """[name] of the files in `found` that are not in `known` or have another hash there; [] if
    `known` is None."""
    if known is None:
        return []
    hashes = {name: file["sha256"] for name, file in known.items()}
    return [name for name, file in found.items() if hashes.get(name) != file["sha256"]]


def warn_of_gone(source, folder, steps, known, found):
    """Warn of files in `folder` that were made from files which are no longer in the source.

    They are kept, because the source may be removed to free the disk (then `found` is empty), but
    after a renaming they are there twice.

    Args:
        steps, known, found: as of `remove_outdated`.
    """
    if not found or not known:
        return
    for step in steps:
        if not hasattr(step, "target"):
            continue
        made = {step.target(Path(name)) for name in found}
        gone = {step.target(Path(name)) for name in known if name not in found} - made
        kept = sorted(str(path) for path in gone if (folder / path).is_file())
        if kept:
            log.warning(
                "%s: keeps %s, whose sources are no longer in %s; remove them there if they were "
                "renamed or are not wanted",
                folder,
                _some(kept),
                source,
            )


def remove_outdated(source, folder, steps, known, found):
    """Remove from `folder` what was made from changed files of the source, to be made again.

    Args:
        steps: objects with `run`, and with `target(path)` if each file is made from one file.
        known, found: as of `changed_files`.

    Raises:
        UserError: audio files are new or changed, and a step has no `target`.
    """
    names = changed_files(known, found)
    have_targets = all(hasattr(step, "target") for step in steps)
    if not have_targets:  # such steps read only audio
        names = [name for name in names if Path(name).suffix.lower() in AUDIO]
    if not names:
        return
    what = f"{source}: new or changed since {folder} was made from it: {_some(names)}"
    if not have_targets:
        raise UserError(
            f"{what}; remove {folder} to make it again from the present files, or restore "
            "the earlier ones"
        )
    log.info("%s", what)
    for step in steps:
        made = {step.target(Path(name)) for name in known if name in names or name not in found}
        for name in names:
            if step.target(Path(name)) in made:
                (folder / step.target(Path(name))).unlink(missing_ok=True)


def _some(names):
    """The first names as text, and the number of the others."""
    more = f" and {amount(len(names) - NAMED, 'other')}" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
