"""File locks that the system takes from a process that ends, however it ends."""

import errno
import os

from errors import UserError

try:
    import fcntl
except ImportError:  # Windows: no lock
    fcntl = None  # type: ignore[assignment]

AVAILABLE = fcntl is not None  # on this system
UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def opened(path, folder="info.output_folder"):
    """A file to lock, opened to append and read; it and its folder are made where they are missing.

    folder: what to choose another of where that cannot be done.

    Raises:
        UserError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "a+", encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{path.parent}: cannot be written ({error.strerror or error}); choose another {folder}"
        ) from error


def take(file):
    """Lock an open file until it is closed, in all processes that have inherited it.

    Returns:
        false if another process holds the lock; true if it was free, or where there are no locks
        (Windows, some network file systems).
    """
    if not AVAILABLE:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    return True


def taken(path, folder="info.output_folder"):
    """A file that is there as long as it is locked: whoever has it removes it, then closes it.

    folder: as of `opened`.

    Returns:
        the locked file; None if another process holds the lock.

    Raises:
        UserError: as `opened`.
    """
    while True:
        file = opened(path, folder)
        if not take(file):
            file.close()
            return None
        if _is_at(file, path):  # else its last holder has just removed it
            return file
        file.close()


def _is_at(file, path):
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
