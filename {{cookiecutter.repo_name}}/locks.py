"""File locks that the system takes from a process that ends, however it ends."""

import errno

from errors import UserError

try:
    import fcntl
except ImportError:  # Windows: no lock
    fcntl = None  # type: ignore[assignment]

AVAILABLE = fcntl is not None  # on this system
UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def opened(path):
    """A file to lock, opened to append and read; it and its folder are made where they are missing.

    Raises:
        UserError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "a+", encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{path.parent}: cannot be written ({error.strerror or error}); choose another "
            "info.output_folder"
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
