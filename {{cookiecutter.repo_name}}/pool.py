"""Child processes that end when their parent process ends, even if it is killed."""

import atexit
import functools
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor

# if this environment variable is set, a script stops when its standard input ends
STOP_AT_END_OF_INPUT = "STOP_AT_END_OF_INPUT"


def available_cores():
    """The number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def process_pool(max_workers, initializer=None, *initargs):
    """A ProcessPoolExecutor whose processes each call `initializer(*initargs)` first.

    The processes are spawned, not forked: torch's threads do not survive a fork.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max_workers, context, _initialize, (initializer, initargs))


def _initialize(initializer, initargs):
    exit_with_parent()
    if initializer:
        initializer(*initargs)


def exit_with_parent():
    """End this process as soon as its parent has ended, for whatever reason.

    Under the start method forkserver the parent is the fork server, not the main process.
    """
    threading.Thread(target=_wait_for_parent, daemon=True, name="exit with parent").start()


def _wait_for_parent():
    multiprocessing.parent_process().join()
    os._exit(1)


def stop_at_end_of_input():
    """If the variable STOP_AT_END_OF_INPUT is set, send SIGTERM to this process when its standard
    input ends. The process that started it holds the other end of the pipe, so the input ends when
    that process does."""
    if os.environ.get(STOP_AT_END_OF_INPUT):
        threading.Thread(target=_wait_for_end_of_input, daemon=True, name="end of input").start()


def _wait_for_end_of_input():
    while os.read(sys.stdin.fileno(), 4096):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


@functools.cache  # so that the handler is registered once
def kill_children_at_exit():
    """Kill the remaining child processes when this process exits normally.

    multiprocessing would send them SIGTERM and wait, forever if they ignore it.
    """
    # exit handlers run in reverse order: this one before that of multiprocessing
    atexit.register(_kill_children)


def _kill_children():
    for child in multiprocessing.active_children():
        child.kill()
