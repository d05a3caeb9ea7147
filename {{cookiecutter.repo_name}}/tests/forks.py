"""Scripts that start at once: forks of a process that has imported everything (fork_server.py).

Elsewhere than on Linux they are started as a user would start them. What a test has to say about
the start itself, about a fresh interpreter or about a variable that a library reads as it is
imported, it says with `subprocess`.
"""

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def start(module, *arguments, **environment):
    """A running `python -m module arguments`, in the project's folder and a session of its own: a
    `Spawned`, or a `Fork` that can do the same as far as the tests need it. The module may be one
    of the tests' own."""
    arguments = [str(one) for one in arguments]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "tests"), **environment}
    kind = Fork if sys.platform == "linux" else Spawned
    return kind(module, arguments, environment)


def run(module, *arguments, **environment):
    """Run a module to its end: a `subprocess.CompletedProcess`."""
    return _finished(start(module, *arguments, **environment))


def run_together(module, *arguments, count=2):
    """Run a module in processes that work together to their end: a list."""
    return [*map(_finished, start_together(module, *arguments, count=count))]


def start_together(module, *arguments, count=2):
    """Running processes that work together, as torchrun would start them: a list."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    shared |= {"LOCAL_WORLD_SIZE": str(count)}
    ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]
    return [start(module, *arguments, **shared, **rank) for rank in ranks]


def _finished(process):
    try:
        output, errors = process.communicate(timeout=600)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.pid, process.returncode, output, errors)


class Spawned(subprocess.Popen):
    """A process that writes into files, not into pipes that nobody reads."""

    def __init__(self, module, arguments, environment):
        self._files = _files()
        super().__init__(
            [sys.executable, "-m", module, *arguments],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._files[0],
            stderr=self._files[1],
            start_new_session=True,
        )

    def communicate(self, input=None, timeout=None):
        self.wait(timeout)
        return [*map(_text, self._files)]


class Fork:
    """The face of `subprocess.Popen` to a process that another process has started."""

    def __init__(self, module, arguments, environment):
        self.returncode = None
        self._files = _files()
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(_server())
        order = {"module": module, "arguments": arguments, "environment": environment}
        with open(os.devnull) as nothing:
            numbers = [file.fileno() for file in (nothing, *self._files)]
            socket.send_fds(self._connection, [b"\n"], numbers)
        self._connection.sendall(json.dumps(order).encode() + b"\n")
        self._answers = self._connection.makefile()
        self.pid = self._answer()

    def poll(self):
        """Its exit status; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout=None):
        """Its exit status, when it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not ended within so many seconds.
        """
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            self.returncode = self._answer()
            self._answers.close()
            self._connection.close()
        return self.returncode

    def communicate(self, timeout=None):
        """What it printed on standard output and on standard error, when it has ended."""
        self.wait(timeout)
        return [*map(_text, self._files)]

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def _answer(self):
        line = self._answers.readline()
        assert line, "the server that forks scripts has ended: what it said is above"
        return int(line)


def _files():
    return [tempfile.TemporaryFile() for _ in ("output", "errors")]  # noqa: SIM115


def _text(file):
    file.seek(0)
    return file.read().decode("utf-8", "backslashreplace")


@functools.cache
def _server():
    """The address of this process's server, which ends with it."""
    folder = tempfile.TemporaryDirectory(prefix="forks")
    address = str(Path(folder.name) / "socket")
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("fork_server.py"), address],
        cwd=PROJECT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout.readline() == "ready\n"

    def end():
        server.stdin.close()
        server.wait()
        folder.cleanup()

    atexit.register(end)
    return address
