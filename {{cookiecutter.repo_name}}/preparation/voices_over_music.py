"""Mixes recorded voices (spoken, or converted to singing) with recorded and synthesised music."""

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

from .arguments import check_numbers, check_patterns, check_range, check_rate
from .convert import encode_16_bit
from .drumkits import Drumkit
from .guitar import play_band
from .singing import import_pyworld, sing
from .sorting import SPLITS, files_by_name, select_split
from .soundfont import import_mido, play

LEVEL_DB = -24  # RMS level of the accompaniment, in dB of full scale
SILENT_DB = -50  # an excerpt of music with a lower level is not used
PEAK = 0.98  # of full scale: the highest peak of the stems and of their sum
MAX_TRIES = 20
SONGS = 300  # number of training songs of the built-in sample
LABELS = ("vocals", "accompaniment")
KINDS = ("voices", "music", "kits")


class Material(NamedTuple):
    """The files from which the pairs of one split are made."""

    voices: dict  # {speaker: [path]}
    music: dict  # {piece: [path]}
    kits: dict  # {drum kit: [path of its drumkit.xml]}
    soundfonts: list  # [path]


class VoicesOverMusic:
    """Make pairs of voices and unrelated music, in a folder that `StemFolder` reads::

        folder/
          train/  val/  test/
            vocals/         British_sung_00007.flac      one speaker, spoken or sung
            accompaniment/  British_sung_00007.flac      an excerpt of a piece of music

    A voice consists of randomly drawn clips of one speaker, with pauses. For singing, `sing` gives
    them a melody of the built-in composer. Most voices pass through an equaliser and a room. The
    music is an excerpt of a recording (to some of which a beat on a recorded drum kit is added), or
    a score of the built-in composer on sampled instruments (any of General MIDI, or a rock band:
    amplified electric guitars, bass and a recorded drum kit). Each pair depends only on `seed`, its
    split and its number. No speaker, piece of music, drum kit or chord progression is in two
    splits.

    Args:
        voices: regular expressions, searched for in the path of each file; their one group is the
            name of the speaker. The same name in different folders is the same speaker.
        music: regular expressions of the same kind; their group is the name of the piece.
        splits: {"val" or "test": {"voices": [...], "music": [...], "kits": [...]}}: regular
            expressions that match whole names; the others are for training.
        minutes: {split: minutes of audio to make}.
        seconds: the length of each pair.
        sample_rate: in Hz; voices recorded at a lower rate are not used.
        sung: probability that a voice is sung.
        played: probability that the music is a score instead of a recording.
        drums: probability that a drum kit is added to a recording.
        band: probability that a score is played by a rock band.
        built_in: probability that both stems are from a song of the built-in sample (only in
            train).
        soundfonts: regular expressions for SoundFont files; without them no score is played.
        kits: regular expressions for the drumkit.xml files of drum kits in Hydrogen's format; their
            group is the name of the kit. Without them no drums are added.
        level_db: [min, max] level of the voice relative to the accompaniment, in dB.
        seed: each seed gives other pairs.
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
        step = type(self).__name__
        check_rate(step, sample_rate)
        check_numbers(step, 0.1, {"seconds": seconds})
        check_numbers(step, 0, {"seed": seed})
        shares = {"sung": sung, "played": played, "drums": drums, "band": band}
        check_numbers(step, 0, {**shares, "built_in": built_in}, most=1)
        check_range(step, "level_db", self.level_db)
        named = {"voices": voices, "music": music, "kits": self.kits}
        check_patterns(step, named, num_groups=1)
        check_patterns(step, {"soundfonts": self.soundfonts})
        problems = []
        for key, value in (("splits", splits), ("minutes", minutes)):
            for split in value:
                if split not in SPLITS:
                    problems.append(
                        f"VoicesOverMusic: {key} has the unknown split {split!r}; write "
                        f"{', '.join(SPLITS)}"
                    )
        for split, value in splits.items():
            for kind in value:
                if kind not in KINDS:
                    problems.append(
                        f"VoicesOverMusic: splits.{split} has the unknown key {kind!r}; write "
                        f"{', '.join(KINDS)}"
                    )
        raise_all(problems)
        for split, value in splits.items():
            check_patterns(step, {f"splits.{split}.{kind}": value[kind] for kind in value})

    def run(self, source, folder):
        if self.sung:
            import_pyworld()
        if self.played:
            import_mido()
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
            material = Material(
                self._of_split(split, "voices", voices),
                self._of_split(split, "music", music),
                self._of_split(split, "kits", kits),
                fonts,
            )
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
        """{name: [path]} of the files that the patterns find and that are `usable`, sorted."""
        missing = (
            f"VoicesOverMusic finds no {kind} by {', '.join(patterns)}; is FetchPackages the step "
            "before?"
        )
        return files_by_name(source, paths, patterns, usable, missing)

    def _of_split(self, split, kind, found):
        """The entries of `found`, {name: [path]}, that belong to a split."""
        patterns = {name: kinds.get(kind, []) for name, kinds in self.splits.items()}
        return select_split(split, found, patterns, kind, "VoicesOverMusic")

    def pair(self, split, number, material):
        """(name of a pair, function that returns its stems, {label: float32 (samples,)})."""
        rng = np.random.default_rng([self.seed, SPLITS.index(split), number])
        if split == "train" and rng.random() < self.built_in:
            return f"built-in_sung_{number:05d}", lambda: self._of_built_in_song(split, rng)
        speaker, sung = str(rng.choice(list(material.voices))), rng.random() < self.sung
        plain_name = re.sub(r"[^A-Za-z0-9]+", "-", speaker)
        name = f"{plain_name}_{'sung' if sung else 'spoken'}_{number:05d}"
        return name, lambda: self._stems(split, speaker, sung, material, rng)

    def _stems(self, split, speaker, sung, material, rng):
        """The stems of a pair: a voice of the speaker, and unrelated music."""
        score = compose(rng, split, 90.0)
        voice = self._voice(material.voices[speaker], score, sung, rng)
        if rng.random() < (0.8 if sung else 0.4):
            voice = self._in_a_room(voice, rng)
        if rng.random() < self.played:
            start = rng.uniform(0, 60)
            font = material.soundfonts[rng.integers(len(material.soundfonts))]
            if rng.random() < self.band:
                music = play_band(score, start, self.seconds, font, self.sample_rate, rng)
                music = self._in_a_room(_at_level(music, LEVEL_DB), rng)
                if material.kits:
                    music += self._beat(material.kits, score, start, rng)
            else:
                music = play(score, start, self.seconds, font, self.sample_rate, rng)
        else:
            music = _at_level(self._music(material.music, rng), LEVEL_DB)
            if rng.random() < self.drums:
                music += self._beat(material.kits, score, rng.uniform(10, 60), rng)
        return {
            "vocals": _at_level(voice, LEVEL_DB + rng.uniform(*self.level_db)),
            "accompaniment": _at_level(music, LEVEL_DB),
        }

    def _of_built_in_song(self, split, rng):
        """The stems of an excerpt of a built-in song, in which the voice sings if one is found."""
        song = Song(split, int(rng.integers(SONGS)))
        for _ in range(MAX_TRIES):
            start = rng.uniform(0, song.length - self.seconds)
            if song.voice_activity(start, self.seconds) > 0.5:
                break
        stems = {
            stem: audio.convert(sound.T, SAMPLE_RATE, self.sample_rate, 1)[0]
            for stem, sound in song.render(start, self.seconds).items()
        }
        return {"vocals": stems.pop("vocals"), "accompaniment": sum(stems.values())}

    def _voice(self, clips, score, sung, rng):
        """Clips of a speaker in sequence, with pauses: float32 (samples,)."""
        length = int(self.seconds * self.sample_rate)
        notes = _melody(score)
        parts = [np.zeros(int(rng.uniform(0, 0.8) * self.sample_rate), np.float32)]
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
            if sum(map(len, parts)) >= length:
                break
        sound = np.concatenate(parts)[:length]
        return np.pad(sound, (0, length - len(sound)))

    def _in_a_room(self, sound, rng):
        """The sound filtered by a random equaliser and room, with the same length."""
        echo = (rng.uniform(0.15, 0.5), rng.uniform(-18, -10)) if rng.random() < 0.2 else None
        response = channel_strip(
            rng, rng.uniform(0.2, 1.6), rng.uniform(-22, -7), rng.uniform(-1, 1), echo
        ).mean(axis=1)
        response = soxr.resample(response, SAMPLE_RATE, self.sample_rate)
        response *= SAMPLE_RATE / self.sample_rate
        return oaconvolve(sound, response)[: len(sound)].astype(np.float32)

    def _beat(self, kits, score, start, rng):
        """A beat on a random drum kit, reverberated."""
        (path, *_) = kits[str(rng.choice(list(kits)))]
        kit = Drumkit(path, self.sample_rate)
        beat = self._in_a_room(kit.play(score.drums, start, self.seconds, rng), rng)
        return _at_level(beat, LEVEL_DB + rng.uniform(-6, 4))

    def _music(self, music, rng):
        """An excerpt of a random recording that is not silent."""
        length = int(self.seconds * self.sample_rate)
        for _ in range(MAX_TRIES):
            paths = music[str(rng.choice(list(music)))]
            path = paths[rng.integers(len(paths))]
            rate, _, samples = audio.info(path)
            spare = int(samples / rate * self.sample_rate) - length
            start = int(rng.integers(max(1, spare)))
            sound = audio.read_excerpt(path, self.sample_rate, 1, start, length)[0]
            if spare > 0 and _level_db(sound) > SILENT_DB:
                return sound
        raise UserError(
            f"{path}: {MAX_TRIES} excerpts of music were drawn, all silent or too short"
        )


def _make(job):
    """Write one pair unless it exists, in a worker process."""
    step, split, number, material, folder = job
    name, make_stems = step.pair(split, number, material)
    paths = {label: folder / split / label / f"{name}.flac" for label in LABELS}
    if all(path.exists() for path in paths.values()):
        return
    stems = make_stems()
    peak = max(np.abs(sound).max() for sound in (*stems.values(), sum(stems.values())))
    gain = PEAK / max(peak, PEAK)  # the same for both, which keeps their balance
    write_files(
        {
            paths[label]: encode_16_bit(gain * sound[None], step.sample_rate, "flac", paths[label])
            for label, sound in stems.items()
        }
    )


def _melody(score):
    """Yields (MIDI pitch, seconds) of the sung notes of a score, repeated forever."""
    notes = [(note.pitch, note.length) for phrase in score.phrases for note in phrase]
    while True:
        yield from notes


def _level_db(sound):
    return 10 * np.log10(max(float(np.square(sound, dtype=np.float64).mean()), 1e-12))


def _at_level(sound, decibels):
    """The sound scaled to an RMS level in dB of full scale; silence is unchanged."""
    if len(sound) == 0 or not sound.any():
        return sound
    return sound * np.float32(10 ** ((decibels - _level_db(sound)) / 20))
