"""What every script does around its work: one argument, one file, errors in one place."""

import argparse
import contextlib
import ctypes
import logging
import os
import sys

import caches
import config
from errors import UserError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def run(main, description, needs, argv=None):
    """Parse `-p file.yml`, check the file, call `main(config)`.

    Leaves with 0; with 1 and one message per mistake on stderr; with 130 after Ctrl-C; with 75 if
    SIGTERM ended a training that can go on. What is wrong in the file is told before anything heavy
    is imported.
    """
    keep_memory()
    caches.settle()
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("-p", "--path", required=True, metavar="FILE.yml", help="the experiment")
    path = parser.parse_args(argv).path
    if hasattr(sys.stdout, "reconfigure"):  # a name that is not UTF-8 is printed all the same
        sys.stdout.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    logging.getLogger("ignite").setLevel(logging.CRITICAL)  # errors are reported once, by this file
    for name in ("train", "evaluate", "visualize", "separate", "analyze"):
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        _told_once(main, path, needs)
        leaving = None
    except SystemExit as error:
        leaving = error
    if "processes" in sys.modules:  # else there is but this one
        sys.modules["processes"].leave(leaving)
    if leaving:
        raise leaving


def _told_once(main, path, needs):
    try:
        main(config.load(path, needs=needs))
    except config.ConfigError as error:
        sys.exit(str(error))
    except UserError as error:
        if error.status == 1:
            sys.exit(f"error: {error}")
        print(error, file=sys.stderr)
        sys.exit(error.status)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        sys.exit(
            f"error: out of memory ({reason[:200]}); a training needs less with a lower "
            "train.batch_size, a higher train.accumulate or a smaller model (python -m "
            "scripts.dry_run says what a step takes), an evaluation with fewer num_workers"
        )


def is_out_of_memory(error):
    """Is it a MemoryError, or what torch raises instead, on a GPU or on the CPU?"""
    named = type(error).__name__ == "OutOfMemoryError"  # torch's, which may not be imported
    return isinstance(error, MemoryError) or named or "can't allocate memory" in str(error)


def keep_memory():
    """Let a process keep what torch gives back for its next tensors, and take large ones in pages
    of 2 MB: in a training on a CPU, up to a third of the time went into getting the same memory
    anew. Linux with glibc only, before torch is imported; elsewhere nothing happens."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(M_MMAP_THRESHOLD, 32 * 2**20)  # the highest there is
            libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
