"""Files that are whole or not there: the one way this project writes."""

import contextlib
import os
import tempfile
from pathlib import Path


class UserError(Exception):
    """Something that the person at the keyboard can mend; scripts print its text and leave with 1.

    The text names the file or key, what was found and what would do.
    """


@contextlib.contextmanager
def written(path):
    """Give a temporary path beside `path`; what was written there becomes `path` if all went well.

    A reader, and whoever starts again after `kill -9` or a full disk, finds the old file or the new
    one, never a part of one. The temporary name keeps the suffix, from which some writers tell the
    format.

    Raises:
        UserError: the folder cannot be made or written to, or the disk is full.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part" + path.suffix
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror or error}); "
            "free the disk or choose another output folder"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask():
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
