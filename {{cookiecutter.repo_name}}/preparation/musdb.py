"""Decodes MUSDB18's compressed stems to the folders of MUSDB18-HQ."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from errors import UserError
from files import files_below, write_files

from .convert import encode_16_bit, require_ffmpeg

SOURCES = ("drums", "bass", "other", "vocals")


class DecodeStems:
    """Decode each `train|test/<song>.stem.mp4` of the source to a folder of five WAV files.

    The publisher's package musdb reads them, which needs ffmpeg. Samples are written as by
    `Convert`.
    """

    def run(self, source, folder):
        source = Path(source)
        found = [path for path in files_below(source) if path.name.endswith(".stem.mp4")]
        if not found:
            raise UserError(
                f"{source}: holds no .stem.mp4 file; expected train/<song>.stem.mp4 and "
                "test/<song>.stem.mp4"
            )
        require_ffmpeg(found[0])
        import musdb  # cannot be imported without ffmpeg

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
            contents = {}
            for name, sound in sounds.items():
                data = np.ascontiguousarray(sound[:length].T, dtype=np.float32)
                contents[place / f"{name}.wav"] = encode_16_bit(data, int(track.rate), "wav", place)
            write_files(contents)
