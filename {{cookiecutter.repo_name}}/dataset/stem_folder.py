"""Any stems: a folder for each source, or a folder for each track."""

import dataclasses
import re
from typing import Literal

from errors import UserError, raise_all

from .base import SPLITS, StemDataset
from .folders import audio_files, folders, pattern_of, plain
from .layout import find_layout, is_mixture
from .tracks import Track, log


class StemFolder(StemDataset):
    """Stems of your own, in one of two layouts; mixtures are optional in both::

        folder/                          layout: stems (nussl's MixSourceFolder)
          train/                         train, val and test; or none of them: then `folder` itself
            vocals/  one.wav  two.wav    a folder a source, in which a track has the same name
            guitar/  one.wav  two.wav
            mix/     one.wav  two.wav

        folder/                          layout: tracks
          train/
            one/  vocals.wav  guitar.wav  mix.wav       a folder a track
            two/  vocals.wav  guitar.wav  mix.wav

    WAV, FLAC, OGG, MP3 and AIFF of any rate, under your own license. A shorter stem is followed by
    silence.

    Args:
        folder: as above. Without folders `train`, `val` and `test` in it, each split needs a folder
            of its own.
        split: "train", "val" or "test".
        layout: "stems", "tracks", or "auto": whichever it looks like (`dataset/layout.py`).
        mix: the name of the folder or file with the mixtures; None: mix, mixture, mixed, mixes,
            mixtures or mixdown, in any case; "": there are none, whatever names say.
        mixture: "file" or "sum" of the sources; None: the file if every track has one.
        song: a regular expression with one group, matched from the beginning of a track's name: the
            group is the song that it is of. Tracks of one song are not independent: intervals are
            over songs, and the audit looks for songs in two splits. None: every track is a song.
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
        self.asked_layout, self.mix_name = layout, mix
        self.song = pattern_of("song", song, "(.*)_\\d+")
        self.asked, self.missing = mixture, missing
        of = {"stems": "<source>/<track>.wav", "tracks": "<track>/<source>.wav"}
        of["auto"] = f"{of['stems']} or {of['tracks']}"
        self.layout = f"{split}/ with {of[layout]}"
        super().__init__(folder, split, sample_rate, num_channels, stft_params, groups)

    def recognises(self, folder):
        return (folder / self.split).is_dir()

    def list_tracks(self, folder):
        parts = [folder / split for split in SPLITS if (folder / split).is_dir()]
        place = folder / self.split if parts else folder
        layout = self.asked_layout
        if layout == "auto":
            layout, why = find_layout(parts or [folder])
            self.found = f"layout: {layout}, by {why}"
        found = _by_track(place) if layout == "tracks" else _by_stem(place)
        mixes = self._take_mixtures(found)
        tracks = [
            Track(name, {la: (path,) for la, path in stems.items()}, mix=mixes[name])
            for name, stems in sorted(found.items())
            if stems
        ]
        with_mix = [track for track in tracks if track.mix is not None]
        self.mixture = self.asked or ("file" if tracks and len(with_mix) == len(tracks) else "sum")
        if self.mixture == "file":
            raise_all(
                f"{track.name}: no file for it in {self.mix_name or 'mix'!r}; add it, or write "
                "mixture: sum"
                for track in tracks
                if track.mix is None
            )
        return self._with_songs(tracks)

    def _take_mixtures(self, found):
        """{track: the mixture's file or None}; they are removed from `found`."""
        mixes = {}
        for track, stems in found.items():
            if self.mix_name is None:
                names = [name for name in stems if is_mixture(name)]
            else:
                names = [name for name in (self.mix_name,) if name in stems]
            if len(names) > 1:
                raise UserError(
                    f"{stems[names[0]]}: is beside {names[1]}, and both are names of a "
                    f"mixture; write mix: {names[0]} or mix: {names[1]}"
                )
            mixes[track] = stems.pop(names[0]) if names else None
        return mixes

    def _with_songs(self, tracks):
        if self.song is None:
            if looks := _looks_like_songs([track.name for track in tracks]):
                log.warning(
                    "%s: names look as if several files were of one song (%s); if they are, write "
                    "song: '(.*?)[ _.-]*\\d+$' in args, else each counts as a song of its own",
                    self.folder,
                    looks,
                )
            return tracks
        matches = [(track, self.song.match(track.name)) for track in tracks]
        raise_all(
            f"{track.name}: song: {self.song.pattern!r} does not match the track's name"
            for track, match in matches
            if match is None or match[1] is None
        )
        return [dataclasses.replace(track, song=match[1]) for track, match in matches]


def _looks_like_songs(names):
    """The names of one song, if most names are another name and a running number, and there are
    several such other names; else ""."""
    songs = {}
    for name in names:
        match = re.fullmatch(r"(.*?)[ _.-]*\d+", name)
        if match and match[1]:
            songs.setdefault(match[1], []).append(name)
    several = [members for members in songs.values() if len(members) > 1]
    if len(several) < 2 or sum(map(len, several)) <= len(names) / 2:
        return ""
    return ", ".join(several[0][:3]) + (", ..." if len(several[0]) > 3 else "")


def _by_stem(place):
    """{track: {source: file}} of a folder a source."""
    found = {}
    for source in folders(place):
        for name, path in audio_files(source).items():
            found.setdefault(name, {})[plain(source.name)] = path
    return found


def _by_track(place):
    """{track: {source: file}} of a folder a track."""
    return {plain(track.name): audio_files(track) for track in folders(place)}
