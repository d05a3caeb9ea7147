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
ITEM = re.compile(r"\d{8}\.json")  # the name of an item's file
LOCK = "evaluation.lock"  # in the folder while an evaluation writes to it


class Results:
    """The folder of an evaluation; `folder/unfinished/` has a file for each item scored so far.

    Args:
        folder: where the tables are written when all items are scored.
        identity: plain data that says what is scored and how. Items that were scored under another
            identity are scored again; the results of another checkpoint are not overwritten.
    """

    def __init__(self, folder, identity):
        self.folder, self.unfinished = Path(folder), Path(folder) / "unfinished"
        self.identity = json.loads(json.dumps(identity))

    @contextlib.contextmanager
    def alone(self):
        """A context in which no other evaluation writes to the folder, as far as the file system
        supports locks.

        Raises:
            UserError: another evaluation is writing to it.
        """
        if not locks.AVAILABLE or not distributed.is_main_process():
            yield
            return
        lock = locks.acquire(self.folder / LOCK)
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
        """Prepare the folder, and remove items that were scored under another identity.

        Returns:
            {index: result of that item}; the caller checks them, as files may be damaged.

        Raises:
            UserError: the folder holds the results of another checkpoint.
        """
        before = _read(self.unfinished / "identity.json")
        items = [path for path in self.unfinished.glob("*.json") if ITEM.fullmatch(path.name)]
        # an evaluation that ended before its first item left nothing to be mixed up
        for content in (before if items else None, _read(self.folder / "summary.json")):
            self._refuse_another_checkpoint(content)
        if before != self.identity:
            shutil.rmtree(self.unfinished, ignore_errors=True)
            text = json.dumps(self.identity, indent=1) + "\n"
            write_files({self.unfinished / "identity.json": text})
        results = {}
        for path in items:
            content = _read(path)
            if content is not None and _is_result(content):
                results[int(path.stem)] = content
        return results

    def _refuse_another_checkpoint(self, content):
        if not content or "checkpoint" not in content:
            return
        before, now = str(content["checkpoint"] or MISSING), self.identity["checkpoint"] or MISSING
        if before != now:
            raise UserError(
                f"{self.folder}: holds the results of another checkpoint (SHA-256 {before[:12]}, "
                f"now {now[:12]}); remove the folder, or give info.output_folder another name"
            )

    def keep(self, index, content):
        """Write the result of the item at `index`, plain data, so that it is not scored again."""
        write_files({self.unfinished / f"{index:08d}.json": json.dumps(content)})

    def finish(self, contents):
        """Write the files of the whole evaluation, {name: text}, and remove those of the items."""
        write_files({self.folder / name: content for name, content in contents.items()})
        shutil.rmtree(self.unfinished, ignore_errors=True)


def _is_result(content):
    """Has this the form of an item's result? Damaged ones are scored again."""
    if "name" not in content:
        return False
    rows = content.get("rows")
    has_rows = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
    return has_rows or "failed" in content


def _read(path):
    """The mapping in a JSON file; None if the file is missing, damaged or holds something else."""
    try:
        return read_json(path)
    except UserError:
        return None
