"""The record of a pipeline's step, in a file: what it depends on, and the files that it wrote."""

import hashlib
import importlib.metadata
import json
from pathlib import Path

import provenance
import runs
from config.errors import show
from errors import UserError
from files import read_json, write_files

from . import traces

LISTED = 3  # differences that are named


class Digests:
    """SHA-256 of files; a file with the same size and time as before is not read again.

    Args:
        known: {path: [size, time in ns, digest]} of an earlier run.
    """

    def __init__(self, known=()):
        self.known = dict(known)

    def of(self, path):
        """The digest of a file, "" if it is missing."""
        try:
            stat = Path(path).stat()
        except OSError:
            return ""
        size, time, digest = self.known.get(str(path), (None, None, None))
        if (size, time) != (stat.st_size, stat.st_mtime_ns):
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            self.known[str(path)] = [stat.st_size, stat.st_mtime_ns, digest]
        return digest


class Record:
    """The record of a step: a JSON file, whole or absent.

    Args:
        path: of the file.
    """

    def __init__(self, path):
        self.path = Path(path)

    def read(self):
        """Its content; {} if the file is missing or damaged.

        {"state": "begun" or "done", "read": what `depends_on` returned, "began": time, "job": of
        the process, "left": {path that it wrote: digest}, "failed": why, ...}
        """
        try:
            return read_json(self.path, ("state", "read")) if self.path.exists() else {}
        except UserError:
            return {}

    def write(self, **content):
        write_files({self.path: json.dumps(content, indent=1) + "\n"})


def depends_on(script, config, digests):
    """What the result of a script depends on: {"settings", "inputs", "code", "versions"}, as plain
    data."""
    settings = traces.settings_of(script, config)
    inputs = traces.inputs_of(script, config, settings)
    return json.loads(
        json.dumps(
            {
                "settings": settings,
                "inputs": {str(path): digests.of(path) for path in inputs},
                "code": {part: provenance.digest_of([part]) for part in traces.code_of(script)},
                "versions": versions(),
            }
        )
    )


def differences(before, now):
    """The differences between two results of `depends_on`: [text]."""
    texts = []
    for key in _changed(before, now, "settings"):
        was, here = before["settings"].get(key), now["settings"].get(key)
        texts.append(f"{key} was {show(was, 40)}, is now {show(here, 40)}")
    for path in _changed(before, now, "inputs"):
        state = "another file" if path in now["inputs"] else "missing"
        texts.append(f"{path} is {state} now")
    parts = _changed(before, now, "code")
    if parts:
        texts.append(f"the code in {', '.join(parts[:LISTED])} is different")
    for name in _changed(before, now, "versions"):
        was, here = before["versions"].get(name), now["versions"].get(name)
        texts.append(f"{name} was {was}, is now {here}")
    more = len(texts) - LISTED
    return texts[:LISTED] + ([f"{more} more differences"] if more > 0 else [])


def another_training(before, now):
    """Do two results of `depends_on` differ in more than a resumed training run may change?"""
    keys = _changed(before, now, "settings")
    others = [_changed(before, now, part) for part in ("inputs", "code", "versions")]
    return not all(map(runs.may_change, keys)) or any(others)


def versions():
    """{package: version} of the packages that results depend on."""
    return {**provenance.versions(), "pytorch-ignite": importlib.metadata.version("pytorch-ignite")}


def _changed(before, now, part):
    was, here = before.get(part, {}), now[part]
    return sorted(key for key in {*was, *here} if was.get(key) != here.get(key))
