"""Batches of excerpts, read in this process or in workers."""

import math
import multiprocessing
import signal
import tempfile
from multiprocessing import forkserver, resource_tracker

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from errors import UserError
from pool import exit_with_parent, kill_children_at_exit

from .augment import draw

ERROR = "error"  # key of a batch that a worker could not read


class Excerpts(Dataset):
    """Random excerpts of a dataset's tracks; a key of `sampling.py` decides which.

    Args:
        data: a dataset of ours (`draw`, `excerpt`, `mix`, `length_of`, `tracks`).
        length: samples in an excerpt, or a `Curriculum`; a shorter track is padded with silence.
        seed: of all that is drawn.
        augment: how excerpts are altered (`augment.py`); None: they are not.
    """

    def __init__(self, data, length, seed, augment=None):
        self.data, self.length, self.seed, self.augment = data, length, seed, augment

    def __getitem__(self, key):
        epoch, index, *_ = key
        length = self.length(epoch) if callable(self.length) else self.length
        rng = np.random.default_rng([self.seed, *key])
        mix, sources, name = draw(self.data, index, length, rng, self.augment)
        return {"mix": torch.from_numpy(mix), "sources": torch.from_numpy(sources), "name": name}

    def __getitems__(self, keys):
        """The batch of these keys; in a worker, {"error": text} if a file cannot be read: torch
        would put the traceback of the worker into the message of an exception."""
        try:
            return self._batch(keys)
        except UserError as error:
            if get_worker_info() is None:
                raise
            return {ERROR: str(error)}

    def _batch(self, keys):
        """As `default_collate` of all items, but each excerpt is copied into the batch while it is
        in the cache."""
        batch = {"name": []}
        for number, key in enumerate(keys):
            item = self[key]
            batch["name"].append(item["name"])
            for part in ("mix", "sources"):
                if number == 0:
                    batch[part] = _empty((len(keys), *item[part].shape))
                batch[part][number] = item[part]
        return batch


def _empty(shape):
    """An uninitialised float32 tensor; in a worker, in memory shared with the main process."""
    if get_worker_info() is None:
        return torch.empty(shape)
    # as torch's own default_collate does
    storage = torch.UntypedStorage._new_shared(4 * math.prod(shape))
    return torch.empty(0).set_(storage, 0, shape)


def load(excerpts, batches, num_workers, pin_memory=False):
    """Read batches, in workers if there are any.

    Yields:
        {"mix": (batch, channels, samples), "sources": (batch, sources, channels, samples), "name":
        [str]}

    Raises:
        UserError: a file is missing or broken; a worker was killed.
    """
    if num_workers:
        kill_children_at_exit()  # they ignore SIGTERM, by which Python would stop them
    iterator = iter(
        DataLoader(
            excerpts,
            batch_sampler=batches,
            collate_fn=_unchanged,
            num_workers=num_workers,
            multiprocessing_context=worker_context() if num_workers else None,
            worker_init_fn=_init_worker,
            pin_memory=pin_memory,
            # its own: the seed of the workers must not change the random numbers of dropout
            generator=torch.Generator(),
        )
    )
    try:
        for batch in iterator:
            if ERROR in batch:
                raise UserError(batch[ERROR])
            yield batch
    except (RuntimeError, EOFError, ConnectionError, FileNotFoundError) as error:
        # a worker that is killed while it hands over a batch breaks the connection; an error of
        # the dataset in a worker has its own type, and this beginning
        of_dataset = str(error).startswith("Caught ")
        broken = num_workers and not isinstance(error, RuntimeError) and not of_dataset
        if not broken and not str(error).startswith("DataLoader worker (pid"):
            raise
        raise UserError(
            f"a worker process that reads data was killed, perhaps for lack of memory ({error}); "
            "lower train.num_workers, and give the same command again: it resumes"
        ) from error
    finally:
        del iterator  # ends the workers


def _unchanged(batch):
    return batch


def worker_context():
    """How workers start: on Linux and macOS from a fork server that has imported what they need;
    forked from this process they would lack its threads, and may hang. Ctrl-C, which the whole
    process group gets, is left to the main process from the start.

    Raises:
        UserError: the server cannot start; its socket is in TMPDIR, whose path may be too long.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dataset", "training.loading"])
    resource_tracker.ensure_running()  # which the server needs, and which lets Ctrl-C through again
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the server inherits it
    try:
        forkserver.ensure_running()
    except OSError as error:
        raise UserError(
            f"train.num_workers: the workers cannot start ({error}); their sockets are in "
            f"{tempfile.gettempdir()}, which has to be a folder that can be written to, with a "
            "path of at most 70 bytes: set TMPDIR to another one, or write train.num_workers: 0"
        ) from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    return context


def _init_worker(_):
    """Ignore SIGTERM and SIGINT, which the whole process group gets: the main process saves its
    state and stops the workers. If it dies, they exit too."""
    exit_with_parent()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
