"""A built-in song: renders any excerpt of its four stems."""

import functools

import numpy as np

from .drums import KITS, LEVELS_AND_PANS, Kit
from .instruments import BASS_TIMBRES, TIMBRES, Timbre
from .score import compose
from .sound import add_at, amplitude, channel_strip, convolve, num_samples, pan
from .voice import SINGERS, Singer

STEMS = ("vocals", "drums", "bass", "other")
SPLITS = ("train", "val", "test")
MIN_SUNG = 0.55  # smallest share of an excerpt in which the voice has a note
LEVEL = amplitude(-21)  # RMS of the accompaniment, with full scale 1


class Song:
    """A song; the same arguments give the same song.

    `render` includes the decay of sounds that began before an excerpt, so that excerpts which
    overlap are equal where they do. No singer, instrument or drum kit is in two splits.

    Args:
        split: "train", "val" or "test".
        number: of the song in the split.
        seed: of the collection of songs.
        seconds: the smallest length.

    Attributes:
        length: in seconds.
        kilobits: bit rate in kbit/s if the song's snippets are encoded as MP3; None: they are not.
    """

    kilobits = None

    def __init__(self, split, number, seed=0, seconds=84.0):
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}; the built-in songs have {', '.join(SPLITS)}")
        self.key = [seed, SPLITS.index(split), number]
        self.score = self._compose(np.random.default_rng([*self.key, 1]), split, seconds)
        self.length = self.score.length
        rng = np.random.default_rng([*self.key, 2])

        def one_of(pool):
            return int(rng.choice(pool))

        self.lines = {part: one_of(TIMBRES[split]) for part in ("chords", "figure", "lead")}
        self.lines["bass"] = one_of(BASS_TIMBRES[split])
        self.kit, self.singer_number = one_of(KITS[split]), one_of(SINGERS[split])
        self.backing_number = one_of(SINGERS[split])
        self.places = {
            "chords": rng.uniform(-0.6, 0.6),
            "figure": rng.uniform(-0.8, 0.8),
            "lead": rng.uniform(-0.4, 0.4),
            "bass": 0.0,
        }
        self.balance = {"chords": 0.0, "figure": rng.uniform(-8, 0), "lead": rng.uniform(-4, 2)}
        self.backing_place = float(rng.choice((-0.6, 0.6)))
        echo = (0.75 * self.score.beat, rng.uniform(-18, -11)) if rng.random() < 0.3 else None
        self.strips = {
            "vocals": channel_strip(
                rng, rng.uniform(0.6, 1.6), rng.uniform(-17, -8), rng.uniform(-0.7, 0.7), echo
            ),
            "drums": channel_strip(
                rng, rng.uniform(0.25, 0.7), rng.uniform(-22, -12), rng.uniform(-0.7, 0.7)
            ),
            "bass": channel_strip(rng, 0.2, -30, rng.uniform(-0.3, 1.0)),
            "other": channel_strip(
                rng, rng.uniform(0.4, 1.2), rng.uniform(-20, -9), rng.uniform(-0.5, 0.8)
            ),
        }
        levels = {
            "drums": rng.uniform(-9, -3),
            "bass": rng.uniform(-18, -9),
            "other": rng.uniform(0, 4),
        }
        whole = np.sqrt(sum(amplitude(level) ** 2 for level in levels.values()))
        self.levels = {stem: LEVEL * amplitude(level) / whole for stem, level in levels.items()}
        self.levels["vocals"] = LEVEL * amplitude(rng.uniform(-9, -1))

    def _compose(self, rng, split, seconds):
        return compose(rng, split, seconds)

    @functools.cached_property
    def _timbres(self):
        return {part: Timbre(number) for part, number in self.lines.items()}

    @functools.cached_property
    def _singers(self):
        return Singer(self.singer_number), Singer(self.backing_number)

    @functools.cached_property
    def _sounds(self):
        return Kit(self.kit).sounds

    @functools.lru_cache(maxsize=512)  # noqa: B019 (the cache lives as long as the song)
    def _note(self, part, pitch, milliseconds):
        return self._timbres[part].note(pitch, milliseconds / 1000)

    def voice_activity(self, start, seconds):
        """The share (0 to 1) of an excerpt in which a note is sung."""
        sung = sum(
            max(0.0, min(note.end, start + seconds) - max(note.start, start))
            for phrase in self.score.phrases
            for note in phrase
        )
        return sung / seconds

    def excerpts(self, seconds, count):
        """Choose the `count` excerpts with the most singing.

        Returns:
            (their starts in seconds, sorted; is the voice active enough in each of them?).
        """
        starts, sung = self._sung(seconds)
        chosen = np.argsort(-sung, kind="stable")[:count]
        return np.sort(starts[chosen]), sung[chosen].min() >= MIN_SUNG

    def _sung(self, seconds):
        """(starts of all excerpts in seconds, the share of each that is sung)."""
        starts = seconds * np.arange(int(self.length // seconds))
        return starts, np.array([self.voice_activity(start, seconds) for start in starts])

    def render(self, start=0.0, seconds=None):
        """Render an excerpt: {stem: float64 (samples, 2)} at 44.1 kHz. The song is the sum.

        Args:
            start, seconds: of the excerpt; seconds None: up to the end.
        """
        seconds = self.length - start if seconds is None else seconds
        dry = {
            "vocals": self._dry_vocals,
            "drums": self._dry_drums,
            "bass": self._dry_bass,
            "other": self._dry_other,
        }
        stems = {}
        for stem in STEMS:
            response = self.strips[stem]
            decay = len(response)  # samples before the excerpt that still ring in it
            first = num_samples(start) - decay
            track = dry[stem](first, num_samples(seconds) + decay)
            stems[stem] = self.levels[stem] * convolve(track, response)[decay:]
        return stems

    def _line(self, part, first, count):
        """A part of the score from sample `first`, (count, 2), at unit power while it plays."""
        track = np.zeros(count)
        notes = self.score.parts[part]
        power = sum(n.velocity**2 * n.length for n in notes) / max(_seconds_with_notes(notes), 1e-9)
        for note in notes:
            begin = num_samples(note.start) - first
            if begin < count and begin + num_samples(note.length + 0.3) > 0:
                sound = self._note(part, note.pitch, round(1000 * note.length))
                add_at(track, note.velocity * sound, begin)
        return pan(track / np.sqrt(power or 1.0), self.places[part])

    def _dry_bass(self, first, count):
        return self._line("bass", first, count)

    def _dry_other(self, first, count):
        lines = {
            part: amplitude(level) for part, level in self.balance.items() if self.score.parts[part]
        }
        if not lines:
            return np.zeros((count, 2))
        mixed = sum(level * self._line(part, first, count) for part, level in lines.items())
        return mixed / np.sqrt(sum(level**2 for level in lines.values()))

    def _dry_drums(self, first, count):
        track = np.zeros((count, 2))
        energies = {drum: float(np.sum(sound**2)) for drum, sound in self._sounds.items()}
        energy = 0.0
        for hit in self.score.drums:
            level, place = LEVELS_AND_PANS[hit.drum]
            sound, level = self._sounds[hit.drum], level * hit.velocity**1.5
            energy += level**2 * energies[hit.drum]
            begin = num_samples(hit.start) - first
            if begin < count and begin + len(sound) > 0:
                add_at(track, level * pan(sound, place), begin)
        return track / np.sqrt(energy / num_samples(self.length) or 1.0)

    def _voices(self):
        """Yields (singer, phrases, level, pan, take) of each voice; takes differ randomly."""
        singer, backing = self._singers
        yield singer, self.score.phrases, 1.0, 0.0, 0
        yield backing, self.score.backing, 0.4, self.backing_place, 0

    def _dry_vocals(self, first, count):
        track = np.zeros((count, 2))
        for voice, phrases, level, place, take in self._voices():
            if not phrases:
                continue
            shift = voice.transposition([n.pitch for phrase in phrases for n in phrase])
            for number, phrase in enumerate(phrases):
                begin = num_samples(phrase[0].start) - first - voice.lead_in
                if begin < count and num_samples(phrase[-1].end + 0.1) > first:
                    takes = (take,) if take else ()
                    rng = np.random.default_rng([*self.key, voice.number, number, *takes])
                    sung = voice.sing([n._replace(pitch=n.pitch + shift) for n in phrase], rng)
                    add_at(track, level * pan(sung, place), begin)
        return track


def _seconds_with_notes(notes):
    """The number of seconds in which at least one of the notes sounds."""
    total, end = 0.0, 0.0
    for note in sorted(notes):
        total += max(0.0, note.end - max(end, note.start))
        end = max(end, note.end)
    return total
