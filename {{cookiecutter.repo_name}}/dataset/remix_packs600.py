"""RemixPacks600: stems that artists published for remixes, without common names."""

import hashlib
import re
from typing import Literal

from .base import SPLITS, StemDataset
from .folders import audio_files_below, folders, normalized
from .tracks import Track

STEMS = ("bass", "drums", "vocals", "other")
# words in the name of a file, or of its folder, by which it belongs to a stem
WORDS = {
    "vocals": "vocal vocals vox voice voices acapella acappella accapella choir singing rap",
    "drums": "drum drums kick kicks snare snares hat hats hihat hihats cymbal cymbals clap claps "
    "perc percs percussion tom toms overhead overheads",
    "bass": "bass bassline sub subbass 808",
    "other": "other others guitar guitars gtr piano keys key synth synths pad pads strings organ "
    "brass horn horns lead leads arp fx sfx melody chords pluck plucks bells",
}
MIXED = "mix mixdown mixture master mastered full fullmix instrumental preview demo original"
SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


class RemixPacks600(StemDataset):
    """One folder for each song; the stem of a file follows from its name or from its folder's::

        folder/
          train/                          train, val and test; or none of them, see below
            Artist - Song (Stems)/
              Drums.wav  Bass.wav  Vocals.wav  Other.wav      by file name, or
              drums/  kick.mp3  snare.mp3                     by folder; files are summed
              bass/  sub.wav  ...

    A file belongs to a stem if a word for it is in the file's name, or else in the name of its
    folder: vocals, drums, bass, other, and common synonyms (vox, kick, 808, guitar, ...). Files
    with a word for a whole mix (mix, master, instrumental, ...) and files without a known word are
    not used. `scripts.audit` reports how each file was used. The files of a stem are summed;
    shorter ones are padded with silence.

    There is no publisher: the packs were collected by hand, and each has its own license. Without
    folders `train`, `val` and `test`, the split of a song follows from a hash of its name (train
    80 %, val 10 %, test 10 %), so that it does not change when other songs are added.

    Args:
        folder: as above.
        split: "train", "val" or "test".
        groups: as in every dataset; {vocals: [vocals], accompaniment: ["*"]} for two sources.
        missing: what to do with a song that lacks a stem: "skip", "silence" or "error".
    """

    stems = STEMS
    layout = "<song>/ with files or folders named bass, drums, vocals and other"

    def __init__(
        self,
        folder,
        split,
        sample_rate,
        num_channels,
        stft_params,
        groups: dict | None = None,
        missing: Literal["skip", "silence", "error"] = "skip",
    ):
        self.missing = missing
        self.left_out: dict[str, list] = {}
        super().__init__(folder, split, sample_rate, num_channels, stft_params, groups)

    def recognises(self, folder):
        files = [path for song in folders(folder)[:20] for path in audio_files_below(song, 1)]
        return any(_stem_of(path, folder) for path in files[:100])

    def list_tracks(self, folder):
        parts = [folder / split for split in SPLITS if (folder / split).is_dir()]
        place = folder / self.split if parts else folder
        tracks = []
        for song in folders(place):
            name = normalized(song.name)
            if not parts and split_of(name) != self.split:
                continue
            stems, self.left_out[name] = {}, []
            for path in audio_files_below(song):
                stem = _stem_of(path, song)
                if stem is None:
                    self.left_out[name].append(path)
                else:
                    stems.setdefault(stem, []).append(path)
            if stems or self.left_out[name]:
                tracks.append(Track(name, stems, song=name))
        return tracks


def split_of(name):
    """The split of a song by the hash of its name, for folders without splits."""
    number = int(hashlib.sha256(name.encode("utf-8")).hexdigest()[:8], 16) / 16**8  # in [0, 1)
    if number < SHARES["train"]:
        return "train"
    return "val" if number < SHARES["train"] + SHARES["val"] else "test"


def _stem_of(path, song):
    """The stem of a file, by its name or else by its innermost folder; None: it is not used."""
    in_name = _words(path.stem)
    if in_name & set(MIXED.split()):
        return None
    parents = path.relative_to(song).parts[:-1]
    for words in (in_name, *map(_words, reversed(parents))):
        for stem, known in WORDS.items():
            if words & set(known.split()):
                return stem
    return None


def _words(name):
    """The set of words of a name, with and without final digits: "02_LeadVox2" -> {"02", "lead",
    "vox2", "vox"}."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", normalized(name))
    parts = re.findall(r"[^\W_]+", spaced.lower())
    return set(parts) | {part.rstrip("0123456789") for part in parts} - {""}
