"""What every dataset shares: tracks in, nussl's items and training excerpts out."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import audio
from compat import nussl
from files import UserError


@dataclass(frozen=True)
class Track:
    """One mixture and the files of its sources.

    name: unique in its dataset; stems: {label: files, which are summed}; sample_rate: of the files;
    length: in samples; song: what must not stand in two splits at once.
    """

    name: str
    stems: dict = field(repr=False)
    sample_rate: int
    length: int
    song: str = ""


class StemDataset(nussl.datasets.BaseDataset):
    """A folder of tracks whose sources lie in files of their own; their sum is the mixture.

    A subclass lists its tracks (`list_tracks`), and may make one on first use (`ensure`).
    Everything else follows from the list: `dataset[i]` is nussl's item, `excerpt` a stretch for
    training.

    Args:
        folder: where the data lies.
        split: "train", "val" or "test".
        sample_rate, num_channels, stft_params: of the experiment (`signal` in the YAML).
        groups: {label: [stems]}: the sources, each the sum of the stems named; stems that no group
            names are left out of the mixture too. None: every stem is a source.
    """

    def __init__(self, folder, split, sample_rate, num_channels, stft_params, groups=None):
        self.split, self.groups = split, groups
        self.tracks = []
        super().__init__(
            str(folder), sample_rate=sample_rate, stft_params=stft_params, num_channels=num_channels
        )
        # listed after nussl's constructor, which would read the first item to learn what is given
        self.tracks = self._grouped(self.list_tracks(Path(folder)))
        self.items = list(range(len(self.tracks)))
        if not self.tracks:
            raise UserError(f"{folder}: no tracks of {type(self).__name__}, split {split!r}")
        self.labels = sorted(self.tracks[0].stems)
        self.metadata["labels"] = self.labels

    def list_tracks(self, folder):
        """All tracks of `self.split` in `folder`, in an order that never changes: [Track]."""
        raise NotImplementedError

    def ensure(self, indices, progress=True):
        """Make sure that the tracks at `indices` can be read."""

    def get_items(self, folder):
        return []

    def _grouped(self, tracks):
        if self.groups is None or not tracks:
            return tracks
        there = set(tracks[0].stems)
        for label, stems in self.groups.items():
            for stem in stems:
                if stem not in there:
                    raise UserError(
                        f"groups.{label}: no stem {stem!r}; {type(self).__name__} has "
                        + ", ".join(sorted(there))
                    )
        return [
            Track(
                t.name,
                {
                    label: tuple(f for stem in stems for f in t.stems[stem])
                    for label, stems in self.groups.items()
                },
                t.sample_rate,
                t.length,
                t.song,
            )
            for t in tracks
        ]

    def index_of(self, name):
        """The index of the track called `name`."""
        for index, track in enumerate(self.tracks):
            if track.name == name:
                return index
        raise UserError(
            f"no item {name!r} in {type(self).__name__}, split {self.split!r}: "
            f"{len(self.tracks)} items from {self.tracks[0].name} "
            f"to {self.tracks[-1].name}"
        )

    def length_of(self, index):
        """Samples of a track at the experiment's rate."""
        track = self.tracks[index]
        return int(track.length * self.sample_rate / track.sample_rate)

    def excerpt(self, index, start=0, length=None):
        """Read `length` samples (None: all) from `start`, at the experiment's rate.

        Only that stretch is read from disk. What lies beyond the track's end is silence.

        Returns:
            float32 `(sources, channels, samples)`, sources in the order of `labels`.
        """
        self.ensure([index], progress=False)
        track = self.tracks[index]
        scale = track.sample_rate / self.sample_rate
        length = self.length_of(index) - start if length is None else length
        first, count = int(start * scale), int(np.ceil(length * scale))
        count = max(0, min(count, track.length - first))
        sources = np.zeros((len(self.labels), self.num_channels, length), dtype=np.float32)
        if count == 0:
            return sources
        for row, label in zip(sources, self.labels, strict=True):
            for path in track.stems[label]:
                sound = audio.read(path, self.sample_rate, self.num_channels, first, count)
                sound = sound[:, :length]
                row[:, : sound.shape[1]] += sound
        return sources

    def process_item(self, index):
        """nussl's item: {"mix": AudioSignal, "sources": {label: AudioSignal}, "metadata": {}}."""
        sources = self.excerpt(index)
        track = self.tracks[index]
        return {
            "mix": self._load_audio_from_array(sources.sum(axis=0)),
            "sources": {
                label: self._load_audio_from_array(sound)
                for label, sound in zip(self.labels, sources, strict=True)
            },
            "metadata": {"labels": list(self.labels), "name": track.name, "song": track.song},
        }
