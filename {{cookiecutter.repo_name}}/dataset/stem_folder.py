"""Any stems: a folder for each source, or a folder for each track."""

from typing import Literal

from .base import SPLITS, StemDataset
from .folders import audio_files, folders, plain
from .tracks import Track, tell


class StemFolder(StemDataset):
    """Stems of your own, in one of two layouts; `mix` is optional in both::

        folder/                          layout: stems (nussl's MixSourceFolder)
          train/                         train, val and test; or none of them: then `folder` itself
            vocals/  one.wav  two.wav    a folder a source, in which a track has the same name
            guitar/  one.wav  two.wav
            mix/     one.wav  two.wav

        folder/                          layout: tracks
          train/
            one/  vocals.wav  guitar.wav  mix.wav       a folder a track
            two/  vocals.wav  guitar.wav  mix.wav

    WAV, FLAC, OGG, MP3 and AIFF of any rate, under your own licence. A shorter stem is followed by
    silence.

    Args:
        folder: as above. Without folders `train`, `val` and `test` in it, each split needs a folder
            of its own.
        split: "train", "val" or "test".
        layout: "stems" or "tracks".
        mix: the name of the folder or file with the mixtures.
        mixture: "file" or "sum" of the sources; None: the file if every track has one.
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
        layout: Literal["stems", "tracks"] = "stems",
        mix: str = "mix",
        mixture: Literal["file", "sum"] | None = None,
        groups: dict | None = None,
        missing: Literal["error", "skip", "silence"] = "error",
    ):
        self.by_track, self.mix_name = layout == "tracks", mix
        self.asked, self.missing = mixture, missing
        self.layout = f"{split}/" + ("<track>/<source>.wav" if self.by_track else
                                     "<source>/<track>.wav")  # fmt: skip
        super().__init__(folder, split, sample_rate, num_channels, stft_params, groups)

    def recognises(self, folder):
        return (folder / self.split).is_dir()

    def list_tracks(self, folder):
        parts = [folder / split for split in SPLITS if (folder / split).is_dir()]
        place = folder / self.split if parts else folder
        found = _by_track(place) if self.by_track else _by_stem(place)
        mixes = {name: stems.pop(self.mix_name, None) for name, stems in found.items()}
        tracks = [
            Track(name, {la: (path,) for la, path in stems.items()}, mix=mixes[name])
            for name, stems in sorted(found.items())
            if stems
        ]
        with_mix = [track for track in tracks if track.mix is not None]
        self.mixture = self.asked or (
            "file" if tracks and len(with_mix) == len(tracks) else "sum"
        )
        if self.mixture == "file":
            tell(
                f"{track.name}: no file for it in {self.mix_name!r}; add it, or write mixture: sum"
                for track in tracks
                if track.mix is None
            )
        return tracks


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
