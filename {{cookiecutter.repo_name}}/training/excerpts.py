"""What is trained on at which step: a function of the seed and the step alone.

Nothing here has a state, so that a training that goes on after an interruption sees just the
excerpts that it would have seen, in however many processes.
"""

import math
import multiprocessing
import signal

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from workers import end_with_parent

from .augment import draw


class Excerpts(Dataset):
    """Random stretches of a dataset's tracks; the key (epoch, index) decides which.

    Args:
        data: a dataset of ours (`excerpt`, `mix`, `length_of`, `tracks`); its `augment` says what
            is done to the stretches (`training/augment.py`).
        length: samples in an excerpt, or a `Curriculum`; a shorter track is followed by silence.
        seed: of all that is drawn.
    """

    def __init__(self, data, length, seed):
        self.data, self.length, self.seed = data, length, seed

    def __len__(self):
        return len(self.data)

    def __getitem__(self, key):
        epoch, index = key
        length = self.length(epoch) if callable(self.length) else self.length
        rng = np.random.default_rng([self.seed, epoch, index])
        mix, sources, name = draw(self.data, index, length, rng)
        return {"mix": torch.from_numpy(mix), "sources": torch.from_numpy(sources), "name": name}

    def __getitems__(self, keys):
        """The batch of these keys. Each excerpt is laid into it as soon as it is drawn: a list of
        all, stacked in the end, would go through memory twice."""
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
    """A float32 tensor; in a worker, in memory that the main process is handed without a copy."""
    if get_worker_info() is None:
        return torch.empty(shape)
    # as torch's own default_collate does
    storage = torch.UntypedStorage._new_shared(4 * math.prod(shape))
    return torch.empty(0).set_(storage, 0, shape)


def _as_it_is(batch):
    return batch


class Curriculum:
    """Short excerpts first, longer ones later: samples in an excerpt of an epoch, counted from 0.

    Bengio, Louradour, Collobert and Weston, "Curriculum learning", ICML 2009; for deep clustering,
    Isik, Le Roux, Chen, Watanabe and Hershey, Interspeech 2016: 100 frames, then 400.

    Args:
        stages: [(epochs, samples)], one after the other.
        samples: in an excerpt after the last stage.
    """

    def __init__(self, stages, samples):
        self.stages, self.samples = stages, samples

    def __call__(self, epoch):
        for epochs, samples in self.stages:
            if epoch < epochs:
                return samples
            epoch -= epochs
        return self.samples


class ShuffledBatches(Sampler):
    """Batches of keys without end, from step `first_step` on, each epoch in an order of its own.

    A last batch that would not be full is left out, and seen in another epoch.

    Args:
        count: items.
        batch_size: keys in a batch, in all processes together; fewer if there are fewer items.
        seed: of the orders.
        share: (number of this process, number of processes), each of which gets an equal part.
    """

    def __init__(self, count, batch_size, seed, first_step=0, share=(0, 1)):
        self.count, self.seed, self.first_step, self.share = count, seed, first_step, share
        processes = share[1]
        self.batch_size = min(batch_size, count) // processes * processes
        self.steps_per_epoch = count // self.batch_size

    def __iter__(self):
        epoch, step = divmod(self.first_step, self.steps_per_epoch)
        while True:
            keys = self.keys(epoch)
            for first in range(
                step * self.batch_size, self.steps_per_epoch * self.batch_size, self.batch_size
            ):
                yield _part(keys[first : first + self.batch_size], self.share)
            epoch, step = epoch + 1, 0

    def keys(self, epoch):
        """The keys of an epoch in their order: [(epoch, index)]."""
        order = np.random.default_rng([self.seed, epoch]).permutation(self.count)
        return [(epoch, int(i)) for i in order]


class SameBatches(ShuffledBatches):
    """The first `num_batches` batches again and again, always the same excerpts: to overfit."""

    def __init__(self, count, batch_size, num_batches, share=(0, 1)):
        batch_size = min(batch_size, count)
        super().__init__(min(count, num_batches * batch_size), batch_size, seed=0, share=share)

    def keys(self, epoch):
        return [(0, i) for i in range(self.count)]


def batches_in_order(count, batch_size, share=(0, 1)):
    """Every item once, at the same place each time: for validation, shared by the processes.

    Some processes may get an item or a batch less than others; none waits for another's.
    """
    keys = [(0, i) for i in range(count)]
    batches = [keys[first : first + batch_size] for first in range(0, count, batch_size)]
    return [part for batch in batches if (part := _part(batch, share))]


def _part(keys, share):
    number, processes = share
    return keys[number::processes]


def loader(excerpts, batches, num_workers, pin_memory=False):
    """A DataLoader of {"mix": (batch, channels, samples), "sources": (batch, sources, channels,
    samples), "name": [str]}."""
    # a generator of its own: a DataLoader draws its workers' seed when it starts, and must not take
    # it from the numbers that dropout would have drawn
    return DataLoader(
        excerpts,
        batch_sampler=batches,
        collate_fn=_as_it_is,
        num_workers=num_workers,
        multiprocessing_context=worker_context() if num_workers else None,
        worker_init_fn=_follow_the_main_process,
        pin_memory=pin_memory,
        generator=torch.Generator(),
    )


def worker_context():
    """Workers are not forked from this process, whose threads would not survive it; on Linux and
    macOS they are forked from a server that has imported what they need once for all."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dataset", "training.excerpts"])
    return context


def _follow_the_main_process(_):
    """A signal to the whole group is the main process's to answer: it saves, then ends workers.
    One that it cannot answer ends them too."""
    end_with_parent()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
