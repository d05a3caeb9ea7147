"""File locks (flock), which the system releases when the process that holds them ends."""

import errno
import os

from errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

AVAILABLE = fcntl is not None
# errors of file systems without locks
UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def open_lock_file(path, setting="info.output_folder"):
    """Open a file to be locked; the file and its folder are created if they are missing.

    Args:
        setting: what names the folder, for the error message.

    Raises:
        UserError: the folder is not writable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "a+", encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{path.parent}: cannot be written ({error.strerror or error}); choose another "
            f"{setting}"
        ) from error


def try_lock(file):
    """Lock an open file until it is closed, in all processes that have inherited it.

    Returns:
        False if another process holds the lock; True if it was free, or if the system has no locks
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


def acquire(path, setting="info.output_folder"):
    """Create a lock file and lock it. The caller releases it: removes the file, then closes it.

    Args:
        setting: as of `open_lock_file`.

    Returns:
        the locked file; None if another process holds the lock.

    Raises:
        UserError: as `open_lock_file`.
    """
    while True:
        file = open_lock_file(path, setting)
        if not try_lock(file):
            file.close()
            return None
        if is_at(file, path):
            return file
        file.close()  # the previous holder removed the file after it was opened here: try again


def is_at(file, path):
    """Is the open file still the one at `path`?"""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
