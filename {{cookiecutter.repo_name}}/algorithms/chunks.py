"""Long audio in overlapping chunks: their positions, the order of their sources, the crossfade."""

import math

import numpy as np
from scipy.optimize import linear_sum_assignment

# sources are reordered only if that raises the correlation by this fraction of the energy
CLEARLY = 0.1


class Chunks:
    """Chunks of equal length that cover a recording.

    Attributes:
        count: of the chunks.
        starts: the first frame of each.
        borders: the output of chunk i is used from frame borders[i] to borders[i + 1]. Its first
            `overlap` frames are faded in; they are in the middle of the frames that it shares with
            the chunk before, so that both chunks have context there.

    Args:
        frames: of the whole.
        length: of a chunk, in frames; less if the whole is shorter.
        overlap: frames that neighbouring chunks share at least.
    """

    def __init__(self, frames, length, overlap):
        self.frames, self.length, self.overlap = frames, min(length, frames), overlap
        self.count = 1
        if frames > length:
            self.count = math.ceil((frames - overlap) / (length - overlap))
        last = frames - self.length
        self.starts = np.linspace(0, last, self.count).round().astype(int).tolist()
        self.borders = [0]
        for before, start in zip(self.starts[:-1], self.starts[1:], strict=True):
            shared = before + self.length - start
            self.borders.append(start + (shared - overlap) // 2)
        self.borders.append(frames)

    def crossfade(self, chunks, axis=-1, unit=1):
        """Join the outputs of overlapping chunks by linear fades.

        Masks that add up to 1 in both chunks add up to 1 in the fade too.

        Args:
            chunks: an array for each chunk, in order, with time on `axis`.
            unit: entries on `axis` in a frame (the hop length, if they are samples).

        Yields:
            arrays that follow each other without a gap, from one border to the next.
        """
        fade = (np.arange(self.overlap * unit, dtype=np.float32) + 0.5) / (self.overlap * unit)
        tail = None
        for number, data in enumerate(chunks):
            data = np.moveaxis(data, axis, 0)
            first = (self.borders[number] - self.starts[number]) * unit
            last = (self.borders[number + 1] - self.starts[number]) * unit
            piece = data[first:last].copy()
            if tail is not None:
                rise = fade[: len(tail)].reshape(-1, *[1] * (data.ndim - 1))
                piece[: len(tail)] = tail * (1 - rise) + piece[: len(tail)] * rise
            tail = data[last : last + len(fade)].copy()
            yield np.moveaxis(piece, 0, axis)


def align_permutations(chunks, starts, length):
    """Reorder the sources of each chunk as those of the chunk before, by their overlap.

    A network that was trained permutation-invariantly may give the sources of each chunk in another
    order. They are reordered only where another order correlates clearly better.

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
    """The order of the sources `after` that correlates best with the sources `before`.

    Args:
        before, after: (sources, ...), real or complex.

    Returns:
        for each source of `before`, its index in `after`; 0, 1, ... if no other order is clearly
        better.
    """
    before, after = (part.reshape(len(part), -1) for part in (before, after))
    correlation = np.real(before @ after.conj().T)
    _, best = linear_sum_assignment(-correlation)
    same = np.arange(len(before))
    gain = correlation[same, best].sum() - correlation[same, same].sum()
    energy = np.sqrt(np.square(np.abs(before)).sum() * np.square(np.abs(after)).sum())
    return best if gain > CLEARLY * energy else same
