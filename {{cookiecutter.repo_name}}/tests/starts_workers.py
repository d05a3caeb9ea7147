"""A process that starts the server of workers, and says which signals the two of them block."""

from multiprocessing import forkserver
from pathlib import Path

from errors import UserError
from training.loading import worker_context

if __name__ == "__main__":
    try:
        worker_context()
    except UserError as error:
        print(error)
    else:
        for pid in (forkserver._forkserver._forkserver_pid, "self"):
            print(Path(f"/proc/{pid}/status").read_text())
