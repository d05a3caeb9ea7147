"""Arranges a score: sections with different instruments, fills, vocal rests, uneven timing."""

from typing import NamedTuple

import numpy as np

from .score import Hit, Note, compose

PARTS = ("drums", "bass", "chords", "figure", "lead")
# {section: probability that a part rests in it}
RESTING = {"intro": 0.5, "verse": 0.25, "chorus": 0.04, "break": 0.15}
FILLS = (  # (beat of the bar, drum)
    ((3, "tom1"), (3.25, "tom1"), (3.5, "tom2"), (3.75, "tom2")),
    ((2, "snare"), (2.5, "snare"), (3, "tom1"), (3.5, "tom2")),
    ((3, "snare"), (3.25, "snare"), (3.5, "snare"), (3.75, "snare")),
    ((2, "tom1"), (2.5, "tom1"), (2.75, "tom1"), (3, "tom2"), (3.5, "snare")),
    ((3.5, "kick"), (3.75, "snare")),
)
TIMING = 0.008  # seconds, the standard deviation of the beginnings of notes
SOFTEST = 0.7  # lowest amplitude of a section relative to choruses


class Section(NamedTuple):
    """The bars from `first` up to, but not including, `last`."""

    name: str
    first: int
    last: int


def compose_arranged(rng, split, seconds):
    """An arranged `Score`; arguments as of `score.compose`."""
    sections = []

    def form(bars):
        sections.extend(form_of(rng, bars))
        return [section.name for section in sections for _ in range(section.last - section.first)]

    score = compose(rng, split, seconds, form)
    arrange(score, sections, rng)
    return score


def form_of(rng, bars):
    """[Section] with at least `bars` bars: an intro, then verses, choruses and breaks."""
    sections = [Section("intro", 0, int(rng.choice((2, 4))))]
    names = ("verse", "chorus", "break")
    while sections[-1].last < bars:
        first = sections[-1].last
        name = names[(len(sections) - 1) % 3]
        length = int(rng.choice((2, 4) if name == "break" else (8, 8, 4)))
        sections.append(Section(name, first, first + length))
    return sections


def arrange(score, sections, rng):
    """Modify a score in place: parts rest in some sections, drum fills lead to the next section,
    phrases of the voice are omitted, and notes deviate in time and velocity."""
    bar = 4 * score.beat
    for section in sections:
        start, end = section.first * bar, section.last * bar
        playing = _playing(section.name, rng)
        level = 1.0 if section.name == "chorus" else rng.uniform(SOFTEST, 1.0)
        for part, notes in score.parts.items():
            score.parts[part] = _changed(notes, start, end, part in playing, level)
        score.drums = _changed(score.drums, start, end, "drums" in playing, level)
        if "drums" in playing and rng.random() < 0.75:
            score.drums = _with_fill(score.drums, end, score.beat, rng)
    score.phrases = [phrase for phrase in score.phrases if rng.random() < 0.85]
    for part, notes in score.parts.items():
        score.parts[part] = [_humanized(note, rng) for note in notes]
    score.drums = [_humanized(hit, rng) for hit in score.drums]


def _playing(name, rng):
    """The parts that play in a section with this name; at least one of them plays chords."""
    if name == "verse" and rng.random() < 0.12:
        return {"chords", "figure"}
    resting = RESTING[name]
    playing = {part for part in PARTS if rng.random() >= resting}
    return playing | {str(rng.choice(("chords", "chords", "figure")))}


def _changed(events, start, end, plays, level):
    """The events with those from `start` to `end` (seconds) scaled by `level`, or removed."""
    changed = []
    for event in events:
        if not start - 1e-6 <= event.start < end - 1e-6:
            changed.append(event)
        elif plays:
            changed.append(event._replace(velocity=event.velocity * level))
    return changed


def _with_fill(hits, end, beat, rng):
    """The hits with a fill in the bar before `end` (seconds), and a crash at `end`."""
    fill = FILLS[rng.integers(len(FILLS))]
    bar = end - 4 * beat
    begin = bar + fill[0][0] * beat
    kept = [hit for hit in hits if not begin - 1e-6 <= hit.start < end - 1e-6]
    rise = np.linspace(0.6, 1.0, len(fill))
    kept += [Hit(bar + at * beat, drum, v) for (at, drum), v in zip(fill, rise, strict=True)]
    return kept + [Hit(end, "crash", rng.uniform(0.6, 0.95))]


def _humanized(event, rng):
    """A note or hit with random deviations of its start, velocity and length."""
    moved = max(0.0, event.start + rng.normal(0, TIMING))
    changed = {"start": moved, "velocity": event.velocity * rng.uniform(0.8, 1.0)}
    if isinstance(event, Note):
        changed["length"] = max(0.05, event.length * rng.uniform(0.85, 1.02))
    return event._replace(**changed)
