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
        """[(index of the track, number of the excerpt in it)], sorted; offset: 0 to 1, where
        between two points of the line the excerpts are."""
        places = (np.arange(self.count) + offset) * (self.ends[-1] / self.count)
        tracks = np.searchsorted(self.ends, places, side="right").clip(max=len(self.ends) - 1)
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
        """Samples in an excerpt of each of the first so many epochs, together."""
        total, left = 0, epochs
        for count, samples in self.stages:
            total += min(count, left) * samples
            left -= min(count, left)
        return total + left * self.samples


class ShuffledBatches(Sampler):
    """Batches of keys without end, from step `first_step` on, each epoch in an order of its own.

    A last batch that would not be full is left out.

    Args:
        spread: the excerpts of an epoch.
        batch_size: keys in a batch, in all processes together; fewer if an epoch has fewer.
        seed: of the orders.
        shard: (rank of this process, number of processes), each of which gets an equal part.
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
    """The same `num_batches` batches of the same excerpts in every epoch, of the first tracks: to
    overfit."""

    def __init__(self, lengths, batch_size, num_batches, shard=(0, 1)):
        count = num_batches * batch_size
        spread = Spread(lengths[:count], count)
        super().__init__(spread, batch_size, seed=0, shard=shard)

    def keys(self, epoch):
        return [(0, *excerpt) for excerpt in self.spread()]


def batches_in_order(spread, batch_size, shard=(0, 1)):
    """The same excerpts each time, in order: for validation, divided among the processes.

    Some processes may get an excerpt or a batch less than others; none waits for another's.
    """
    keys = [(0, *excerpt) for excerpt in spread()]
    batches = [keys[first : first + batch_size] for first in range(0, len(keys), batch_size)]
    return [part for batch in batches if (part := _part(batch, shard))]


def _part(keys, shard):
    rank, world_size = shard
    return keys[rank::world_size]
