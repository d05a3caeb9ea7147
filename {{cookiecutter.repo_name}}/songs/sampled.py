"""The sampled instruments of the built-in songs, from the SoundFont in the package pretty_midi.

TinySoundFont plays the notes that `Timbre` and `Kit` synthesise for other songs. A number
determines the instrument, its tuning and its tone. Each split has its own numbers, and no program
of General MIDI is used in two splits.
"""

import functools
import hashlib
import importlib.util
from pathlib import Path

import numpy as np

from errors import UserError

from .drums import KITS, LEVELS_AND_PANS
from .instruments import BASS_TIMBRES, TIMBRES
from .sound import SAMPLE_RATE, lowpass, num_samples, unit_power

FILE = "TimGM6mb.sf2"  # by Tim Brechbill, GPL-2
SHA256 = "82475b91a76de15cb28a104707d3247ba932e228bada3f47bba63c6b31aaf7a1"
INSTALL = "pip install --no-deps pretty_midi tinysoundfont"

# programs of General MIDI, counted from 0, without those of voices
PROGRAMS = {
    "chords": (*range(0, 8), *range(16, 22), *range(24, 29), *range(48, 52), 61, 62, 88, 89, 90, 92)
    + (93, 94, 95),
    "figure": (*range(0, 16), *range(24, 29), 45, 46, 96, 98, 99, 100, *range(104, 109), 114),
    "lead": (22, *range(26, 31), *range(40, 43), 56, 57, 59, 60, *range(64, 70), *range(71, 85))
    + (86, 87, 110),
    "bass": tuple(range(32, 40)),
}
HELD_OUT = {
    "val": {3, 9, 18, 22, 35, 42, 49, 57, 66, 71, 74, 82, 90, 93, 106},
    "test": {2, 5, 7, 11, 14, 19, 21, 26, 29, 34, 37, 39, 41, 46, 51, 59, 62, 65, 69, 75, 79, 81}
    | {87, 92, 94, 99, 105, 110, 114},
}
KIT_PROGRAMS = {"train": (0, 8, 25, 40), "val": (32,), "test": (16, 24)}
DRUM_KEYS = {
    "kick": 36,
    "snare": 38,
    "clap": 39,
    "hat": 42,
    "open": 46,
    "crash": 49,
    "ride": 51,
    "tom1": 48,
    "tom2": 43,
    "shaker": 70,
}
DRUM_BANK = 128
RELEASE = 0.35  # seconds rendered after the end of a note
DRUM_SECONDS = 1.5
DRIVEN = range(26, 32)  # electric guitars, which are distorted


class SampledTimbre:
    """One instrument for a part of the score, with the interface of `Timbre`."""

    def __init__(self, number, part):
        rng = np.random.default_rng([6011, number])
        split = split_of(number, numbers_of(part))
        self.program = int(rng.choice(programs_of(part, split)))
        self.tuning = rng.uniform(-0.1, 0.1)  # semitones
        self.bright = 2.0 ** rng.uniform(11.5, 14.2)  # hertz
        self.velocity = int(rng.integers(60, 122))
        self.drive = 10.0 ** rng.uniform(0.0, 1.5) if self.program in DRIVEN else 0.0

    def note(self, pitch, length):
        """A note at unit power, (samples,); arguments as of `Timbre.note`."""
        played = num_samples(length)
        sound = play(self.program, pitch + self.tuning, self.velocity, played, num_samples(RELEASE))
        sound = unit_power(lowpass(sound, self.bright), over=played)
        if self.drive:
            sound = unit_power(np.tanh(self.drive * sound), over=played)
        return sound


class SampledKit:
    """A sampled drum kit, with the interface of `Kit`."""

    def __init__(self, number):
        rng = np.random.default_rng([7011, number])
        self.program = int(rng.choice(KIT_PROGRAMS[split_of(number, KITS)]))
        self.sounds = {drum: self._drum(DRUM_KEYS[drum], rng) for drum in LEVELS_AND_PANS}

    def _drum(self, key, rng):
        speed = 2.0 ** (rng.uniform(-2.5, 2.5) / 12)  # like a smaller or a larger drum
        struck = play(
            self.program, key, 110, num_samples(0.1), num_samples(DRUM_SECONDS), DRUM_BANK
        )
        at = np.arange(int(len(struck) / speed)) * speed
        sound = np.interp(at, np.arange(len(struck)), struck)
        return _faded(sound) / np.abs(sound).max()


def numbers_of(part):
    """{split: numbers of its timbres} for a part of the score."""
    return BASS_TIMBRES if part == "bass" else TIMBRES


def split_of(number, pools):
    """The split to which a number belongs; pools: {split: numbers}."""
    return next(split for split, pool in pools.items() if number in pool)


def programs_of(part, split):
    """The General MIDI programs of a part that are used in a split, and in no other."""
    if split == "train":
        return [p for p in PROGRAMS[part] if not any(p in held for held in HELD_OUT.values())]
    return [p for p in PROGRAMS[part] if p in HELD_OUT[split]]


def play(program, pitch, velocity, held, after, bank=0):
    """Play one note: (samples,), the same each time.

    Args:
        program, bank: of the SoundFont.
        pitch: MIDI pitch; fractions are played by tuning.
        velocity: of MIDI, 1 to 127.
        held, after: number of samples before and after the end of the note.
    """
    synthesizer, font = soundfont()
    channel, key = 0, int(round(pitch))
    synthesizer.program_select(channel, font, bank, program)
    synthesizer.set_tuning(channel, float(pitch - key))
    synthesizer.noteon(channel, key, velocity)
    parts = [_generated(synthesizer, held)]
    synthesizer.noteoff(channel, key)
    parts.append(_generated(synthesizer, after))
    synthesizer.sounds_off()
    synthesizer.generate(SAMPLE_RATE)  # otherwise the note would fade into the next one
    return _faded(np.concatenate(parts).mean(axis=1))


def are_installed():
    """Are the packages installed that sampled instruments need?"""
    return all(importlib.util.find_spec(name) for name in ("pretty_midi", "tinysoundfont"))


@functools.lru_cache(maxsize=1)
def soundfont():
    """(TinySoundFont's synthesizer, the id of the loaded SoundFont).

    Raises:
        UserError: a package is not installed, or its SoundFont is not the expected file.
    """
    if not are_installed():
        raise UserError(
            "sampled instruments need the packages pretty_midi (for its SoundFont) and "
            f"tinysoundfont: {INSTALL}"
        )
    package = importlib.util.find_spec("pretty_midi")  # only its file is needed, not an import
    path = Path(package.origin).with_name(FILE)
    found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "nothing"
    if found != SHA256:
        raise UserError(
            f"{path}: SHA-256 {found}; the songs are made with {SHA256[:12]}..., which is in "
            "pretty_midi 0.2.11"
        )
    import tinysoundfont

    synthesizer = tinysoundfont.Synth(samplerate=SAMPLE_RATE)
    return synthesizer, synthesizer.sfload(str(path))


def _generated(synthesizer, count):
    sound = np.frombuffer(bytes(synthesizer.generate(count)), np.float32)
    return sound.reshape(-1, 2).astype(float)


def _faded(sound, seconds=0.05):
    """Fade out the end of `sound` in place, and return it."""
    count = min(num_samples(seconds), len(sound))
    sound[len(sound) - count :] *= np.linspace(1.0, 0.0, count)
    return sound
