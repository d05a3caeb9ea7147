"""Recorded voices, spoken and re-sung, over recorded and played music: stems to learn from."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
from scipy.signal import oaconvolve
from tqdm import tqdm

import audio
from errors import UserError, raise_all
from files import files_below, write_files
from pool import available_cores, process_pool
from songs.score import compose
from songs.song import Song
from songs.sound import SAMPLE_RATE, channel_strip

from .convert import sixteen_bits
from .drumkits import Drumkit
from .guitar import play_band
from .singing import sing, vocoder
from .sorting import SPLITS, named, of_split
from .soundfont import play, player

LEVEL_DB = -24  # of the accompaniment, RMS, full scale being 0
SILENT_DB = -50  # a quieter stretch of music is skipped
PEAK = 0.98  # no sample is above, of the stems and of their sum
TRIES = 20
SONGS = 300  # of the built-in sample that are for training
LABELS = ("vocals", "accompaniment")
KINDS = ("voices", "music", "kits")


class Material(NamedTuple):
    """What the pairs of one split are made of."""

    voices: dict  # {speaker: [path]}
    music: dict  # {piece: [path]}
    kits: dict  # {drum kit: [path of its drumkit.xml]}
    soundfonts: list  # [path]


class VoicesOverMusic:
    """Voices over music that is of other songs, in a folder that `StemFolder` reads::

        folder/
          train/  val/  test/
            vocals/         British_sung_00007.flac      one speaker, spoken or sung
            accompaniment/  British_sung_00007.flac      a stretch of a piece of music

    Clips of one speaker, drawn at random, follow each other with pauses; `sing` puts them on a
    melody of the built-in composer. Most go through an equaliser and a room. Music is a stretch of
    a recording, to some of which a recorded drum kit plays a beat of its own, or a score of the
    built-in composer on sampled instruments: any of General MIDI, or a rock band of electric
    guitars through amplifiers, bass and a recorded drum kit. Every pair is drawn from `seed`, its
    split and its number alone. Speakers, pieces of music, drum kits and chord loops of one split
    are in no other.

    Args:
        voices: regular expressions, searched for in the path of each file; the one group is the
            speaker's name: what has the same name anywhere is the same speaker.
        music: regular expressions of the same kind; the group is the piece's name.
        splits: {"val" or "test": {"voices": [...], "music": [...], "kits": [...]}}: regular
            expressions that a name matches in full; all others are for training.
        minutes: {split: how much to make}.
        seconds: of each pair.
        sample_rate: in Hz; of voices, recordings of a lower rate are left out.
        sung, played: probability of a voice being sung, and of a score in place of a recording.
        drums: probability of a drum kit playing over a recording.
        band: probability of a score being played by a rock band.
        built_in: probability of both stems being of a song of the built-in sample; in train only.
        soundfonts: regular expressions of the SoundFonts; without them nothing is played.
        kits: regular expressions of the drumkit.xml files of drum kits in Hydrogen's format; the
            group is the kit's name; without them no drums are added.
        level_db: [min, max] dB of the voice above the accompaniment.
        seed: another one is another collection.
    """

    def __init__(
        self,
        voices: list[str],
        music: list[str],
        splits: dict,
        minutes: dict,
        seconds: float = 12.0,
        sample_rate: int = 16000,
        sung: float = 0.65,
        played: float = 0.25,
        drums: float = 0.3,
        band: float = 0.0,
        built_in: float = 0.2,
        soundfonts: list[str] | None = None,
        kits: list[str] | None = None,
        level_db: list[float] | None = None,
        seed: int = 0,
    ):
        self.voices, self.music, self.splits, self.minutes = voices, music, splits, minutes
        self.seconds, self.sample_rate, self.seed = seconds, sample_rate, seed
        self.sung, self.built_in, self.band = sung, built_in, band
        self.played = played if soundfonts else 0.0
        self.drums = drums if kits else 0.0
        self.soundfonts, self.kits = soundfonts or [], kits or []
        self.level_db = level_db or [-8.0, 4.0]
        raise_all(
            [
                f"VoicesOverMusic: {key} has the unknown split {split!r}; write {', '.join(SPLITS)}"
                for key, value in (("splits", splits), ("minutes", minutes))
                for split in value
                if split not in SPLITS
            ]
            + [
                f"VoicesOverMusic: splits.{split} has the unknown key {kind!r}; write "
                f"{', '.join(KINDS)}"
                for split, value in splits.items()
                for kind in value
                if kind not in KINDS
            ]
        )

    def run(self, source, folder):
        if self.sung:
            vocoder()
        if self.played:
            player()
        paths = files_below(source)
        voices = self._named(
            source,
            paths,
            "voices",
            self.voices,
            lambda path: audio.info(path)[0] >= self.sample_rate,
        )
        music = self._named(source, paths, "music", self.music, audio.info)
        kits = {}
        if self.drums:
            kits = self._named(
                source, paths, "kits", self.kits, lambda path: Drumkit(path, self.sample_rate)
            )
        fonts = [path for path in paths if any(re.search(f, str(path)) for f in self.soundfonts)]
        if self.played and not fonts:
            raise UserError(f"{source}: no file for soundfonts {self.soundfonts}; see `packages`")
        work = []
        for split, minutes in self.minutes.items():
            pools = [
                self._of_split(split, kind, found)
                for kind, found in zip(KINDS, (voices, music, kits), strict=True)
            ]
            material = Material(*pools, fonts)
            numbers = range(round(60 * minutes / self.seconds))
            work += [(self, split, number, material, Path(folder)) for number in numbers]
        bar = {"total": len(work), "desc": "mixing", "unit": "pair", "disable": None}
        processes = min(available_cores(), len(work) // 16)
        if processes < 2:
            list(tqdm(map(_make, work), **bar))
            return
        with process_pool(processes) as executor:
            list(tqdm(executor.map(_make, work, chunksize=4), **bar))

    def _named(self, source, paths, kind, patterns, usable):
        """{name: [path]} of what the patterns find and is `usable`, in the order of names."""
        missing = (
            f"VoicesOverMusic finds no {kind} by {', '.join(patterns)}; is FetchPackages the step "
            "before?"
        )
        return named(source, paths, patterns, usable, missing)

    def _of_split(self, split, kind, found):
        """{name: [path]} of those that belong to a split."""
        patterns = {name: kinds.get(kind, []) for name, kinds in self.splits.items()}
        return of_split(split, found, patterns, kind, "VoicesOverMusic")

    def pair(self, split, number, material):
        """(name, a function that makes {"vocals" | "accompaniment": float32 (samples,)})"""
        rng = np.random.default_rng([self.seed, SPLITS.index(split), number])
        if split == "train" and rng.random() < self.built_in:
            return f"built-in_sung_{number:05d}", lambda: self._of_built_in_song(split, rng)
        speaker, sung = str(rng.choice(list(material.voices))), rng.random() < self.sung
        name = (
            f"{re.sub(r'[^A-Za-z0-9]+', '-', speaker)}_{'sung' if sung else 'spoken'}_{number:05d}"
        )
        return name, lambda: self._stems(split, speaker, sung, material, rng)

    def _stems(self, split, speaker, sung, material, rng):
        """A voice of the speaker, and music that it has nothing to do with."""
        score = compose(rng, split, 90.0)
        voice = self._voice(material.voices[speaker], score, sung, rng)
        if rng.random() < (0.8 if sung else 0.4):
            voice = self._in_a_room(voice, rng)
        if rng.random() < self.played:
            start = rng.uniform(0, 60)
            font = material.soundfonts[rng.integers(len(material.soundfonts))]
            if rng.random() < self.band:
                below = play_band(score, start, self.seconds, font, self.sample_rate, rng)
                below = self._in_a_room(_at_level(below, LEVEL_DB), rng)
                if material.kits:
                    below += self._beat(material.kits, score, start, rng)
            else:
                below = play(score, start, self.seconds, font, self.sample_rate, rng)
        else:
            below = _at_level(self._music(material.music, rng), LEVEL_DB)
            if rng.random() < self.drums:
                below += self._beat(material.kits, score, rng.uniform(10, 60), rng)
        return {
            "vocals": _at_level(voice, LEVEL_DB + rng.uniform(*self.level_db)),
            "accompaniment": _at_level(below, LEVEL_DB),
        }

    def _of_built_in_song(self, split, rng):
        """A stretch of a song of the built-in sample, in which something is sung."""
        song = Song(split, int(rng.integers(SONGS)))
        for _ in range(TRIES):
            start = rng.uniform(0, song.length - self.seconds)
            if song.voice_activity(start, self.seconds) > 0.5:
                break
        made = {
            stem: audio.convert(sound.T, SAMPLE_RATE, self.sample_rate, 1)[0]
            for stem, sound in song.render(start, self.seconds).items()
        }
        return {"vocals": made.pop("vocals"), "accompaniment": sum(made.values())}

    def _voice(self, clips, score, sung, rng):
        """Clips of a speaker, one after the other with pauses."""
        length = int(self.seconds * self.sample_rate)
        notes = _melody(score)
        parts, have = [np.zeros(int(rng.uniform(0, 0.8) * self.sample_rate), np.float32)], 0
        for _ in range(500):
            clip = audio.read(clips[rng.integers(len(clips))], self.sample_rate, 1)[0]
            clip = audio.trim_silence(clip, self.sample_rate, 35)
            if len(clip) < 0.1 * self.sample_rate:
                continue
            clip = sing(clip, self.sample_rate, notes, rng) if sung else clip
            pause = rng.exponential(0.25) if rng.random() < 0.9 else rng.uniform(0.5, 2.0)
            parts += [
                _at_level(clip, LEVEL_DB + rng.normal(0, 1.5)),
                np.zeros(int(pause * self.sample_rate), np.float32),
            ]
            have = sum(map(len, parts))
            if have >= length:
                break
        sound = np.concatenate(parts)[:length]
        return np.pad(sound, (0, length - len(sound)))

    def _in_a_room(self, sound, rng):
        """Through an equaliser and a room, as long as before."""
        echo = (rng.uniform(0.15, 0.5), rng.uniform(-18, -10)) if rng.random() < 0.2 else None
        response = channel_strip(
            rng, rng.uniform(0.2, 1.6), rng.uniform(-22, -7), rng.uniform(-1, 1), echo
        ).mean(axis=1)
        response = soxr.resample(response, SAMPLE_RATE, self.sample_rate)
        response *= SAMPLE_RATE / self.sample_rate
        return oaconvolve(sound, response)[: len(sound)].astype(np.float32)

    def _beat(self, kits, score, start, rng):
        """A drum kit's beat, in a room."""
        (path, *_) = kits[str(rng.choice(list(kits)))]
        kit = Drumkit(path, self.sample_rate)
        beat = self._in_a_room(kit.play(score.drums, start, self.seconds, rng), rng)
        return _at_level(beat, LEVEL_DB + rng.uniform(-6, 4))

    def _music(self, music, rng):
        """A stretch of a recording that is not silent."""
        length = int(self.seconds * self.sample_rate)
        for _ in range(TRIES):
            paths = music[str(rng.choice(list(music)))]
            path = paths[rng.integers(len(paths))]
            rate, _, samples = audio.info(path)
            spare = int(samples / rate * self.sample_rate) - length
            start = int(rng.integers(max(1, spare)))
            sound = audio.read_excerpt(path, self.sample_rate, 1, start, length)[0]
            if spare > 0 and _level_db(sound) > SILENT_DB:
                return sound
        raise UserError(f"{path}: {TRIES} stretches of music were drawn, all silent or too short")


def _make(job):
    """Write the pair `number`, unless it is there; in a process of its own."""
    plan, split, number, material, folder = job
    name, stems = plan.pair(split, number, material)
    paths = {label: folder / split / label / f"{name}.flac" for label in LABELS}
    if all(path.exists() for path in paths.values()):
        return
    made = stems()
    peak = max(np.abs(sound).max() for sound in (*made.values(), sum(made.values())))
    gain = PEAK / max(peak, PEAK)  # the same for both: their balance stays
    write_files(
        {
            paths[label]: sixteen_bits(gain * sound[None], plan.sample_rate, "flac", paths[label])
            for label, sound in made.items()
        }
    )


def _melody(score):
    """(MIDI pitch, seconds) of the sung notes of a score, over and over."""
    notes = [(note.pitch, note.length) for phrase in score.phrases for note in phrase]
    while True:
        yield from notes


def _level_db(sound):
    return 10 * np.log10(max(float(np.square(sound, dtype=np.float64).mean()), 1e-12))


def _at_level(sound, decibels):
    if len(sound) == 0 or not sound.any():
        return sound
    return sound * np.float32(10 ** ((decibels - _level_db(sound)) / 20))
