"""Any algorithm on a recording of any length, in bounded memory."""

import numpy as np

from compat import nussl

from .chunks import Chunks, align_permutations
from .traits import Result, estimates_of, labels_of, trait

CHUNK = 60  # seconds that an algorithm without a stream of its own separates at once
OVERLAP = 5  # seconds over which its chunks are faded into each other


class Streamed:
    """Runs any algorithm on a recording of any length; `pieces()` yields the sources.

    Networks have a `stream` of their own. Any other algorithm separates chunks, whose sources are
    aligned by their overlap; a repetition (`Repet`) is found only within a chunk.

    Args:
        make: function(mixture) -> algorithm: a class with its arguments.
        recording: as in `streams`.
    """

    def __init__(self, make, recording):
        self.make, self.recording = make, recording
        kind = getattr(make, "func", make)
        self.algorithm = make(recording) if trait(kind, "streams") else None
        #: labels of the sources in their order; None: they have no order
        self.labels = self.algorithm.source_labels if self.algorithm else labels_of(kind)

    def pieces(self):
        """Yields float32 (sources, channels, samples), one after the other."""
        if self.algorithm is not None:
            yield from self.algorithm.stream()
            return
        rate = self.recording.sample_rate
        chunks = Chunks(self.recording.length, CHUNK * rate, OVERLAP * rate)
        separated = (self._separate(start, chunks.length) for start in chunks.starts)
        aligned = align_permutations(separated, chunks.starts, chunks.length)
        yield from chunks.crossfade(aligned)

    def result(self):
        """Labels and, of a clustering, the embedding: a `Result` without estimates."""
        if hasattr(self.algorithm, "result"):
            return self.algorithm.result([])
        return Result([], labels=self.labels)

    def _separate(self, start, length):
        data, rate = self.recording.read(start, length), self.recording.sample_rate
        mix = nussl.AudioSignal(audio_data_array=data, sample_rate=rate)
        estimates = estimates_of(self.make(mix), mix)
        return np.stack([estimate.audio_data for estimate in estimates]).astype(np.float32)
