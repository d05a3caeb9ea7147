"""One training run at a time in an output folder."""

import contextlib
import os
import socket
import time
from pathlib import Path

import locks
from errors import UserError

UNKNOWN = "process unknown"


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
        if not locks.AVAILABLE or self.file is not None:
            return
        self.file = locks.acquire(self.path)
        if self.file is None:
            raise UserError(
                f"{self.path.parent}: another training run is active here ({self._holder()}); "
                "wait for it, stop it, or choose another info.output_folder"
            )
        self._sign()

    def check(self):
        """Raise a UserError if the folder was moved or removed since the lock was taken: it would
        be made again, with a part of the run in it."""
        if self.file is not None and not locks.is_at(self.file, self.path):
            folder = self.path.parent
            raise UserError(
                f"{folder}: was moved or removed while this training run was active, or its "
                f"{self.path.name} was, so the run has stopped; to resume it from its last "
                f"checkpoint, move the folder back, or give scripts.train its new name as -p"
            )

    def release(self):
        """Give the lock back, and remove what it left."""
        if self.file is None:
            return
        self.path.unlink(missing_ok=True)
        self.file.close()
        self.file = None
        with contextlib.suppress(OSError):  # there is something in the folder: it stays
            self.path.parent.rmdir()

    def _holder(self):
        try:
            return self.path.read_text(encoding="utf-8").strip() or UNKNOWN
        except OSError:  # it has just ended
            return UNKNOWN

    def _sign(self):
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        self.file.truncate(0)
        self.file.write(f"process {os.getpid()} on {socket.gethostname()}, since {since}\n")
        self.file.flush()
