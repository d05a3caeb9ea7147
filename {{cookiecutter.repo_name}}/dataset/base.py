"""What every dataset shares: tracks in, nussl's items and training excerpts out."""

import json
from pathlib import Path

import numpy as np

import audio
from compat import nussl
from errors import UserError, amount

from .folders import around, did_you_mean, found_in
from .splitting import SPLITS
from .tracks import (
    REST,
    Channel,
    complete,
    grouped,
    listed,
    log,
    measured,
    plain_groups,
    refuse_twins,
)

MANIFEST = "manifest.json"
POLICIES = ("error", "skip", "silence")


class StemDataset(nussl.datasets.BaseDataset):
    """A folder of tracks whose sources lie in files of their own.

    A subclass lists its tracks (`list_tracks`), and may make one on first use (`ensure`).
    Everything else follows from the list: `dataset[i]` is nussl's item, `excerpt` a stretch for
    training.

    Args:
        folder: where the data are.
        split: "train", "val" or "test".
        sample_rate, num_channels, stft_params: of the experiment (`signal` in the YAML). Files of
            another rate are resampled as they are read; of several channels the mean is taken for
            one, and one is copied to both.
        groups: {label: [stems]}: the sources, each the sum of the stems named; "*" means all
            stems that no group names. Stems that are not named are left out, of a mixture that is
            a sum too. null in place of the stems takes an included label away. None: every stem is
            a source.
    """

    #: what a subclass's files must be: rate in Hz, channels, stems of each track; None: anything
    rate: int | None = None
    channels: int | None = None
    stems: tuple[str, ...] | None = None
    #: are shorter stems followed by silence (else unequal lengths are an error)?
    padded = True
    #: what is done with a track that lacks a stem: "error", "skip" or "silence"
    missing = "error"
    #: is the mixture the sum of the sources, or the track's own file (`Track.mix`)?
    mixture = "sum"
    #: {split: how many tracks the publisher's copy has}; None: nobody knows
    published: dict[str, int] | None = None
    #: what a folder of this kind looks like, for messages
    layout = "audio files"
    #: what was recognised of the folder, to be said once; None: nothing was left open
    found: str | None = None
    #: do the groups leave stems out, which a mixture's own file then holds beside the sources?
    leaves_out = False
    #: are mixtures made, of clips that have nothing to do with each other, when they are read?
    mixed_when_read = False

    def __init__(self, folder, split, sample_rate, num_channels, stft_params, groups=None):
        if split not in SPLITS:
            raise UserError(
                f"split is {split!r}; {did_you_mean(split, SPLITS)}"
                f"{type(self).__name__} has {', '.join(SPLITS)}"
            )
        if self.missing not in POLICIES:
            raise UserError(f"missing is {self.missing!r}; write {', '.join(POLICIES)}")
        self.split, self.groups = split, plain_groups(groups)
        self.tracks = []
        super().__init__(
            str(folder), sample_rate=sample_rate, stft_params=stft_params, num_channels=num_channels
        )
        # listed after nussl's constructor, which would read the first item to learn what is given
        self.tracks = self._chosen(listed(self.list_tracks(Path(folder)), type(self).__name__))
        self.items = list(range(len(self.tracks)))
        self.labels = sorted(self.tracks[0].stems)
        self.metadata["labels"] = self.labels
        self.manifest_hash = manifest_hash(folder)

    def list_tracks(self, folder):
        """All tracks of `self.split` in `folder`, each a `Track`, in an order that never changes.

        Tracks without a length are measured by the caller.
        """
        raise UserError(
            f"{type(self).__name__} lists no tracks; give it a method list_tracks(folder)"
        )

    def recognises(self, folder):
        """Does `folder` look like this dataset? For "did you mean"; cheap."""
        return False

    def ensure(self, indices, progress=True):
        """Make sure that the tracks at `indices` can be read."""

    def get_items(self, folder):
        return []

    def _chosen(self, tracks):
        """The tracks that can be used, their stems grouped and their files measured."""
        if not tracks:
            raise UserError(self.nothing_found())
        count = len(tracks)
        if self.stems is not None:
            tracks = complete(tracks, self.stems, self.missing)
        if self.groups is not None:
            named = {stem for stems in self.groups.values() for stem in stems}
            there = {stem for track in tracks for stem in track.stems}
            self.leaves_out = REST not in named and bool(there - named)
            tracks = grouped(tracks, self.groups, type(self).__name__)
        labels = self.groups or sorted({stem for track in tracks for stem in track.stems})
        refuse_twins(tracks, labels)
        tracks = complete(tracks, labels, self.missing)
        if not tracks:
            raise UserError(
                f"{self.folder}: each of the {count} tracks of {type(self).__name__}, split "
                f"{self.split!r}, lacks one of {', '.join(labels)}; see `missing` and `groups`"
            )
        tracks = measured(tracks, self.rate, self.channels, self.padded, self.num_channels)
        expected = (self.published or {}).get(self.split, count)
        if expected != count:
            log.warning(
                "%s: %s of %s, split %r; the publisher's copy has %d",
                self.folder,
                amount(count, "track"),
                type(self).__name__,
                self.split,
                expected,
            )
        return tracks

    def nothing_found(self):
        """What was expected, what was found, what may have been meant."""
        message = (
            f"{self.folder}: no tracks of {type(self).__name__}, split {self.split!r}: expected "
            f"{self.layout}; found {found_in(self.folder)}"
        )
        try:
            near = next((f for f in around(self.folder) if self.recognises(f)), None)
        except (UserError, OSError):  # something is wrong in a folder that nobody asked about
            near = None
        return message if near is None else f"{message}; did you mean folder: {near}?"

    def index_of(self, name):
        """The index of the track called `name`."""
        for index, track in enumerate(self.tracks):
            if track.name == name:
                return index
        raise UserError(
            f"no item {name!r} in {type(self).__name__}, split {self.split!r}: "
            f"{amount(len(self.tracks), 'item')} from {self.tracks[0].name} "
            f"to {self.tracks[-1].name}; "
            f"{did_you_mean(name, [track.name for track in self.tracks])}".rstrip("; ")
        )

    def length_of(self, index):
        """Samples of a track at the experiment's rate."""
        track = self.tracks[index]
        return audio.resampled_length(track.length, track.sample_rate, self.sample_rate)

    def excerpt(self, index, start=0, length=None, labels=None):
        """Read `length` samples (None: all) from `start`, at the experiment's rate.

        Only that stretch is read from disk. Beyond the track's end there is silence.

        Args:
            labels: read only these sources; None: `self.labels`.

        Returns:
            float32 `(sources, channels, samples)`, sources in the order of `labels`.
        """
        self.ensure([index], progress=False)
        track = self.tracks[index]
        labels = self.labels if labels is None else labels
        length = self._length(index, start, length)
        sources = np.empty((len(labels), self.num_channels, length), dtype=np.float32)
        for row, label in zip(sources, labels, strict=True):
            first, *others = track.stems[label] or (None,)
            row[:] = 0 if first is None else self._read(first, start, length)
            for file in others:
                row += self._read(file, start, length)
        return sources

    def mix(self, index, start=0, length=None, sources=None):
        """The mixture of the stretch that `excerpt` reads: float32 `(channels, samples)`.

        sources: what `excerpt` gave there, if that is at hand; the mixture is their sum unless it
        is a file of its own.
        """
        track = self.tracks[index]
        if self.mixture == "sum" or track.mix is None:
            sources = self.excerpt(index, start, length) if sources is None else sources
            return sources.sum(axis=0)
        self.ensure([index], progress=False)
        return self._read(track.mix, start, self._length(index, start, length))

    def draw(self, index, length, rng):
        """An excerpt of `length` samples for training: (mix, sources, name), as `mix` and `excerpt`
        give them from a random place of the track, or silence after a shorter one.

        Args:
            rng: numpy's Generator: the same one gives the same excerpt.
        """
        spare = self.length_of(index) - length
        start = int(rng.integers(spare + 1)) if spare > 0 else 0
        sources = self.excerpt(index, start, length)
        return self.mix(index, start, length, sources), sources, self.tracks[index].name

    def _length(self, index, start, length):
        return max(0, self.length_of(index) - start) if length is None else length

    def _read(self, file, start, length):
        path, channel = file if isinstance(file, Channel) else (file, None)
        return audio.read_excerpt(path, self.sample_rate, self.num_channels, start, length, channel)

    def process_item(self, index):
        """nussl's item: {"mix": AudioSignal, "sources": {label: AudioSignal}, "metadata": {}}."""
        sources = self.excerpt(index)
        track = self.tracks[index]
        mix = self._load_audio_from_array(self.mix(index, sources=sources))
        mix.path_to_input_file = track.name  # by which an algorithm may know the item
        return {
            "mix": mix,
            "sources": {
                label: self._load_audio_from_array(sound)
                for label, sound in zip(self.labels, sources, strict=True)
            },
            "metadata": {"labels": list(self.labels), "name": track.name, "song": track.song},
        }


def manifest_hash(folder):
    """The hash in the manifest that `scripts.prepare` left in `folder` or above it; None: none."""
    for place in [Path(folder), *Path(folder).parents][:5]:
        path = place / MANIFEST
        if path.is_file():
            try:
                return str(json.loads(path.read_text(encoding="utf-8"))["hash"])
            except (ValueError, KeyError, TypeError, OSError) as error:
                raise UserError(
                    f"{path}: not a manifest of scripts.prepare ({error!r}); remove it, or "
                    "prepare the data again"
                ) from error
    return None
