"""RemixPacks600: the stems that artists give away for remixes, named as each of them liked."""

import hashlib
import re
from typing import Literal

from .base import SPLITS, StemDataset
from .folders import audio_files_below, folders, plain
from .tracks import Track

STEMS = ("bass", "drums", "vocals", "other")
# words in the name of a file, or of its folder, that assign it to a stem
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
    """A folder a song, with stems that are named, or lie in folders that are named, after them::

        folder/
          train/                          train, val and test; or none of them, see below
            Artist - Song (Stems)/
              Drums.wav  Bass.wav  Vocals.wav  Other.wav      named, or
              drums/  kick.mp3  snare.mp3                     in folders, summed
              bass/  sub.wav  ...

    A file belongs to the stem whose word is in its name, or else in the name of its folder:
    vocals, drums, bass, other, and what they are often called (vox, kick, 808, guitar, ...). Files
    that a whole mix's word names (mix, master, instrumental, ...) and files without any such word
    are left out. `scripts.audit` reports what was taken for what. Several files of a stem are
    summed; a shorter file is followed by silence.

    No publisher: the packs were collected by hand, and each has its own license. Without folders
    `train`, `val` and `test`, a song's split follows from its name, 80 : 10 : 10, so that it stays
    where it is when others are added.

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
            name = plain(song.name)
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
                stems = {stem: tuple(paths) for stem, paths in stems.items()}
                tracks.append(Track(name, stems, song=name))
        return tracks


def split_of(name):
    """The split of a song outside the split folders: a fraction of all names, by their hash."""
    place = int(hashlib.sha256(name.encode("utf-8")).hexdigest()[:8], 16) / 16**8
    if place < SHARES["train"]:
        return "train"
    return "val" if place < SHARES["train"] + SHARES["val"] else "test"


def _stem_of(path, song):
    """The stem that a file is taken for; None: for none."""
    name = _words(path.stem)
    if name & set(MIXED.split()):
        return None
    inner = [set(_words(part)) for part in reversed(path.relative_to(song).parts[:-1])]
    for words in (name, *inner):
        for stem, known in WORDS.items():
            if words & set(known.split()):
                return stem
    return None


def _words(name):
    """The words of a name, without numbers at their ends: "02_LeadVox2" -> 02, lead, vox2, vox."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain(name))
    parts = re.findall(r"[^\W_]+", spaced.lower())
    return set(parts) | {part.rstrip("0123456789") for part in parts} - {""}
