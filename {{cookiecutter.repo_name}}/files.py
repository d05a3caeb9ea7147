"""Reads folders and JSON files, and writes files atomically: complete, or not at all."""

import csv
import io
import json
import os
import tempfile
from pathlib import Path

from errors import UserError

PROJECT = Path(__file__).resolve().parent  # the folder of this project
UNFINISHED = ".unfinished"  # suffix of the temporary files of `write_files`


def printable(name):
    """A file's name as text that can be encoded as UTF-8. Bytes that are not UTF-8, as in names
    from zip files of old Windows versions, become escapes (`\\udce9`)."""
    return str(name).encode("utf-8", "backslashreplace").decode("utf-8")


def is_hidden(name):
    """Is this the name of a hidden file or folder? Hidden are names with a leading dot, such as the
    `._` files of macOS and the unfinished files of `write_files`, and the folder `__MACOSX`."""
    return name.startswith(".") or name == "__MACOSX"


def files_below(folder, enter=lambda folder, names: True, on_other=lambda path: None):
    """All files in a folder and its subfolders, sorted by path.

    Hidden files and folders are skipped. Links to folders are followed, but no folder is visited
    twice.

    Args:
        enter: function(subfolder, names of its files) -> is the subfolder searched?
        on_other: called with each path that is not a file: a pipe, a device, a broken link.

    Returns:
        [Path].

    Raises:
        UserError: a folder cannot be read.
    """

    def refuse(error):
        if not isinstance(error, FileNotFoundError):
            raise UserError(f"{error.filename}: cannot be read ({error.strerror})")

    found, visited = [], set()
    for current, subfolders, names in os.walk(folder, onerror=refuse, followlinks=True):
        path, real = Path(current), os.path.realpath(current)
        if real in visited or (path != Path(folder) and not enter(path, names)):
            subfolders.clear()
            continue
        visited.add(real)
        subfolders[:] = sorted(name for name in subfolders if not is_hidden(name))
        found += [path / name for name in names if not is_hidden(name)]
    files = []
    for path in sorted(found):
        if path.is_file():
            files.append(path)
        else:
            on_other(path)
    return files


def remove_unfinished(folder):
    """Remove the temporary files that a killed run left in a folder and its subfolders."""
    for path in Path(folder).rglob(f".*{UNFINISHED}"):
        path.unlink(missing_ok=True)


def read_json(path, keys=()):
    """The content of a JSON file that this project wrote: a dict that has at least `keys`.

    Raises:
        UserError: the file cannot be read, is not JSON or lacks a key.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        missing = [key for key in keys if key not in content]
        if not isinstance(content, dict) or missing:
            raise ValueError(f"no {', '.join(missing) or 'mapping'} in it")
        return content
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path}: damaged, or not written by this project ({error}); remove it and run what "
            "wrote it again"
        ) from error


def write_files(contents):
    """Write files atomically: each is either complete or absent (or the old version).

    All contents are written to temporary files and flushed to disk before the first one is renamed,
    so that `kill -9` or a full disk never leaves a partial file.

    Args:
        contents: {path: bytes or text}; missing folders are created.

    Raises:
        UserError: a folder cannot be created or written to, or the disk is full.
    """
    temporaries = {}
    path = None
    try:
        for path, content in contents.items():
            path = Path(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            # cut to 40 characters of up to 4 bytes: a file name may have 255 bytes
            handle, name = tempfile.mkstemp(UNFINISHED, f".{path.name[:40]}.", path.parent)
            temporaries[Path(name)] = path
            with os.fdopen(handle, "wb") as file:
                # JSON reads the escapes back as the same file name
                as_bytes = content if isinstance(content, bytes) else printable(content).encode()
                file.write(as_bytes)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, usual_mode())
        for temporary, path in temporaries.items():
            os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror or error}); "
            "free the disk or choose another output folder"
        ) from error
    finally:
        for temporary in temporaries:
            temporary.unlink(missing_ok=True)


def csv_text(rows):
    """The text of a CSV file with a header line; rows: [dict], all with the same keys."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def file_stamp(path):
    """{"bytes": size, "modified_ns": time of modification} of a file, to detect whether it has
    changed."""
    status = os.stat(path)
    return {"bytes": status.st_size, "modified_ns": status.st_mtime_ns}


def usual_mode(most=0o666):
    """The mode of a new file under the process's umask (`most=0o777`: of a folder). `tempfile`
    makes files that only their owner can read."""
    mask = os.umask(0o022)  # it can only be read by setting it
    os.umask(mask)
    return most & ~mask
