"""Long audio in overlapping chunks: where they are, and how their outputs are joined."""

import math

import numpy as np
from scipy.optimize import linear_sum_assignment

# sources are reordered only if that raises the correlation by this fraction of the energy
CLEARLY = 0.1


class Chunks:
    """`count` chunks of `length` frames over `frames`, overlapping by `overlap` or more.

    starts: the first frame of each. borders: the output of chunk i is used from frame borders[i] to
    borders[i + 1], and faded in over the first `overlap` frames of that: the middle of what it
    shares with the chunk before, where both have context on both sides.
    """

    def __init__(self, frames, length, overlap):
        self.frames, self.length, self.overlap = frames, min(length, frames), overlap
        self.count = 1
        if frames > length:
            self.count = math.ceil((frames - overlap) / (length - overlap))
        last = frames - self.length
        self.starts = np.linspace(0, last, self.count).round().astype(int).tolist()
        shared = [
            before + self.length - after
            for before, after in zip(self.starts[:-1], self.starts[1:], strict=True)
        ]
        middles = [
            start + (both - overlap) // 2
            for start, both in zip(self.starts[1:], shared, strict=True)
        ]
        self.borders = [0, *middles, frames]

    def crossfade(self, chunks, axis=-1, unit=1):
        """Join overlapping chunks: pieces that follow each other without a gap.

        Args:
            chunks: an array for each chunk, in order, with time on `axis`.
            unit: entries on `axis` for a frame (samples: the hop length).

        Yields:
            arrays like the chunks, from one border to the next; the fades are linear, so that masks
            that add up to 1 in both chunks still do.
        """
        fade = (np.arange(self.overlap * unit, dtype=np.float32) + 0.5) / (self.overlap * unit)
        tail = None
        for number, data in enumerate(chunks):
            data = np.moveaxis(data, axis, 0)
            first, last = (
                (border - self.starts[number]) * unit for border in self.borders[number:][:2]
            )
            piece = data[first:last].copy()
            if tail is not None:
                rise = fade[: len(tail)].reshape(-1, *[1] * (data.ndim - 1))
                piece[: len(tail)] = tail * (1 - rise) + piece[: len(tail)] * rise
            tail = data[last : last + len(fade)].copy()
            yield np.moveaxis(piece, 0, axis)


def align_permutations(chunks, starts, length):
    """Give the sources of each chunk the order of those in the chunk before, by their overlap.

    A network that was trained without an order of its sources may output another one in each
    chunk. The order stays where no other agrees clearly better.

    Args:
        chunks: (sources, ..., time) for each chunk, real or complex.
        starts, length: of the chunks, in entries of the last axis.

    Yields:
        the chunks, sources reordered.
    """
    before = None
    for number, data in enumerate(chunks):
        if before is not None:
            gap = starts[number] - starts[number - 1]
            data = data[order_like(before[..., gap:length], data[..., : length - gap])]
        yield data
        before = data


def order_like(before, after):
    """[index into `after`] of the source that is each of `before`: (sources, ...) both."""
    before, after = (part.reshape(len(part), -1) for part in (before, after))
    agreement = np.real(before @ after.conj().T)
    _, order = linear_sum_assignment(-agreement)
    same = np.arange(len(before))
    gained = agreement[same, order].sum() - agreement[same, same].sum()
    energy = np.sqrt(np.square(np.abs(before)).sum() * np.square(np.abs(after)).sum())
    return order if gained > CLEARLY * energy else same
