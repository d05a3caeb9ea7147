"""A process that is killed while it holds the lock of a folder, its argument."""

import os
import signal
import sys

from training.locking import Lock

if __name__ == "__main__":
    lock = Lock(sys.argv[1])
    lock.acquire()
    os.kill(os.getpid(), signal.SIGKILL)
