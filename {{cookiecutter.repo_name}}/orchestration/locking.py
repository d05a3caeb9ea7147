"""Locks on files that a process shares with those that it starts, and loses when all have ended."""

import time
from pathlib import Path

import locks
from errors import UserError


class Lock:
    """A lock on a file, as a context.

    A process that inherits `descriptors` holds it too: the lock of a script that outlives whoever
    started it is taken until the script has ended. The system takes it from processes that are
    killed.

    Args:
        path: of a file for nothing else, made where it is missing.
        seconds: how long to wait for another holder.
        refusal: what to tell the user then.
        waiting: called once if there is something to wait for.
    """

    def __init__(self, path, seconds=0.0, refusal="", waiting=lambda: None):
        self.path, self.seconds, self.refusal = Path(path), seconds, refusal
        self.waiting, self.file = waiting, None

    @property
    def descriptors(self):
        """What `subprocess` takes as `pass_fds`."""
        return (self.file.fileno(),) if self.file and locks.AVAILABLE else ()

    def take(self):
        """Take the lock if it is free: was it?

        Raises:
            UserError: its folder cannot be written.
        """
        self.file = self.file or locks.opened(self.path)
        return locks.take(self.file)

    def close(self):
        """Release the lock."""
        if self.file is not None:
            self.file.close()
            self.file = None

    def __enter__(self):
        deadline, said = time.monotonic() + self.seconds, False
        while not self.take():
            if time.monotonic() >= deadline:
                self.close()
                raise UserError(f"{self.path.parent}: {self.refusal}")
            if not said:
                self.waiting()
                said = True
            time.sleep(0.05)
        return self

    def try_it(self):
        """Raise a UserError if another holds it."""
        with self:
            return

    def __exit__(self, *_):
        self.close()
