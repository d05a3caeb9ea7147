"""Stems of your own: a folder for each source, or a folder for each track."""

import dataclasses
import re
from typing import Literal

from errors import UserError, raise_all

from .base import SPLITS, StemDataset
from .folders import audio_files, compile_pattern, folders, normalized, warn_of_unused
from .layout import find_layout, is_mixture
from .tracks import Track, log

FILES = {"stems": "<source>/<track>.wav", "tracks": "<track>/<source>.wav"}


class StemFolder(StemDataset):
    """Stems of your own, in one of two layouts; mixtures are optional in both::

        folder/                          layout: stems (nussl's MixSourceFolder)
          train/                         train, val and test; or none of them, see `folder`
            vocals/  one.wav  two.wav    a folder for each source; one.wav is a track in all
            guitar/  one.wav  two.wav
            mix/     one.wav  two.wav

        folder/                          layout: tracks
          train/
            one/  vocals.wav  guitar.wav  mix.wav       a folder for each track
            two/  vocals.wav  guitar.wav  mix.wav

    WAV, FLAC, OGG, MP3 and AIFF files of any rate, under your own license. Shorter stems are padded
    with silence.

    Args:
        folder: as above. If it has no folders `train`, `val` and `test`, each split needs its own
            `folder`.
        split: "train", "val" or "test".
        layout: "stems", "tracks", or "auto": detected by the rules in `dataset/layout.py`.
        mix: the name of the folder or file of the mixtures; None: mix, mixture, mixed, mixes,
            mixtures or mixdown, in any case; "": there are no mixtures, even if a name is one of
            these.
        mixture: "file" or "sum" of the sources; None: the file if every track has one.
        song: a regular expression with one group, matched from the beginning of a track's name; the
            group is the name of the song. Tracks of one song are not independent: confidence
            intervals are over songs, and the audit searches for songs in two splits. None: every
            track is a song.
        groups: as in every dataset.
        missing: what to do with a track that lacks a stem: "error", "skip" or "silence".
    """

    def __init__(
        self,
        folder,
        split,
        sample_rate,
        num_channels,
        stft_params,
        layout: Literal["auto", "stems", "tracks"] = "auto",
        mix: str | None = None,
        mixture: Literal["file", "sum"] | None = None,
        song: str | None = None,
        groups: dict | None = None,
        missing: Literal["error", "skip", "silence"] = "error",
    ):
        self.requested_layout, self.mix_name = layout, mix
        self.song = compile_pattern("song", song, "(.*)_\\d+")
        self.requested_mixture, self.missing = mixture, missing
        either = f"{FILES['stems']} or {FILES['tracks']}"
        self.layout = f"{split}/ with {FILES.get(layout, either)}"
        super().__init__(folder, split, sample_rate, num_channels, stft_params, groups)

    def recognises(self, folder):
        return (folder / self.split).is_dir()

    def list_tracks(self, folder):
        parts = [folder / split for split in SPLITS if (folder / split).is_dir()]
        place = folder / self.split if parts else folder
        layout = self.requested_layout
        if layout == "auto":
            layout, why = find_layout(parts or [folder])
            self.found = f"layout: {layout}, by {why}"
        found = _by_track(place) if layout == "tracks" else _by_stem(place)
        used = {path for stems in found.values() for path in stems.values()}
        warn_of_unused(place, used, f"{FILES[layout]}, as WAV, FLAC, OGG, MP3 or AIFF")
        mixes = self._take_mixtures(found)
        tracks = [
            Track(name, {label: (path,) for label, path in stems.items()}, mix=mixes[name])
            for name, stems in sorted(found.items())
            if stems
        ]
        without = [track.name for track in tracks if track.mix is None]
        self.mixture = self.requested_mixture or ("file" if tracks and not without else "sum")
        if self.requested_mixture is None and 0 < len(without) < len(tracks):
            log.warning(
                "%s: mixtures are the sums of the sources, because %s a mixture file, %s for one; "
                "add them, or write mixture: sum",
                place,
                f"{len(without)} of {len(tracks)} tracks lack",
                without[0],
            )
        if self.mixture == "file":
            raise_all(
                f"{track.name}: no file for it in {self.mix_name or 'mix'!r}; add it, or write "
                "mixture: sum"
                for track in tracks
                if track.mix is None
            )
        return self._with_songs(tracks)

    def _take_mixtures(self, found):
        """Remove the mixtures from `found`, {track: {label: path}}.

        Returns:
            {track: path of its mixture or None}.
        """
        mixes = {}
        for track, stems in found.items():
            if self.mix_name is None:
                names = [name for name in stems if is_mixture(name)]
            else:
                names = [name for name in (self.mix_name,) if name in stems]
            if len(names) > 1:
                raise UserError(
                    f"{stems[names[0]]}: its name and {names[1]} are both names of a mixture; "
                    f"write mix: {names[0]} or mix: {names[1]}"
                )
            mixes[track] = stems.pop(names[0]) if names else None
        return mixes

    def _with_songs(self, tracks):
        """The tracks with their songs, by the regular expression `song`."""
        if self.song is None:
            if examples := _parts_of_one_song([track.name for track in tracks]):
                log.warning(
                    "%s: by their names, several files may be parts of one song (%s); if so, write "
                    "song: '(.*?)[ _.-]*\\d+$' in args, else each counts as a song of its own",
                    self.folder,
                    examples,
                )
            return tracks
        matches = [(track, self.song.match(track.name)) for track in tracks]
        raise_all(
            f"{track.name}: song: {self.song.pattern!r} does not match the track's name"
            for track, match in matches
            if match is None or match[1] is None
        )
        return [dataclasses.replace(track, song=match[1]) for track, match in matches]


def _parts_of_one_song(names):
    """Names that differ in a number at their end only, as text, if most names have such a number
    and there are two groups of them at least; else ""."""
    groups = {}
    for name in names:
        match = re.fullmatch(r"(.*?)[ _.-]*\d+", name)
        if match and match[1]:
            groups.setdefault(match[1], []).append(name)
    songs = [members for members in groups.values() if len(members) > 1]
    if len(songs) < 2 or sum(map(len, songs)) <= len(names) / 2:
        return ""
    return ", ".join(songs[0][:3]) + (", ..." if len(songs[0]) > 3 else "")


def _by_stem(place):
    """{track: {source: path}} of a folder with a subfolder for each source."""
    found = {}
    for source in folders(place):
        for name, path in audio_files(source).items():
            found.setdefault(name, {})[normalized(source.name)] = path
    return found


def _by_track(place):
    """{track: {source: path}} of a folder with a subfolder for each track."""
    return {normalized(track.name): audio_files(track) for track in folders(place)}
