"""Settings of the allocator and the garbage collector, and detection of out-of-memory errors."""

import contextlib
import ctypes
import gc
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # constants of glibc's malloc.h


def keep_freed_memory():
    """Let the process reuse memory that torch frees, and back large tensors with pages of 2 MB.

    By default glibc returns freed large blocks to the system, and a training step on a CPU spends
    up to a third of its time allocating the same memory again. Call this before torch is imported.
    It has an effect on Linux with glibc only.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            libc = ctypes.CDLL("libc.so.6")
            # larger blocks are returned: oneDNN's LSTMs use half of the large ones they ask for,
            # and the other half takes no memory in fresh pages
            libc.mallopt(M_MMAP_THRESHOLD, 24 * 2**20)
            libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


@contextlib.contextmanager
def gc_paused():
    """Pause garbage collection while large libraries are imported.

    Imports create no garbage, but collecting during them and at exit takes a third of a script's
    start-up time. What was imported is frozen, so that it is not scanned later either.
    """
    before = len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > before:
            gc.freeze()
        gc.enable()


def is_out_of_memory(error):
    """Is it a MemoryError, or the error that torch raises instead, on a GPU or on a CPU?"""
    # by name: torch may not be imported
    is_torch_error = type(error).__name__ == "OutOfMemoryError"
    return isinstance(error, MemoryError) or is_torch_error or "can't allocate memory" in str(error)
