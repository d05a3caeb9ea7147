"""A process that trains each config file it reads a line of, in a fork that has all imported.

At the next line it kills the fork and prints its exit code. A test that forked itself would copy
locks that its other threads hold.
"""

import os
import signal
import sys
import traceback
from multiprocessing import forkserver


def train(path):
    """Train in this fork, whose workers come from the server of its parent."""
    forkserver.ensure_running = forkserver._forkserver.ensure_running = lambda: None
    try:
        fit(path)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    # here, as each of its workers imports this module
    import torch
    import torch._decomp
    import torch._dynamo  # torch does so on its first step
    from trainings import fit

    from training.loading import worker_context

    torch.set_num_threads(1)
    worker_context()
    forkserver.ensure_running()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(train(line.rstrip("\n")))
        sys.stdin.readline()
        os.kill(child, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
