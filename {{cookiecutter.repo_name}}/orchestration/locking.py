"""File locks that a process shares with those that it starts, held until all of them have ended."""

import time
from pathlib import Path

import locks
from errors import UserError


class Lock:
    """A file lock, as a context.

    A process that inherits `descriptors` holds the lock too: if a script outlives the process that
    started it, the lock is held until the script has ended. The system releases the locks of a
    process that is killed.

    Args:
        path: of the lock file, which is made if it is missing.
        seconds: how long to wait while another process holds the lock.
        refusal: the error message after that.
        waiting: function(), called once before waiting.

    Raises:
        UserError: on entering the context, if another process holds the lock for too long.
    """

    def __init__(self, path, seconds=0.0, refusal="", waiting=lambda: None):
        self.path, self.seconds, self.refusal = Path(path), seconds, refusal
        self.waiting, self.file = waiting, None

    @property
    def descriptors(self):
        """What `subprocess` takes as `pass_fds`."""
        return (self.file.fileno(),) if self.file and locks.AVAILABLE else ()

    def take(self):
        """Take the lock if it is free.

        Returns:
            whether it was free.

        Raises:
            UserError: its folder cannot be written.
        """
        self.file = self.file or locks.open_lock_file(self.path)
        return locks.try_lock(self.file)

    def close(self):
        """Release the lock."""
        if self.file is not None:
            self.file.close()
            self.file = None

    def __enter__(self):
        deadline, is_waiting = time.monotonic() + self.seconds, False
        while not self.take():
            if time.monotonic() >= deadline:
                self.close()
                raise UserError(f"{self.path.parent}: {self.refusal}")
            if not is_waiting:
                self.waiting()
                is_waiting = True
            time.sleep(0.05)
        return self

    def check_free(self):
        """Raise a UserError if another process holds the lock."""
        with self:
            return

    def __exit__(self, *_):
        self.close()
