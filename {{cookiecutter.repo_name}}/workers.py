"""Processes that work for this one and end when it does, also when it is killed."""

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
    """Have this process end when the one that wanted it is no more, for whom it would wait for
    ever: with a server of forks between them (forkserver) the system has another parent for it."""
    threading.Thread(target=_wait_for_the_end, daemon=True, name="end with parent").start()


def _wait_for_the_end():
    multiprocessing.parent_process().join()
    os._exit(1)
