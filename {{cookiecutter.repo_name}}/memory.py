"""Memory of the process: settings of allocator and collector, and recognising that it ran out."""

import contextlib
import ctypes
import gc
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def keep_freed_memory():
    """Let the process reuse memory that torch frees, and back large tensors with pages of 2 MB.

    By default glibc returns large blocks to the system when they are freed, and each step of
    training on a CPU spends up to a third of its time on getting the same memory again. Only on
    Linux with glibc, and only before torch is imported; elsewhere nothing happens.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(M_MMAP_THRESHOLD, 32 * 2**20)  # the largest value allowed
            libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


@contextlib.contextmanager
def imports():
    """Around imports of large libraries: imports create no garbage; collecting during them and at
    exit would cost a third of a script's start-up time."""
    before = len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > before:
            gc.freeze()
        gc.enable()


def is_out_of_memory(error):
    """Is it a MemoryError, or what torch raises instead, on a GPU or on the CPU?"""
    named = type(error).__name__ == "OutOfMemoryError"  # torch's, which may not be imported
    return isinstance(error, MemoryError) or named or "can't allocate memory" in str(error)
