"""One training run at a time in an output folder."""

import contextlib
import os
import socket
import time
from pathlib import Path

import locks
from errors import UserError


class Lock:
    """A lock on a folder that the system takes away from a process that ends, however it ends.

    Args:
        folder: made where it is missing; the lock is the file `training.lock` in it.
    """

    def __init__(self, folder):
        self.path, self.file = Path(folder) / "training.lock", None

    def acquire(self):
        """Take the lock, where the file system has locks.

        Raises:
            UserError: another process holds it, or the folder cannot be written.
        """
        while locks.AVAILABLE and self.file is None:
            file = locks.opened(self.path)
            if not locks.take(file):
                file.seek(0)
                holder = file.read().strip() or "of which nothing is known yet"
                file.close()
                raise UserError(
                    f"{self.path.parent}: another training run is active here ({holder}); wait for "
                    "it, stop it, or choose another info.output_folder"
                )
            if self._is_current(file):  # else its last holder has just removed it
                self.file = file
                self._sign()

    def release(self):
        """Give the lock back, and remove what it left."""
        if self.file is None:
            return
        self.path.unlink(missing_ok=True)
        self.file.close()
        self.file = None
        with contextlib.suppress(OSError):  # there is something in the folder: it stays
            self.path.parent.rmdir()

    def _is_current(self, file):
        try:
            return os.path.samestat(os.fstat(file.fileno()), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _sign(self):
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        self.file.truncate(0)
        self.file.write(f"process {os.getpid()} on {socket.gethostname()}, since {since}\n")
        self.file.flush()
