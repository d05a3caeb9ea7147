"""What is trained on at which step: a function of the seed and the step alone.

Nothing here has a state, so that a training that goes on after an interruption sees just the
excerpts that it would have seen.
"""

import multiprocessing

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from .augment import draw


class Excerpts(Dataset):
    """Random stretches of a dataset's tracks; the key (epoch, index) decides which.

    Args:
        data: a dataset of ours (`excerpt`, `mix`, `length_of`, `tracks`); its `augment` says what
            is done to the stretches (`training/augment.py`).
        length: samples in an excerpt; a shorter track is followed by silence.
        seed: of all that is drawn.
    """

    def __init__(self, data, length, seed):
        self.data, self.length, self.seed = data, length, seed

    def __len__(self):
        return len(self.data)

    def __getitem__(self, key):
        epoch, index = key
        rng = np.random.default_rng([self.seed, epoch, index])
        mix, sources, name = draw(self.data, index, self.length, rng)
        return {"mix": torch.from_numpy(mix), "sources": torch.from_numpy(sources), "name": name}


class ShuffledBatches(Sampler):
    """Batches of keys without end, from step `first_step` on, each epoch in an order of its own.

    A last batch that would not be full is left out, and seen in another epoch.
    """

    def __init__(self, count, batch_size, seed, first_step=0):
        self.count, self.batch_size = count, min(batch_size, count)
        self.seed, self.first_step = seed, first_step
        self.steps_per_epoch = count // self.batch_size

    def __iter__(self):
        epoch, step = divmod(self.first_step, self.steps_per_epoch)
        while True:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.count)
            for first in range(
                step * self.batch_size, self.steps_per_epoch * self.batch_size, self.batch_size
            ):
                yield [(epoch, int(i)) for i in order[first : first + self.batch_size]]
            epoch, step = epoch + 1, 0


def batches_in_order(count, batch_size):
    """Every item once, at the same place each time: for validation."""
    return [
        [(0, i) for i in range(first, min(first + batch_size, count))]
        for first in range(0, count, batch_size)
    ]


def loader(excerpts, batches, num_workers, pin_memory=False):
    """A DataLoader of {"mix": (batch, channels, samples), "sources": (batch, sources, channels,
    samples), "name": [str]}."""
    context = multiprocessing.get_context("spawn") if num_workers else None
    # a generator of its own: a DataLoader draws its workers' seed when it starts, and must not take
    # it from the numbers that dropout would have drawn
    return DataLoader(
        excerpts,
        batch_sampler=batches,
        num_workers=num_workers,
        multiprocessing_context=context,
        pin_memory=pin_memory,
        generator=torch.Generator(),
    )
