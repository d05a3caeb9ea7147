"""Scripts as processes on this machine: start, poll and stop them."""

import os
import signal
import subprocess
import sys

from pool import STOP_AT_END_OF_INPUT, available_cores

PATIENCE = 60  # seconds that a script has to stop before it is killed
MOST = 12  # lines at the end of a script's output that are searched for its error


def command_of(script, file):
    """The command that runs a script on a file, in the project's folder."""
    return [sys.executable, "-m", f"scripts.{script}", "-p", str(file)]


class Local:
    """Starts scripts as processes on this machine. They stop when this process ends, even if it is
    killed, as their standard input then ends.

    Args:
        at_once: how many run at the same time. Each computes in its share of the cores: threads of
            one that have to wait for cores that another one uses take many times as long. The
            variable OMP_NUM_THREADS sets another number of threads.
    """

    def __init__(self, at_once=1):
        threads = max(1, available_cores() // at_once)
        self.environment = {} if at_once == 1 else {"OMP_NUM_THREADS": str(threads)}

    def start(self, command, log, locks=()):
        """Start a command whose output is appended to the file `log`.

        Args:
            locks: `locking.Lock`s that the process holds too, as long as it runs.

        Returns:
            a `Process`.
        """
        environment = self.environment | os.environ
        environment |= {STOP_AT_END_OF_INPUT: "1", "PYTHONUNBUFFERED": "1"}
        with open(log, "ab") as file:
            return Process(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    pass_fds=[number for lock in locks for number in lock.descriptors],
                )
            )

    def attach(self, job):
        """None: there is no process to find again, as all stop with the run that started them."""
        return None


class Process:
    """A script that was started here."""

    job = None  # plain data by which another run can find it again (`slurm.Job`)

    def __init__(self, popen):
        self.popen = popen

    def poll(self):
        """Its exit status; None while it runs."""
        status = self.popen.poll()
        if status is not None:
            self.popen.stdin.close()
        return status

    def how(self, status):
        """An exit status other than 0, as text."""
        return f"it was killed by signal {-status}" if status < 0 else f"exit status {status}"

    def stop(self):
        """Ask it to stop by SIGTERM: a training run saves its state and exits with status 75."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)

    def wait(self, seconds=PATIENCE):
        """Wait for its exit status; after `seconds` it is killed."""
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
        self.popen.wait()
        return self.poll()


class Sigterm:
    """A context that catches SIGTERM: `received` is true afterwards."""

    def __enter__(self):
        self.received = False
        self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, *_):
        signal.signal(signal.SIGTERM, self._before)

    def _note(self, *_):
        self.received = True


def last_lines(log, count=1):
    """The last `count` lines of a script's output that are not empty, as text; "" without any."""
    try:
        with open(log, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(file.tell() - 8000, 0))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    lines = [line.split("\r")[-1].rstrip() for line in text.splitlines()]
    return "\n".join([line for line in lines if line][-count:])


def error_of(log, count):
    """The error message at the end of a script's output, all of its lines; the last `count` lines
    if there is none."""
    lines = last_lines(log, MOST).split("\n")
    starts = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    return "\n".join(lines[starts[-1] :] if starts else lines[-count:])


def duration(seconds):
    """ "1 h 05 min", "1 min 12 s", "3.4 s" """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"
