"""What tests ask of other processes."""

import time
from pathlib import Path


def wait_until(condition, seconds=600, what="what is waited for", every=0.03):
    """Return as soon as `condition()` is true, which is asked every so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(every)


def wait_for_another(file, seconds=600, writer=None):
    """Return when `file` is another one than now, or there for the first time; or when the
    process `writer` has ended."""

    def written():
        return file.stat().st_mtime_ns if file.exists() else 0

    def has_ended():
        return writer is not None and writer.poll() is not None

    before = written()
    wait_until(lambda: has_ended() or written() != before, seconds, file, every=0.01)


def is_running(pid):
    """Is there more of a process than its name in the system's table?"""
    return _state_and_group(pid)[0] not in ("Z", None)


def running(group):
    """The pids of a group's processes."""
    pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if _state_and_group(pid)[1] == group and is_running(pid)]


def _state_and_group(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None, None
    state, _, group = stat.rpartition(")")[2].split()[:3]
    return state, int(group)
