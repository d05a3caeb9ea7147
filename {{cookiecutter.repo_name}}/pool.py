"""Processes that end when the process that started them ends, even if it is killed."""

import atexit
import functools
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor

# the variable that tells a script to stop when its standard input ends
STOP_AT_END_OF_INPUT = "STOP_AT_END_OF_INPUT"


def available_cores():
    """How many of the machine's cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def process_pool(max_workers, initializer=None, *initargs):
    """A ProcessPoolExecutor of spawned processes, each of which calls `initializer(*initargs)`.

    They are spawned, not forked: the threads of torch do not survive a fork.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max_workers, context, _initialize, (initializer, initargs))


def _initialize(initializer, initargs):
    exit_with_parent()
    if initializer:
        initializer(*initargs)


def exit_with_parent():
    """End this process as soon as its parent has ended, for whatever reason.

    Under forkserver the parent process is the fork server, whose exit says nothing about the main
    process.
    """
    threading.Thread(target=_wait_for_parent, daemon=True, name="exit with parent").start()


def _wait_for_parent():
    multiprocessing.parent_process().join()
    os._exit(1)


def stop_at_end_of_input():
    """If the variable STOP_AT_END_OF_INPUT is set, send this process SIGTERM when its standard
    input ends: whoever started it keeps the other end open, and has ended then."""
    if os.environ.get(STOP_AT_END_OF_INPUT):
        threading.Thread(target=_wait_for_end_of_input, daemon=True, name="end of input").start()


def _wait_for_end_of_input():
    while os.read(sys.stdin.fileno(), 4096):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


@functools.cache  # registered once
def kill_children_at_exit():
    """Kill the child processes that are left when this one exits normally.

    multiprocessing would send them SIGTERM and wait for them, forever if they ignore it.
    """
    atexit.register(_kill_children)  # called before multiprocessing's own, registered earlier


def _kill_children():
    for child in multiprocessing.active_children():
        child.kill()
