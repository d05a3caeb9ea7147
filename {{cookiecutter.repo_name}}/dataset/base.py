"""The base class of datasets: subclasses list tracks, and it reads items and excerpts of them."""

import json
from pathlib import Path

import numpy as np

import audio
from compat import nussl
from errors import UserError, amount
from files import file_stamp

from .folders import describe_contents, nearby_folders, suggestion
from .splitting import SPLITS
from .tracks import (
    REST,
    Channel,
    apply_groups,
    check_case,
    check_groups,
    check_tracks,
    files_of,
    log,
    with_all_labels,
    with_lengths,
)

MANIFEST = "manifest.json"
POLICIES = ("error", "skip", "silence")


class StemDataset(nussl.datasets.BaseDataset):
    """A dataset of tracks whose sources are separate files.

    A subclass lists its tracks (`list_tracks`), and may create them on first use (`ensure`). This
    class reads them: `dataset[i]` is nussl's item, `excerpt` a part of a track for training.

    Args:
        folder: the folder of the dataset.
        split: "train", "val" or "test".
        sample_rate, num_channels, stft_params: of the experiment (`signal` in the YAML file). Files
            of another rate are resampled as they are read. Several channels are averaged to one,
            and one channel is copied to several.
        groups: {label: [stems]}: the sources, each of which is the sum of the stems in its list.
            "*" stands for all stems that no list names. Other stems are not used, in mixtures that
            are sums either. null in place of a list removes a label of an included file. None:
            every stem is a source.

    Raises:
        UserError: the folder has no tracks of this split, or they are not as the class expects.
    """

    #: what the files of a subclass must have: rate in Hz, channels, stems of each track; None: any
    rate: int | None = None
    channels: int | None = None
    stems: tuple[str, ...] | None = None
    #: pad shorter stems with silence? Otherwise stems of different lengths are an error.
    padded = True
    #: what to do with a track that lacks a stem: "error", "skip" or "silence"
    missing = "error"
    #: "sum": the mixture is the sum of the sources; "file": it is the file `Track.mix`
    mixture = "sum"
    #: {split: number of tracks that the publisher states}; None: unknown
    published: dict[str, int] | None = None
    #: the expected contents of the folder, for error messages
    layout = "audio files"
    #: the file of `scripts.prepare` that downloads it, in data_prep/; None: there is none
    download: str | None = None
    #: what was detected about the folder (such as its layout), to be logged; None: nothing
    found: str | None = None
    #: do `groups` omit stems? The mixture's own file then contains more than the sources.
    leaves_out = False
    #: does a mixture's file contain the sources unchanged? Otherwise none is augmented alone.
    mixture_holds_sources = True
    #: are mixtures made from unrelated clips as they are read?
    mixed_when_read = False

    def __init__(self, folder, split, sample_rate, num_channels, stft_params, groups=None):
        if split not in SPLITS:
            raise UserError(
                f"split is {split!r}; {suggestion(split, SPLITS)}"
                f"{type(self).__name__} has {', '.join(SPLITS)}"
            )
        if self.missing not in POLICIES:
            raise UserError(f"missing is {self.missing!r}; write {', '.join(POLICIES)}")
        self.split, self.groups = split, check_groups(groups)
        self.tracks = []
        super().__init__(
            str(folder), sample_rate=sample_rate, stft_params=stft_params, num_channels=num_channels
        )
        # after nussl's constructor, which would read the first item if there were any
        listed = check_tracks(self.list_tracks(Path(folder)), type(self).__name__)
        self.tracks = self._usable_tracks(listed)
        self.items = list(range(len(self.tracks)))
        self.labels = sorted(self.tracks[0].stems)
        self.metadata["labels"] = self.labels
        self.manifest_hash = manifest_hash(folder)

    def list_tracks(self, folder):
        """The tracks of `self.split` in `folder`: [Track], in the same order each time.

        Lengths and sample rates may be None: the caller reads them from the files.
        """
        raise UserError(
            f"{type(self).__name__} lists no tracks; give it a method list_tracks(folder)"
        )

    def recognises(self, folder):
        """Does `folder` look like this dataset? Used for suggestions in error messages; must be
        fast."""
        return False

    def ensure(self, indices, progress=True):
        """Create the files of the tracks at `indices` if they do not exist yet.

        Args:
            progress: show a progress bar?
        """

    def get_items(self, folder):
        """Called by nussl's constructor, which reads the first item; there are none yet."""
        return []

    def _usable_tracks(self, tracks):
        """The tracks whose sources are complete, with stems grouped and lengths measured."""
        if not tracks:
            raise UserError(self.nothing_found())
        count = len(tracks)
        if self.stems is not None:
            tracks = with_all_labels(tracks, self.stems, self.missing)
        if self.groups is not None:
            named = {stem for stems in self.groups.values() for stem in stems}
            existing = {stem for track in tracks for stem in track.stems}
            self.leaves_out = REST not in named and bool(existing - named)
            tracks = apply_groups(tracks, self.groups, type(self).__name__)
        labels = self.groups or sorted({stem for track in tracks for stem in track.stems})
        check_case(tracks, labels)
        tracks = with_all_labels(tracks, labels, self.missing)
        if not tracks:
            raise UserError(
                f"{self.folder}: each of the {count} tracks of {type(self).__name__}, split "
                f"{self.split!r}, lacks one of {', '.join(labels)}; see `missing` and `groups`"
            )
        tracks = with_lengths(tracks, self.rate, self.channels, self.padded, self.num_channels)
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
        """The error message for a folder without tracks: what was expected, what was found, and
        which folder may be meant or what downloads it."""
        message = (
            f"{self.folder}: no tracks of {type(self).__name__}, split {self.split!r}: expected "
            f"{self.layout}; found {describe_contents(self.folder)}"
        )
        try:
            near = next((f for f in nearby_folders(self.folder) if self.recognises(f)), None)
        except (UserError, OSError):  # a problem of another folder is not the user's concern
            near = None
        if near is not None:
            return f"{message}; did you mean folder: {near}?"
        if self.download is not None:
            message += f"; python -m scripts.prepare -p data_prep/{self.download} downloads it"
        return message

    def index_of(self, name):
        """The index of the track called `name`.

        Raises:
            UserError: there is none.
        """
        for index, track in enumerate(self.tracks):
            if track.name == name:
                return index
        raise UserError(
            f"no item {name!r} in {type(self).__name__}, split {self.split!r}: "
            f"{amount(len(self.tracks), 'item')} from {self.tracks[0].name} "
            f"to {self.tracks[-1].name}; "
            f"{suggestion(name, [track.name for track in self.tracks])}".rstrip("; ")
        )

    def stamp(self, index):
        """[path, `file_stamp`] of each file of a track, to detect whether the audio has changed."""
        files = [path for path in files_of(self.tracks[index]) if path.is_file()]
        return [[str(path), file_stamp(path)] for path in files]

    def length_of(self, index):
        """The length of a track in samples at the experiment's rate."""
        track = self.tracks[index]
        return audio.resampled_length(track.length, track.sample_rate, self.sample_rate)

    def excerpt(self, index, start=0, length=None, labels=None):
        """Read a part of a track's sources.

        Only that part is read from disk. Beyond the track's end there are zeros.

        Args:
            start, length: in samples at the experiment's rate; length None: up to the end.
            labels: the sources to read; None: `self.labels`.

        Returns:
            float32 (sources, channels, samples), sources in the order of `labels`.
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
        """Read the same part of the mixture: float32 (channels, samples).

        Args:
            start, length: as of `excerpt`.
            sources: what `excerpt` returned for this part, if it was called; saves reading it
                again for a mixture that is a sum.
        """
        track = self.tracks[index]
        if self.mixture == "sum" or track.mix is None:
            sources = self.excerpt(index, start, length) if sources is None else sources
            return sources.sum(axis=0)
        self.ensure([index], progress=False)
        return self._read(track.mix, start, self._length(index, start, length))

    def draw(self, index, length, rng):
        """Read a random excerpt of `length` samples for training. A shorter track is padded.

        Args:
            rng: numpy's Generator; the same state gives the same excerpt.

        Returns:
            (mix, sources, name): as `mix` and `excerpt` return them, and the name of the track.
        """
        spare = self.length_of(index) - length
        start = int(rng.integers(spare + 1)) if spare > 0 else 0
        sources = self.excerpt(index, start, length)
        return self.mix(index, start, length, sources), sources, self.tracks[index].name

    def _length(self, index, start, length):
        """`length`, or the samples from `start` to the track's end if it is None."""
        return max(0, self.length_of(index) - start) if length is None else length

    def _read(self, file, start, length):
        path, channel = file if isinstance(file, Channel) else (file, None)
        return audio.read_excerpt(path, self.sample_rate, self.num_channels, start, length, channel)

    def process_item(self, index):
        """nussl's item: {"mix": AudioSignal, "sources": {label: AudioSignal}, "metadata": dict}."""
        sources = self.excerpt(index)
        track = self.tracks[index]
        mix = self._load_audio_from_array(self.mix(index, sources=sources))
        mix.path_to_input_file = track.name  # so that algorithms can identify the item
        return {
            "mix": mix,
            "sources": {
                label: self._load_audio_from_array(sound)
                for label, sound in zip(self.labels, sources, strict=True)
            },
            "metadata": {"labels": list(self.labels), "name": track.name, "song": track.song},
        }


def manifest_hash(folder):
    """The hash in the manifest that `scripts.prepare` wrote to `folder` or to one of the four
    folders above it; None: there is no manifest."""
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
