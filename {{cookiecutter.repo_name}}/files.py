"""Files that are whole or not there: the one way this project writes."""

import csv
import io
import os
import tempfile
from pathlib import Path


class UserError(Exception):
    """Something that the person at the keyboard can mend; scripts print its text and leave.

    The text names the file or key, what was found and what would do.
    """

    status = 1  # what a script leaves with


def is_hidden(name):
    """Is a file or folder of this name no data of anybody's? What begins with a dot: also the ._
    files that a Mac leaves beside each file, and what `write_files` has not finished."""
    return name.startswith(".") or name == "__MACOSX"


def write_files(contents):
    """Write files, all of them whole or none.

    A reader, and whoever starts again after `kill -9` or a full disk, finds the old file or the new
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
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
            temporaries[Path(name)] = path
            with os.fdopen(handle, "wb") as file:
                file.write(content.encode("utf-8") if isinstance(content, str) else content)
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
