"""The manifest of a prepared folder: the hash of each file, and one hash of all of them."""

import hashlib
import json
import os
from pathlib import Path

from tqdm import tqdm

import audio
from errors import UserError, raise_all
from files import file_stamp, files_below, read_json, write_files

from .download import digest

MANIFEST = "manifest.json"
PLAN = ".prepare.json"  # the plan of an unfinished preparation; then it is in the manifest


def why_incomplete(folder, plan):
    """Why `folder` is not the complete result of `plan`, in words; None if it is.

    Files with the same size and another time of modification are compared by their hashes.

    Raises:
        UserError: files were changed after the preparation; they are not replaced.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        return "no manifest"
    manifest = _read(path, "plan", "files")
    if sources(folder) != manifest.get("sources"):
        return "made of other sources"
    if not _is_same_plan(manifest["plan"], plan):
        return "another plan"
    missing = [name for name in manifest["files"] if not (Path(folder) / name).is_file()]
    changed = [
        name
        for name, file in manifest["files"].items()
        if name not in missing and _is_changed(Path(folder) / name, file)
    ]
    alternative = "" if plan["steps"] else f", or remove {MANIFEST} to accept it as it is"
    raise_all(
        f"{Path(folder) / name}: was changed after its preparation, by its size or hash in "
        f"{MANIFEST}; remove it and run this again{alternative}"
        for name in changed
    )
    if missing:
        return f"{missing[0]} is missing"
    if len(_files(folder)) != len(manifest["files"]):
        return "there are more files"
    return None


def sources(folder):
    """{name: facts} of the source's files, as `begin` or `write` recorded them; None: nothing."""
    paths = [path for name in (PLAN, MANIFEST) if (path := Path(folder) / name).is_file()]
    return _read(paths[0], "plan").get("sources") if paths else None


def begin(folder, plan, source, sources):
    """Record in `folder` that its preparation begins. A manifest for other sources is removed.

    Args:
        plan: what determines the result, as plain data.
        source: the folder that the steps read.
        sources: {name: facts} of its files, as of `sources.list_files`; None: unknown.

    Raises:
        UserError: the folder was prepared by another plan, or has audio files from elsewhere.
    """
    folder = Path(folder)
    for path in (folder / MANIFEST, folder / PLAN):
        if path.is_file() and not _is_same_plan(_read(path, "plan")["plan"], plan):
            raise UserError(
                f"{folder}: was made by another plan (see {path.name}); remove it, or choose "
                "another prepare.folder"
            )
    made = _read(folder / MANIFEST, "files") if (folder / MANIFEST).is_file() else {}
    if plan["steps"] and (made or not (folder / PLAN).is_file()):
        _check_for_other_audio(folder, source, made.get("files", {}))
    note = {"plan": plan, "sources": sources}
    write_files({folder / PLAN: json.dumps(note, indent=1, ensure_ascii=False) + "\n"})
    if sources != made.get("sources"):
        (folder / MANIFEST).unlink(missing_ok=True)


def _check_for_other_audio(folder, source, made):
    """Raise a UserError if the folder has audio files that are neither in `made`, the files of its
    manifest, nor in `source`."""
    source = Path(source).absolute()
    raise_all(
        f"{path}: was not made by this preparation; move it away, or choose another prepare.folder"
        for path in _files(folder)
        if path.suffix.lower() in audio.SUFFIXES
        and path.relative_to(folder).as_posix() not in made
        and source not in path.absolute().parents
    )


def write(folder, plan, archives=None, sources=None):
    """Write `manifest.json`.

    Args:
        plan: what determined the content of the folder.
        archives: {file: SHA-256} of the archives that were unpacked.
        sources: {name: facts} of the files that the steps read; None: unknown.

    Returns:
        the hash of the manifest: the SHA-256 over the names and SHA-256 of all files, sorted by
        name. The same files have the same hash, wherever and whenever they were made.

    Raises:
        UserError: there are no files, or audio files are truncated or cannot be read.
    """
    folder = Path(folder)
    paths = _files(folder)
    if not paths:
        raise UserError(f"{folder}: holds no files to write a manifest of")
    files, problems = {}, []
    for path in tqdm(paths, desc="writing the manifest", unit="file", disable=None):
        try:
            files[path.relative_to(folder).as_posix()] = _facts(path)
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


def _facts(path):
    """The entry of a file in the manifest."""
    facts = file_stamp(path) | {"sha256": digest(path)}
    if path.suffix.lower() in audio.SUFFIXES:
        facts |= dict(zip(("sample_rate", "channels", "length"), audio.info(path), strict=True))
    return facts


def _is_changed(path, file):
    """Does a file differ from its entry in the manifest?"""
    about = path.stat()
    if about.st_size != file["bytes"]:
        return True
    return about.st_mtime_ns != file.get("modified_ns") and digest(path) != file["sha256"]


def _is_same_plan(one, other):
    """Do two plans give the same result?

    Their steps have to be equal. Their downloads must have the same names and no different hashes;
    a plan without downloads, which uses an existing copy, equals one with downloads.
    """
    if one.get("steps") != other.get("steps"):
        return False
    first = {name: sha256 for name, sha256 in one.get("downloads", [])}
    second = {name: sha256 for name, sha256 in other.get("downloads", [])}
    if not first or not second:
        return True
    if first.keys() != second.keys():
        return False
    return all(len({first[name], second[name]} - {None}) < 2 for name in first)


def _read(path, *keys):
    """The content of a manifest or plan, if it has the structure that this module writes."""
    content = read_json(path, keys)
    try:
        _is_same_plan(content["plan"], content["plan"])
        for file in [*content.get("files", {}).values(), *(content.get("sources") or {}).values()]:
            file["bytes"], file["sha256"]
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise UserError(
            f"{path}: not as scripts.prepare writes it ({error!r}); remove it and run it again"
        ) from error
    return content
