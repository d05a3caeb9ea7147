"""MUSDB18's compressed stems, decoded once into MUSDB18-HQ's folders."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from errors import UserError
from files import files_below, write_files

from .convert import needs_ffmpeg, sixteen_bits

SOURCES = ("drums", "bass", "other", "vocals")


class DecodeStems:
    """Each `train|test/<song>.stem.mp4` of the source becomes a folder of five WAV files.

    It is read by the publisher's own reader, musdb, which needs ffmpeg; samples as in `Convert`.
    """

    def run(self, source, folder):
        source = Path(source)
        found = [path for path in files_below(source) if path.name.endswith(".stem.mp4")]
        if not found:
            raise UserError(
                f"{source}: holds no .stem.mp4 file; expected train/<song>.stem.mp4 and "
                "test/<song>.stem.mp4"
            )
        needs_ffmpeg(found[0])
        import musdb  # it cannot be imported where ffmpeg is missing

        root = found[0].parents[1]
        tracks = musdb.DB(root=str(root), subsets=["train", "test"]).tracks
        if len(tracks) != len(found):
            raise UserError(
                f"{source}: {len(found)} .stem.mp4 files, of which {len(tracks)} lie in "
                f"{root}/train and {root}/test; put all of them there"
            )
        for track in tqdm(tracks, desc="decoding", unit="song", disable=None):
            place = folder / track.subset / track.name
            if all((place / f"{name}.wav").exists() for name in ("mixture", *SOURCES)):
                continue
            sounds = {"mixture": track.audio}
            sounds |= {name: track.sources[name].audio for name in SOURCES}
            length = min(len(sound) for sound in sounds.values())
            if length == 0:
                raise UserError(f"{track.path}: no samples could be decoded; get it again")
            write_files(
                {
                    place / f"{name}.wav": sixteen_bits(
                        np.ascontiguousarray(sound[:length].T, dtype=np.float32),
                        int(track.rate),
                        "wav",
                        place,
                    )
                    for name, sound in sounds.items()
                }
            )
