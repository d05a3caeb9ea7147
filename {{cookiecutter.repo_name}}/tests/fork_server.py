"""A process with everything imported, forked for each script that a test starts: see forks.py.

A fork has nothing but imports behind it: one thread, and no script that was run before. It is a
session and a process of its own, in which the script is the main module.
"""

import contextlib
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import tempfile

import caches
import memory


def import_everything():
    """What scripts import, and torch on their first step."""
    caches.set_cache_folders()
    memory.keep_freed_memory()
    gc.disable()
    import matplotlib.pyplot  # noqa: F401
    import torch._decomp
    import torch._dynamo  # noqa: F401

    import distributed  # noqa: F401
    import evaluation  # noqa: F401
    import experiment  # noqa: F401
    import report  # noqa: F401
    import scripts.common  # noqa: F401

    gc.freeze()
    gc.enable()


def next_order(door):
    """Fork for each connection: the server stays in here, a fork comes back with its order.

    With the first byte come three file descriptors, then a line of JSON. The answers are two lines:
    the fork's pid and, when it has ended, its exit status.
    """
    forks = {}  # descriptor of a process: its pid, whom to answer
    with selectors.DefaultSelector() as selector:
        selector.register(door, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is sys.stdin:  # closed: the tests have ended
                    for pid, _ in forks.values():
                        with contextlib.suppress(ProcessLookupError):
                            os.killpg(pid, signal.SIGKILL)
                    os._exit(0)
                if key.fileobj is door:
                    connection, _ = door.accept()
                    _, files, *_ = socket.recv_fds(connection, 1, 3)
                    order = json.loads(connection.makefile().readline())
                    assert len(os.listdir("/proc/self/task")) == 1, "a fork loses other threads"
                    pid = os.fork()
                    if pid == 0:
                        connection.close()
                        for descriptor, (_, other) in forks.items():
                            os.close(descriptor)
                            other.close()
                        return order, files
                    for file in files:
                        os.close(file)
                    descriptor = os.pidfd_open(pid)
                    forks[descriptor] = pid, connection
                    selector.register(descriptor, selectors.EVENT_READ)
                    answer(connection, pid)
                else:
                    selector.unregister(key.fd)
                    pid, connection = forks.pop(key.fd)
                    os.close(key.fd)
                    answer(connection, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                    connection.close()


def answer(connection, number):
    with contextlib.suppress(BrokenPipeError):  # the test went on without waiting for its script
        connection.sendall(f"{number}\n".encode())


def become(order, files):
    """Run what is ordered in this fork."""
    os.setsid()
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
    os.environ.clear()
    os.environ.update(order["environment"])
    tempfile.tempdir = None  # that of the variables
    sys.argv[1:] = order["arguments"]
    sys.orig_argv[:] = [sys.executable, "-m", order["module"], *order["arguments"]]
    # as `python -m` has it; then come the folders that the server itself has
    sys.path[:0] = [os.getcwd(), *order["environment"].get("PYTHONPATH", "").split(os.pathsep)]
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    import_everything()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(sys.argv[1])
        listening.listen()
        print("ready", flush=True)
        todo = next_order(listening)
    become(*todo)
