"""The files that a folder is made of, and what is made again when they change."""

import logging
from pathlib import Path

from tqdm import tqdm

from errors import UserError, amount
from files import files_below

from .convert import AUDIO
from .download import digest
from .manifest import MANIFEST

NAMED = 3  # so many files are named in a message, the others counted
log = logging.getLogger("prepare")


def described(source, folder, known=None):
    """{name: {"bytes", "modified_ns", "sha256"}} of the files below `source`.

    Manifests, and files of `folder` where it lies below, are none of the source's.

    Args:
        known: what this function returned before: a file of the same size and time is not read.

    Raises:
        UserError: a file cannot be read.
    """
    own = Path(folder).absolute()
    paths = [
        path
        for path in files_below(source)
        if path.name != MANIFEST and own not in path.absolute().parents
    ]
    files = {}
    for path in tqdm(paths, desc="reading the source", unit="file", disable=None):
        name, about = path.relative_to(source).as_posix(), path.stat()
        files[name] = {"bytes": about.st_size, "modified_ns": about.st_mtime_ns}
        before = (known or {}).get(name, {})
        same = all(before.get(key) == value for key, value in files[name].items())
        try:
            files[name]["sha256"] = before["sha256"] if same else digest(path)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    return files


def differing(known, found):
    """[name] of the files in `found` that are new or have other content than in `known`; of an
    unknown source (None) there are none."""
    if known is None:
        return []
    hashes = {name: file["sha256"] for name, file in known.items()}
    return [name for name, file in found.items() if hashes.get(name) != file["sha256"]]


def forget(source, folder, steps, known, found):
    """Remove from `folder` what was made of files of the source that are others now, so that it
    is made again.

    Raises:
        UserError: audio is new or changed, and a step does not tell what it makes of which file.
    """
    names, tell = differing(known, found), all(hasattr(step, "target") for step in steps)
    if not tell:  # such steps read audio alone
        names = [name for name in names if Path(name).suffix.lower() in AUDIO]
    if not names:
        return
    more = f" and {amount(len(names) - NAMED, 'other')}" if len(names) > NAMED else ""
    what = f"{source}: new or changed since {folder} was made of it: {', '.join(names[:NAMED])}"
    if not tell:
        raise UserError(
            f"{what}{more}; remove {folder} to make it again of what is there now, or put back "
            "what was there"
        )
    log.info("%s%s", what, more)
    for step in steps:
        made = {step.target(Path(name)) for name in known if name in names or name not in found}
        for name in names:
            if step.target(Path(name)) in made:
                (folder / step.target(Path(name))).unlink(missing_ok=True)
