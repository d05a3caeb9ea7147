"""Composes the built-in songs as notes and drum hits with times in seconds.

Verses and choruses each have a progression of four chords in a scale. Melodies repeat and vary a
motif of two bars, with chord tones on strong beats. Rhythms, voicings and figures are drawn for
each song. Composing a song takes a few milliseconds.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)
DORIAN = (0, 2, 3, 5, 7, 9, 10)
MIXOLYDIAN = (0, 2, 4, 5, 7, 9, 10)

# degrees of the scale, one chord for each bar; no split has a progression of another one, but some
# are rotations of each other
PROGRESSIONS = {
    "train": (
        (0, 5, 3, 4),
        (0, 3, 4, 0),
        (5, 3, 0, 4),
        (0, 4, 5, 3),
        (3, 4, 2, 5),
        (0, 2, 3, 4),
        (5, 5, 3, 4),
        (0, 6, 5, 4),
        (0, 0, 3, 3),
        (0, 3, 5, 4),
        (5, 4, 3, 4),
        (3, 3, 0, 0),
    ),
    "val": ((1, 4, 0, 5), (3, 0, 4, 5), (0, 1, 3, 0)),
    "test": ((5, 1, 4, 0), (0, 3, 1, 4), (0, 4, 1, 3), (5, 3, 4, 0), (2, 5, 3, 4)),
}

KICKS = ((0, 2), (0, 1.5, 2.5), (0, 1, 2, 3), (0, 0.75, 2, 2.75), (0, 2.5), (0, 0.5, 2, 3.5))
SNARES = ((1, 3), (1, 3), (2,), (1, 3, 3.75), (1, 2.5, 3))
BASS_LINES = (
    ((0, 1.5), (2, 1.5)),
    ((0, 0.5), (0.75, 0.5), (1.5, 0.5), (2.5, 0.5), (3, 0.9)),
    tuple((0.5 * i, 0.45) for i in range(8)),
    ((0, 1), (1.5, 0.5), (2, 1), (3.5, 0.5)),
    ((0, 3.8),),
)
CHORD_RHYTHMS = (
    ((0, 4),),
    ((0, 1.5), (1.5, 1), (2.5, 1.5)),
    ((0, 0.9), (1, 0.9), (2, 0.9), (3, 0.9)),
    ((0.5, 0.4), (1.5, 0.4), (2.5, 0.4), (3.5, 0.4)),
    tuple((0.5 * i, 0.4) for i in range(8)),
    ((0, 2), (2, 2)),
)


class Note(NamedTuple):
    start: float  # seconds from the song's start
    length: float  # seconds
    pitch: float  # MIDI
    velocity: float  # 0..1, an amplitude

    @property
    def end(self):
        return self.start + self.length


class Hit(NamedTuple):
    start: float  # seconds from the song's start
    drum: str  # a key of `drums.LEVELS_AND_PANS`
    velocity: float  # 0..1, an amplitude


@dataclass
class Score:
    """A composed song.

    Attributes:
        parts: {"bass", "chords", "figure" and "lead": [Note]}.
        drums: [Hit].
        phrases: [[Note]] of the voice, each sung in one breath.
        backing: the same of a second voice.
    """

    beat: float  # seconds
    length: float  # seconds
    parts: dict = field(
        default_factory=lambda: {k: [] for k in ("bass", "chords", "figure", "lead")}
    )
    drums: list = field(default_factory=list)
    phrases: list = field(default_factory=list)
    backing: list = field(default_factory=list)


def compose(rng, split, seconds, form=None):
    """Compose a song: a `Score`.

    Args:
        rng: numpy's Generator.
        split: "train", "val" or "test", which determines the possible progressions.
        seconds: the smallest length.
        form: function(number of bars) -> [section of each bar]; None: the same form in every song.
    """
    beat = 60.0 / rng.uniform(72, 150)
    composer = _Composer(rng, split, beat)
    bars = int(np.ceil(seconds / (4 * beat)))
    if form is None:
        form = ["intro"] * 2 + (["verse"] * 8 + ["chorus"] * 8 + ["break"] * 2) * 99
    else:
        form = form(bars)
    score = Score(beat, bars * 4 * beat)
    for bar in range(bars):
        composer.write_bar(score, bar, form[bar])
    score.phrases = _breaths(composer.sung, beat)
    score.backing = _breaths(composer.harmony, beat)
    return score


class _Composer:
    """The style of one song: everything that is drawn once; `write_bar` writes the notes."""

    def __init__(self, rng, split, beat):
        self.rng, self.beat = rng, beat
        loops = PROGRESSIONS[split]
        picks = rng.integers(len(loops), size=2)
        self.loops = {"verse": loops[picks[0]], "chorus": loops[picks[1]]}
        self.scale = (MAJOR, MINOR, DORIAN, MIXOLYDIAN)[rng.choice(4, p=(0.45, 0.3, 0.12, 0.13))]
        self.root = int(rng.integers(43, 55))
        self.swing = float(rng.choice((0.0, 0.0, 0.0, 0.12)))
        self.kick = KICKS[rng.integers(len(KICKS))]
        self.snare = SNARES[rng.integers(len(SNARES))]
        self.hats = float(rng.choice((0.25, 0.5, 0.5, 1.0)))
        self.cymbal = {"verse": "hat", "chorus": str(rng.choice(("hat", "ride", "open")))}
        self.percussion = str(rng.choice(("", "", "shaker", "clap")))
        self.bass_line = BASS_LINES[rng.integers(len(BASS_LINES))]
        self.rhythms = {
            k: CHORD_RHYTHMS[rng.integers(len(CHORD_RHYTHMS))] for k in ("verse", "chorus")
        }
        self.seventh = bool(rng.random() < 0.3)
        self.figure_steps = rng.integers(0, 4, 8)
        self.figure_in = set(rng.permutation(("verse", "chorus", "break"))[: rng.integers(1, 4)])
        self.lead_in_chorus = bool(rng.random() < 0.35)
        self.motifs = {
            "verse": self._motif((0.25, 0.5, 0.5, 0.5, 1, 1, 1.5, 2)),
            "chorus": self._motif((0.5, 0.5, 1, 1, 2, 3)),
        }
        self.degree = 7  # where the melody is, in scale steps above the root
        self.with_backing = bool(rng.random() < 0.5)
        self.sung, self.harmony = [], []

    def _motif(self, lengths):
        """[(beat, length in beats, steps of the scale from the note before)] for two bars."""
        beat, motif = 0.0, []
        while beat < 7.0:
            length = float(self.rng.choice(lengths))
            if self.rng.random() > 0.12:
                motif.append((beat, min(length, 8 - beat), int(self.rng.integers(-3, 4))))
            beat += length
        return motif

    def pitch(self, degree):
        """The MIDI pitch of a degree of the scale, from 0; 7 is an octave higher."""
        octave, step = divmod(int(degree), 7)
        return self.root + 12 * octave + self.scale[step]

    def at(self, bar, beat):
        """The time in seconds of `beat` in `bar`; off-beats are delayed by the song's swing."""
        late = self.swing if (beat * 2) % 2 == 1 else 0.0
        return (4 * bar + beat + late) * self.beat

    def write_bar(self, score, bar, section):
        chord = self.loops["chorus" if section == "chorus" else "verse"][bar % 4]
        self._drums(score, bar, section)
        self._bass(score, bar, chord)
        voicing = self._voicing(chord)
        self._chords(score, bar, section, voicing)
        if section in self.figure_in:
            self._figure(score, bar, voicing)
        if section == "break" or (section == "chorus" and self.lead_in_chorus):
            self._lead(score, bar, chord, sparse=section != "break")
        if section in self.motifs:
            self._melody(bar, section, chord)

    def _drums(self, score, bar, section):
        rng, hits = self.rng, score.drums
        if section == "intro" and bar == 0:
            return
        hits += [Hit(self.at(bar, b), "kick", rng.uniform(0.8, 1)) for b in self.kick]
        hits += [Hit(self.at(bar, b), "snare", rng.uniform(0.75, 1)) for b in self.snare]
        cymbal = self.cymbal["chorus" if section == "chorus" else "verse"]
        for beat in np.arange(0, 4, self.hats):
            drum = "open" if rng.random() < 0.06 else cymbal
            accent = 1.2 if beat % 1 == 0 else 0.8
            hits.append(Hit(self.at(bar, beat), drum, rng.uniform(0.35, 0.6) * accent))
        if self.percussion == "shaker":
            hits += [
                Hit(self.at(bar, b), "shaker", rng.uniform(0.3, 0.6)) for b in np.arange(0, 4, 0.5)
            ]
        elif self.percussion == "clap":
            hits += [Hit(self.at(bar, b), "clap", rng.uniform(0.6, 0.9)) for b in self.snare]
        if bar % 8 == 7:
            fill = ((3, "tom1"), (3.25, "tom1"), (3.5, "tom2"), (3.75, "tom2"))
            hits += [Hit(self.at(bar, b), drum, rng.uniform(0.7, 1)) for b, drum in fill]
        if bar % 8 == 2 and bar > 2:
            hits.append(Hit(self.at(bar, 0), "crash", rng.uniform(0.6, 0.9)))

    def _bass(self, score, bar, chord):
        low = self.pitch(chord)
        while low > 43:
            low -= 12
        for beat, length in self.bass_line:
            fifth = 7 if beat and self.rng.random() < 0.2 else 0
            score.parts["bass"].append(
                Note(self.at(bar, beat), length * self.beat, low + fifth, self.rng.uniform(0.75, 1))
            )

    def _voicing(self, chord):
        degrees = (chord, chord + 2, chord + 4) + ((chord + 6,) if self.seventh else ())
        return sorted(57 + (self.pitch(d) - 57) % 12 for d in degrees)

    def _chords(self, score, bar, section, voicing):
        rhythm = self.rhythms["chorus" if section == "chorus" else "verse"]
        for beat, length in rhythm:
            velocity = self.rng.uniform(0.6, 0.95)
            for i, pitch in enumerate(voicing):  # slightly arpeggiated, as by a hand
                score.parts["chords"].append(
                    Note(
                        self.at(bar, beat) + 0.011 * i,
                        length * self.beat,
                        pitch,
                        velocity * self.rng.uniform(0.85, 1),
                    )
                )

    def _figure(self, score, bar, voicing):
        for i, step in enumerate(self.figure_steps):
            pitch = voicing[step % len(voicing)] + 12 * ((i + step) % 2)
            score.parts["figure"].append(
                Note(self.at(bar, i / 2), 0.55 * self.beat, pitch, self.rng.uniform(0.5, 0.8))
            )

    def _lead(self, score, bar, chord, sparse):
        for beat in (3, 3.5) if sparse else (0, 1, 1.5, 2, 3):
            if self.rng.random() < 0.85:
                pitch = self.pitch(chord + int(self.rng.choice((0, 2, 4, 7)))) + 12
                score.parts["lead"].append(
                    Note(self.at(bar, beat), 0.9 * self.beat, pitch, self.rng.uniform(0.6, 0.9))
                )

    def _melody(self, bar, section, chord):
        rng, half = self.rng, 4 * (bar % 2)
        for beat, length, steps in self.motifs[section]:
            if not half <= beat < half + 4:
                continue
            self.degree = int(np.clip(self.degree + steps, 2, 15))
            if beat % 2 == 0:  # strong beats land on a chord tone
                tones = [d for d in range(0, 18) if (d - chord) % 7 in (0, 2, 4)]
                self.degree = min(tones, key=lambda d: abs(d - self.degree))
            if rng.random() < 0.94:
                note = Note(
                    self.at(bar, beat - half),
                    length * self.beat,
                    self.pitch(self.degree),
                    rng.uniform(0.7, 1),
                )
                self.sung.append(note)
                if section == "chorus" and self.with_backing:
                    self.harmony.append(note._replace(pitch=self.pitch(self.degree + 2)))


def _breaths(notes, beat):
    """Divide notes into phrases, at rests of half a beat or more and after at most six beats."""
    phrases = []
    for note in notes:
        last = phrases[-1] if phrases else None
        rests = last is not None and note.start - last[-1].end > 0.5 * beat
        if last is None or rests or note.end - last[0].start > 6 * beat:
            if last is not None and not rests:  # shorten the note before, for time to breathe
                last[-1] = last[-1]._replace(length=max(0.12, last[-1].length - 0.18))
            phrases.append([note])
        else:
            last.append(note)
    return phrases
