"""What lies in a prepared folder: each file with its hash, and one hash of all."""

import hashlib
import json
from pathlib import Path

import soundfile
from tqdm import tqdm

from files import UserError, write_files

from .download import digest

MANIFEST = "manifest.json"
PLAN = ".prepare.json"  # what is being made, until the manifest tells what was made


def written(folder, plan):
    """Is `folder` what `plan` makes, with every file in its size? A reason if not, else None."""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        return "no manifest"
    manifest = _read(path)
    if manifest["plan"] != plan:
        return "another plan"
    for name, file in manifest["files"].items():
        there = Path(folder) / name
        if not there.is_file() or there.stat().st_size != file["bytes"]:
            return f"{name} is missing or has another size"
    if len(_files(folder)) != len(manifest["files"]):
        return "there are more files"
    return None


def begin(folder, plan):
    """Note in `folder` what is made there; refuse a folder in which something else is."""
    folder = Path(folder)
    for path in (folder / MANIFEST, folder / PLAN):
        if path.is_file() and _read(path)["plan"] != plan:
            raise UserError(
                f"{folder}: was made by another plan ({path.name} tells which); remove it, or "
                "choose another prepare.folder"
            )
    write_files({folder / PLAN: json.dumps({"plan": plan}, indent=1) + "\n"})


def write(folder, plan):
    """Write `manifest.json`, and return its hash.

    The hash is the SHA-256 over name and SHA-256 of every file, in the order of names: the same
    files have the same hash, wherever and whenever they were made.
    """
    folder = Path(folder)
    paths = _files(folder)
    if not paths:
        raise UserError(f"{folder}: holds no files to write a manifest of")
    files = {}
    for path in tqdm(paths, desc="writing the manifest", unit="file", disable=None):
        files[path.relative_to(folder).as_posix()] = _described(path)
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name}\0{files[name]['sha256']}\n".encode())
    manifest = {"hash": total.hexdigest(), "plan": plan, "files": files}
    write_files({folder / MANIFEST: json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"})
    (folder / PLAN).unlink(missing_ok=True)
    return manifest["hash"]


def _files(folder):
    return [
        path
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.name not in (MANIFEST, PLAN)
    ]


def _described(path):
    told = {"bytes": path.stat().st_size, "sha256": digest(path)}
    try:
        header = soundfile.info(str(path))
    except (soundfile.LibsndfileError, RuntimeError):  # no audio: a list, a text, a picture
        return told
    return {
        **told,
        "sample_rate": header.samplerate,
        "channels": header.channels,
        "length": header.frames,
    }


def _read(path):
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["plan"]  # noqa: B018 (is it there?)
        return content
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: not written by scripts.prepare ({error!r}); remove it and run it again"
        ) from error
