"""The contents of a prepared folder: each file with its hash, and one hash of all."""

import hashlib
import json
import os
from pathlib import Path

from tqdm import tqdm

import audio
from errors import UserError, raise_all
from files import files_below, read_json, write_files

from .download import digest

MANIFEST = "manifest.json"
PLAN = ".prepare.json"  # what is being made, until the manifest tells what was made


def written(folder, plan):
    """Is `folder` what `plan` makes, with every file as it was made? A reason if not, else None.

    A file of the same size that was touched since is compared by its hash.

    Raises:
        UserError: files were changed since, which are neither kept nor replaced unasked.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        return "no manifest"
    manifest = _read(path, "plan", "files")
    if sources(folder) != manifest.get("sources"):
        return "made of other sources"
    if not _same(manifest["plan"], plan):
        return "another plan"
    missing = [name for name in manifest["files"] if not (Path(folder) / name).is_file()]
    changed = [
        name
        for name, file in manifest["files"].items()
        if name not in missing and _changed(Path(folder) / name, file)
    ]
    other = "" if plan["steps"] else f", or remove {MANIFEST} to take it as it is"
    raise_all(
        f"{Path(folder) / name}: is not what was made, by its size or hash in {MANIFEST}; remove "
        f"it and run this again{other}"
        for name in changed
    )
    if missing:
        return f"{missing[0]} is missing"
    if len(_files(folder)) != len(manifest["files"]):
        return "there are more files"
    return None


def sources(folder):
    """What `begin` or `write` last noted of the files that `folder` is made of; None: nothing."""
    paths = [path for name in (PLAN, MANIFEST) if (path := Path(folder) / name).is_file()]
    return _read(paths[0], "plan").get("sources") if paths else None


def begin(folder, plan, source, sources):
    """Note in `folder` what is made there, and of what.

    Args:
        source: the folder that is read, of which nothing is made if the plan has no steps.
        sources: {name: facts} of its files, None if they are not known; a manifest of what was
            made of others is removed.

    Raises:
        UserError: something else is in the folder: made by another plan, or by someone else.
    """
    folder = Path(folder)
    for path in (folder / MANIFEST, folder / PLAN):
        if path.is_file() and not _same(_read(path, "plan")["plan"], plan):
            raise UserError(
                f"{folder}: was made by another plan ({path.name} tells which); remove it, or "
                "choose another prepare.folder"
            )
    made = _read(folder / MANIFEST, "files") if (folder / MANIFEST).is_file() else {}
    if plan["steps"] and (made or not (folder / PLAN).is_file()):
        _refuse_foreign(folder, source, made.get("files", {}))
    note = {"plan": plan, "sources": sources}
    write_files({folder / PLAN: json.dumps(note, indent=1, ensure_ascii=False) + "\n"})
    if sources != made.get("sources"):
        (folder / MANIFEST).unlink(missing_ok=True)


def _refuse_foreign(folder, source, made):
    """Audio that is there when work begins must be what was made before."""
    source = Path(source).absolute()
    raise_all(
        f"{path}: was not made by this preparation; move it away, or choose another prepare.folder"
        for path in _files(folder)
        if path.suffix.lower() in audio.SUFFIXES
        and path.relative_to(folder).as_posix() not in made
        and source not in path.absolute().parents
    )


def write(folder, plan, archives=None, sources=None):
    """Write `manifest.json`, and return its hash.

    The hash is the SHA-256 over name and SHA-256 of every file, in the order of names: the same
    files have the same hash, wherever and whenever they were made.

    Args:
        archives: {file: SHA-256} of what was unpacked.
        sources: {name: facts} of the files that the folder was made of, None if it was of none.

    Raises:
        UserError: no files, or audio files that are cut short or cannot be read; all are named.
    """
    folder = Path(folder)
    paths = _files(folder)
    if not paths:
        raise UserError(f"{folder}: holds no files to write a manifest of")
    files, problems = {}, []
    for path in tqdm(paths, desc="writing the manifest", unit="file", disable=None):
        try:
            files[path.relative_to(folder).as_posix()] = _described(path)
        except UserError as error:
            problems.append(str(error))
    raise_all(problems)
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(os.fsencode(name) + f"\0{files[name]['sha256']}\n".encode())
    manifest = {
        "hash": total.hexdigest(),
        "plan": plan,
        "archives": archives or {},
        "sources": sources,
        "files": files,
    }
    write_files({folder / MANIFEST: json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"})
    (folder / PLAN).unlink(missing_ok=True)
    return manifest["hash"]


def _files(folder):
    return [path for path in files_below(folder) if path.name != MANIFEST]


def _described(path):
    about = path.stat()
    facts = {"bytes": about.st_size, "modified_ns": about.st_mtime_ns, "sha256": digest(path)}
    if path.suffix.lower() in audio.SUFFIXES:
        facts |= dict(zip(("sample_rate", "channels", "length"), audio.info(path), strict=True))
    return facts


def _changed(path, file):
    about = path.stat()
    if about.st_size != file["bytes"]:
        return True
    return about.st_mtime_ns != file.get("modified_ns") and digest(path) != file["sha256"]


def _same(one, other):
    """Do two plans make the same? Archives count by name: a plan without them works on a copy, and
    a hash may be written down later."""
    if one.get("steps") != other.get("steps"):
        return False
    first, second = (
        {name: sha256 for name, sha256 in plan.get("downloads", [])} for plan in (one, other)
    )
    hashes = [{first[name], second[name]} - {None} for name in first.keys() & second.keys()]
    alike = first.keys() == second.keys() and all(len(known) < 2 for known in hashes)
    return not first or not second or alike


def _read(path, *keys):
    content = read_json(path, keys)
    try:
        _same(content["plan"], content["plan"])
        for file in [*content.get("files", {}).values(), *(content.get("sources") or {}).values()]:
            file["bytes"], file["sha256"]
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise UserError(
            f"{path}: not as scripts.prepare writes it ({error!r}); remove it and run it again"
        ) from error
    return content
