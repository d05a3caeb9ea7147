"""MoisesDB: 240 songs with stems of eleven kinds."""

from typing import Literal

from errors import UserError, raise_all
from files import read_json

from .base import StemDataset
from .folders import folders, normalized
from .splitting import split_names
from .tracks import Track

DESCRIPTION = "data.json"


class MoisesDB(StemDataset):
    """MoisesDB as it is unpacked; stems are labelled by their `stemName` in data.json::

        folder/
          moisesdb_v0.1/                    or the songs in folder itself
            0a1f7d3c-.../                   a song
              data.json                     {song, artist, stems: [{stemName, tracks: [{id, ...}]}]}
              vocals/   5b1e....wav  ...    one file for each track of the stem; they are summed
              drums/  bass/  guitar/  other_keys/  percussion/  piano/  ...

    Publisher: Pereira, Araujo, Korzeniowski, Vogl 2023, https://github.com/moises-ai/moises-db.
    License: CC BY-NC-SA 4.0. 44.1 kHz, mostly stereo. The stems are bass, bowed_strings, drums,
    guitar, other, other_keys, other_plucked, percussion, piano, vocals and wind.

    The publisher gives no splits. Here the artists are divided, so that none is in two splits.

    Args:
        folder: as above.
        split: "train", "val" or "test".
        groups: {label: [stemName]}; by default the four stems of MUSDB18: vocals, drums, bass, and
            other for all other stems.
        fractions: of the artists for val and test, by default {val: 0.1, test: 0.1}.
        seed: of the random division of the artists.
        missing: what to do with a song that has none of a label's stems: "skip", "silence" or
            "error".
    """

    layout = f"moisesdb_v0.1/<song>/ with {DESCRIPTION} and <stem>/<track>.wav"

    def __init__(
        self,
        folder,
        split,
        sample_rate,
        num_channels,
        stft_params,
        groups: dict | None = None,
        fractions: dict | None = None,
        seed: int = 0,
        missing: Literal["skip", "silence", "error"] = "skip",
    ):
        self.fractions, self.seed, self.missing = fractions, seed, missing
        if groups is None:
            groups = {name: [name] for name in ("vocals", "drums", "bass")} | {"other": ["*"]}
        super().__init__(folder, split, sample_rate, num_channels, stft_params, groups)

    def recognises(self, folder):
        return bool(_songs(folder, 3))

    def list_tracks(self, folder):
        songs = {place: _read_description(place) for place in _songs(folder)}
        if not songs:
            return []
        artists = {song["artist"] for song in songs.values()}
        chosen = split_names(artists, self.fractions, self.seed)[self.split]
        if not chosen:
            raise UserError(
                f"{self.folder}: no artist is left for {self.split}, of {len(artists)}; raise "
                "`fractions`, {val: 0.1, test: 0.1}"
            )
        return [_track(place, song) for place, song in songs.items() if song["artist"] in chosen]


def _songs(folder, limit=None):
    """The folders with a data.json in `folder` and in its subfolders, of which at most `limit` each
    are looked at."""
    songs = []
    for parent in (folder, *folders(folder)):
        songs += [place for place in folders(parent)[:limit] if (place / DESCRIPTION).is_file()]
    return songs


def _read_description(place):
    """{song, artist, stems: {stemName: [path]}} of data.json."""
    data = read_json(place / DESCRIPTION, ("song", "artist", "stems"))
    stems = {}
    try:
        for stem in data["stems"]:
            for track in stem["tracks"]:
                path = place / stem["stemName"] / f"{track['id']}.{track.get('extension', 'wav')}"
                stems.setdefault(stem["stemName"], []).append(path)
        song, artist = str(data["song"]), str(data["artist"])
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{place / DESCRIPTION}: not MoisesDB's ({error!r}); expected stems with stemName and "
            "tracks, and an id for each track"
        ) from error
    raise_all(
        f"{path}: does not exist, but {DESCRIPTION} lists it; unpack the archive again"
        for paths in stems.values()
        for path in paths
        if not path.is_file()
    )
    return {"song": song, "artist": artist, "stems": stems}


def _track(place, song):
    title = f"{song['artist']}: {song['song']}"
    return Track(normalized(place.name), song["stems"], song=title)
