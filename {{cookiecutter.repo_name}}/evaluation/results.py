"""What an evaluation has scored so far, kept item by item, so that it can be resumed."""

import contextlib
import json
import re
import shutil
from pathlib import Path

import distributed
import locks
from errors import UserError
from files import read_json, write_files

MISSING = "none"
LOCK = "evaluation.lock"  # in the folder as long as it is written to


class Results:
    """The folder of an evaluation; `folder/unfinished/` holds a file for each item scored.

    Args:
        folder: where the tables come when all items are there.
        identity: plain data that says what is scored and how; what was scored under another one is
            not resumed. Its key "checkpoint" must be that of everything in the folder.
    """

    def __init__(self, folder, identity):
        self.folder, self.unfinished = Path(folder), Path(folder) / "unfinished"
        self.identity = json.loads(json.dumps(identity))

    @contextlib.contextmanager
    def alone(self):
        """In this context no other evaluation writes into the folder, where the file system has
        locks: it would take items of this one, of other arguments, for its own.

        Raises:
            UserError: another does at this moment.
        """
        if not locks.AVAILABLE or not distributed.is_main_process():
            yield
            return
        lock = locks.taken(self.folder / LOCK)
        if lock is None:
            raise UserError(
                f"{self.folder}: another evaluation is active here; wait for it, stop it, or "
                "choose another info.output_folder"
            )
        try:
            yield
        finally:
            (self.folder / LOCK).unlink(missing_ok=True)
            lock.close()

    def begin(self):
        """Make the folder ready; what was scored under another identity is dropped.

        Returns:
            {index: what was kept of that item}; the caller checks it, files may be damaged

        Raises:
            UserError: the folder holds the results of another checkpoint.
        """
        before = _read(self.unfinished / "identity.json")
        for content in (before, _read(self.folder / "summary.json")):
            self._refuse_another_checkpoint(content)
        if before != self.identity:
            shutil.rmtree(self.unfinished, ignore_errors=True)
            text = json.dumps(self.identity, indent=1) + "\n"
            write_files({self.unfinished / "identity.json": text})
        kept = {}
        for path in self.unfinished.glob("*.json"):
            content = _read(path)
            if content is not None and re.fullmatch(r"\d{8}", path.stem) and _is_whole(content):
                kept[int(path.stem)] = content
        return kept

    def _refuse_another_checkpoint(self, content):
        if not content or "checkpoint" not in content:
            return
        there, here = str(content["checkpoint"] or MISSING), self.identity["checkpoint"] or MISSING
        if there != here:
            raise UserError(
                f"{self.folder}: holds the results of another checkpoint (SHA-256 {there[:12]}, "
                f"now {here[:12]}); remove the folder, or give info.output_folder another name"
            )

    def keep(self, index, content):
        """Keep what came of the item at `index`: plain data."""
        write_files({self.unfinished / f"{index:08d}.json": json.dumps(content)})

    def finish(self, contents):
        """Write the files {name: text} of the whole, and drop what was kept of its parts."""
        write_files({self.folder / name: content for name, content in contents.items()})
        shutil.rmtree(self.unfinished, ignore_errors=True)


def _is_whole(content):
    """Is this what came of an item? What is damaged is scored again."""
    rows = content.get("rows")
    known = "failed" in content or (isinstance(rows, list) and all(map(_is_mapping, rows)))
    return "name" in content and known


def _is_mapping(value):
    return isinstance(value, dict)


def _read(path):
    """The mapping in a JSON file; None if it is not there or none."""
    try:
        return read_json(path)
    except UserError:
        return None
