"""Files that are complete or absent: the one way this project writes."""

import csv
import io
import json
import os
import tempfile
from pathlib import Path

from errors import UserError

PROJECT = Path(__file__).resolve().parent  # the folder of this project
UNFINISHED = ".unfinished"  # how names end under which files are written


def readable(name):
    """A file's name as text that can be printed and written: what in it is not UTF-8, as names from
    a zip file of an old Windows are not, becomes an escape (`\\udce9`)."""
    return str(name).encode("utf-8", "backslashreplace").decode("utf-8")


def is_hidden(name):
    """Is this the name of a hidden file or folder? What begins with a dot: also the ._
    files that a Mac leaves beside each file, and what `write_files` has not finished."""
    return name.startswith(".") or name == "__MACOSX"


def files_below(folder, entered=lambda folder, names: True, left_out=lambda path: None):
    """The files in a folder and below it, sorted: hidden ones are ignored, links to folders are
    followed, without following cycles.

    Args:
        entered: of a folder below and the names of its files, is it looked into?
        left_out: is called with what is no file: pipes, devices, links that lead nowhere.

    Raises:
        UserError: a folder that may not be looked into.
    """

    def refuse(error):
        if not isinstance(error, FileNotFoundError):
            raise UserError(f"{error.filename}: cannot be looked into ({error.strerror})")

    found, seen = [], set()
    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        here, real = Path(place), os.path.realpath(place)
        if real in seen or (here != Path(folder) and not entered(here, names)):
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        found += [here / name for name in names if not is_hidden(name)]
    files = {path: path.is_file() for path in sorted(found)}
    for path in (path for path, is_file in files.items() if not is_file):
        left_out(path)
    return [path for path, is_file in files.items() if is_file]


def remove_unfinished(folder):
    """Remove what a killed run was writing in a folder and below it."""
    for path in Path(folder).rglob(f".*{UNFINISHED}"):
        path.unlink(missing_ok=True)


def read_json(path, keys=()):
    """The content of a JSON file that this project wrote: a dict with at least these keys.

    Raises:
        UserError: it cannot be read, or is another's.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        lacking = [key for key in keys if key not in content]
        if not isinstance(content, dict) or lacking:
            raise ValueError(f"no {', '.join(lacking) or 'mapping'} in it")
        return content
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path}: damaged, or not written by this project ({error}); remove it and run what "
            "wrote it again"
        ) from error


def write_files(contents):
    """Write files, all of them whole or none.

    A reader, and a run after `kill -9` or a full disk, finds the old file or the new
    one, never a part of one: everything is on the disk under other names before the first file gets
    its own.

    Args:
        contents: {path: bytes or text}; folders are made where they are missing.

    Raises:
        UserError: a folder cannot be made or written to, or the disk is full.
    """
    temporaries = {}
    path = None
    try:
        for path, content in contents.items():
            path = Path(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            # 40 characters: a name may have 255 bytes, and a character up to 4
            handle, name = tempfile.mkstemp(UNFINISHED, f".{path.name[:40]}.", path.parent)
            temporaries[Path(name)] = path
            with os.fdopen(handle, "wb") as file:
                # an escape is what JSON reads back as the same name
                as_bytes = content if isinstance(content, bytes) else readable(content).encode()
                file.write(as_bytes)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o666 & ~_umask())
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
    """Rows, dicts with the keys of the first one, as the text of a CSV file with a heading."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]))
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _umask():
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
