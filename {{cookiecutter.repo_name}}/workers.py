"""Worker processes that end when this one does, also when it is killed."""

import atexit
import functools
import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor


def cores():
    """How many of the machine's cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pool(count, begin=None, *args):
    """An executor of `count` processes, each of which calls `begin(*args)` first.

    They are started anew: the threads of torch would not survive a fork.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, context, _begin, (begin, args))


def _begin(begin, args):
    end_with_parent()
    if begin:
        begin(*args)


def end_with_parent():
    """End this process as soon as the one that started it has ended, by whatever. Under forkserver
    the system knows another parent, whose end would say nothing."""
    threading.Thread(target=_wait_for_the_end, daemon=True, name="end with parent").start()


def _wait_for_the_end():
    multiprocessing.parent_process().join()
    os._exit(1)


@functools.cache  # once is enough
def kill_children_at_exit():
    """Kill the child processes that are left when this one ends normally.

    multiprocessing would send them SIGTERM and wait for them, without end if they ignore it.
    """
    atexit.register(_kill_children)  # called before multiprocessing's own, which came earlier


def _kill_children():
    for child in multiprocessing.active_children():
        child.kill()
