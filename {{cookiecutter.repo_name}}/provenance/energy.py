"""The energy that the processors of this machine take, by their own counters."""

import threading
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
EVERY = 60  # seconds between two readings: a counter begins anew after some minutes at full load


class Energy:
    """Joules of all processor packages, of whatever runs on them, since the object was made.

    Read from the RAPL counters of Intel's and AMD's processors through Linux's powercap, which on
    most systems only root may read; memory, disks and graphics cards are not in them.

    Args:
        folder: of powercap.
        every: seconds between two readings, by a thread of its own; None: only when asked.
    """

    def __init__(self, folder=POWERCAP, every=EVERY):
        self.packages = [path for path in sorted(folder.glob("intel-rapl:*")) if _is_package(path)]
        self.last = {path: _read(path / "energy_uj") for path in self.packages}
        self.microjoules, self.lock, self.stopped = 0, threading.Lock(), threading.Event()
        if every and self.packages and None not in self.last.values():
            threading.Thread(target=self._watch, args=(every,), daemon=True).start()

    @property
    def joules(self):
        """None where it cannot be read."""
        if not self.packages or None in self.last.values():
            return None
        self._add()
        return round(self.microjoules / 1e6, 1)

    def close(self):
        self.stopped.set()

    def _watch(self, every):
        while not self.stopped.wait(every):
            self._add()

    def _add(self):
        with self.lock:
            for path in self.packages:
                now = _read(path / "energy_uj")
                if now is None:
                    continue
                used = now - self.last[path]
                if used < 0:  # the counter has begun anew
                    used += _read(path / "max_energy_range_uj") or 0
                self.microjoules, self.last[path] = self.microjoules + used, now


def _is_package(path):
    """Is it a whole processor, not a part of one or the whole machine?"""
    try:
        return (path / "name").read_text().startswith("package")
    except OSError:
        return False


def _read(path):
    """The number in a file; None if it cannot be read."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
