"""Which excerpts each step trains on: a function of the seed and the step alone.

Nothing here has a state, so a run that is resumed after an interruption sees the same excerpts as
one that was never interrupted, in any number of processes. An excerpt is named by its key (epoch,
index of the track, number among that track's excerpts in this epoch).
"""

import math

import numpy as np
from torch.utils.data import Sampler


class Spread:
    """The excerpts of an epoch, spread evenly over all the audio.

    Systematic sampling: the tracks form a line, one after the other, with the excerpts at equal
    distances along it, so that a track of twice the length has twice as many. With as many excerpts
    as tracks of one length, each track has just one.

    Args:
        lengths: of the tracks, in samples.
        count: excerpts in an epoch.
    """

    def __init__(self, lengths, count):
        self.ends, self.count = np.cumsum(lengths), count

    def __len__(self):
        return self.count

    def __call__(self, offset=0.5):
        """[(index of the track, number of the excerpt in it)], sorted.

        offset: position of all excerpts within their equal parts of the line, 0 to 1.
        """
        positions = (np.arange(self.count) + offset) * (self.ends[-1] / self.count)
        tracks = np.searchsorted(self.ends, positions, side="right").clip(max=len(self.ends) - 1)
        numbers = np.arange(self.count) - np.searchsorted(tracks, tracks)
        return list(zip(tracks.tolist(), numbers.tolist(), strict=True))


def covering(lengths, samples):
    """How many excerpts of `samples` cover tracks of these lengths once: at least one a track."""
    return max(len(lengths), math.ceil(sum(lengths) / samples))


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

    def total(self, epochs):
        """The sum over the first `epochs` epochs of the samples in an excerpt."""
        total, remaining = 0, epochs
        for count, samples in self.stages:
            total += min(count, remaining) * samples
            remaining -= min(count, remaining)
        return total + remaining * self.samples


class ShuffledBatches(Sampler):
    """Endless batches of keys, from step `first_step` on; each epoch is shuffled anew.

    A last batch that is not full is dropped.

    Args:
        spread: the excerpts of an epoch.
        batch_size: keys in a batch, in all processes together; fewer if an epoch has fewer.
        seed: of the shuffling.
        shard: (rank, world size); each process gets an equal part of a batch.
    """

    def __init__(self, spread, batch_size, seed, first_step=0, shard=(0, 1)):
        self.spread, self.seed, self.first_step, self.shard = spread, seed, first_step, shard
        world_size = shard[1]
        self.batch_size = min(batch_size, len(spread)) // world_size * world_size
        self.steps_per_epoch = len(spread) // self.batch_size

    def __iter__(self):
        epoch, step = divmod(self.first_step, self.steps_per_epoch)
        while True:
            keys = self.keys(epoch)
            for first in range(
                step * self.batch_size, self.steps_per_epoch * self.batch_size, self.batch_size
            ):
                yield _part(keys[first : first + self.batch_size], self.shard)
            epoch, step = epoch + 1, 0

    def keys(self, epoch):
        """The keys of an epoch in their order."""
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(len(self.spread))
        excerpts = self.spread(rng.random())
        return [(epoch, *excerpts[i]) for i in order]


class SameBatches(ShuffledBatches):
    """The same `num_batches` batches of excerpts of the first tracks in every epoch, to overfit."""

    def __init__(self, lengths, batch_size, num_batches, shard=(0, 1)):
        count = num_batches * batch_size
        spread = Spread(lengths[:count], count)
        super().__init__(spread, batch_size, seed=0, shard=shard)

    def keys(self, epoch):
        return [(0, *excerpt) for excerpt in self.spread()]


def batches_in_order(spread, batch_size, shard=(0, 1)):
    """The same excerpts each time, in order, divided among the processes: for validation.

    Some processes may get an excerpt or a batch less than others, and none waits for the others.
    """
    keys = [(0, *excerpt) for excerpt in spread()]
    batches = [keys[first : first + batch_size] for first in range(0, len(keys), batch_size)]
    parts = [_part(batch, shard) for batch in batches]
    return [part for part in parts if part]


def _part(keys, shard):
    rank, world_size = shard
    return keys[rank::world_size]
