"""The audit of all splits: every track inspected, and compared with every other."""

import statistics
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from errors import UserError, amount
from evaluation.statistics import evenly

from . import labels
from .fingerprint import Fingerprint, fingerprint, matches, repetition
from .tracks import inspect

#: what would spoil a result; all else is only mentioned
ERRORS = ("unreadable", "leak", "duplicate", "residual", "misaligned")

NAMED = 10  # so many tracks are named in a finding
LOOP = 0.6  # of a source's fingerprint comes again within it: it is made of a pattern


def audit(datasets, settings):
    """Look at every track of every split.

    Args:
        datasets: {split: dataset of ours}; settings: the section `audit`, its keys as attributes.

    Returns:
        plain data: {"splits": {split: summary}, "tracks": {split: [what was found of each]},
        "findings": [{"level": "error" or "warning", "kind", "split", "track", "source", "text"}]}.
    """
    findings, tracks, prints, spectra = [], {}, [], {}
    for split, data in datasets.items():
        chosen = evenly(len(data), settings.num_items)
        data.ensure(chosen)
        tracks[split] = []
        for index in tqdm(chosen, desc=f"looking at {split}", unit="track", disable=None):
            name = data.tracks[index].name
            try:
                facts, found, sources, mix = inspect(data, index, settings)
            except UserError as error:
                findings.append(_finding("unreadable", split, name, "", str(error)))
                continue
            findings += [_finding(kind, split, name, label, text) for kind, label, text in found]
            tracks[split].append(facts)
            spectra.setdefault(split, []).append(
                (
                    name,
                    facts["song"],
                    {
                        label: labels.spectrum(source, data.sample_rate)
                        for label, source in zip(data.labels, sources, strict=True)
                    },
                )
            )
            sounds = [("the mixture", mix), *zip(data.labels, sources, strict=True)]
            prints += [
                _Print(split, name, facts["song"], label, fingerprint(sound, data.sample_rate))
                for label, sound in sounds
            ]
    findings += _same_songs(tracks) + _same_recordings(prints, settings.similarity)
    for split, of_tracks in spectra.items():
        findings += _swapped_labels(split, of_tracks, datasets[split].labels)
    order = {"error": 0, "warning": 1}
    findings.sort(key=lambda f: (order[f["level"]], f["kind"], f["split"], f["track"]))
    return {
        "splits": {split: _summary(datasets[split], tracks[split]) for split in datasets},
        "findings": findings,
        "tracks": tracks,
    }


class _Print(NamedTuple):
    """A fingerprint and whose it is."""

    split: str
    track: str
    song: str
    label: str
    fingerprint: Fingerprint


def _finding(kind, split, track, source, text):
    level = "error" if kind in ERRORS else "warning"
    if kind == "duplicate" and split == "train":
        level = "warning"  # a song that is learnt from twice spoils nothing
    return {
        "level": level,
        "kind": kind,
        "split": split,
        "track": track,
        "source": source,
        "text": text,
    }


def _swapped_labels(split, of_tracks, names):
    return [
        _finding(
            "swapped",
            split,
            there[0],
            first,
            f"{first} and {second} look swapped in {len(there)} of "
            f"{amount(len(of_tracks), 'track')}, by their long-term spectra (p = {p:.1g}): "
            + ", ".join(there[:NAMED])
            + (f" and {len(there) - NAMED} more" if len(there) > NAMED else ""),
        )
        for first, second, there, p in labels.swapped(of_tracks, names)
    ]


def _same_songs(tracks):
    """Songs, by name, that are in two splits."""
    where = {}
    for split, facts in tracks.items():
        for track in facts:
            if track["song"]:
                where.setdefault(track["song"], {}).setdefault(split, track["name"])
    return [
        _finding(
            "leak",
            list(splits)[-1],
            list(splits.values())[-1],
            "",
            f"the song {song!r} is in {' and '.join(splits)}",
        )
        for song, splits in where.items()
        if len(splits) > 1
    ]


def _same_recordings(prints, similarity):
    """Recordings, by fingerprint, that are in two splits, or twice in one.

    Mixtures are compared with mixtures; single sources only across splits, as one recording may
    well be mixed more than once within a split. Stretches of one song repeat themselves. A single
    source that is made of a pattern is no leak by that alone: two songs may share a drum kit and a
    pattern.
    """
    findings, reported = [], set()
    mixtures = [p for p in prints if p.label == "the mixture"]
    for i, j, share in matches([p.fingerprint for p in mixtures], similarity):
        one, twin = mixtures[i], mixtures[j]
        if one.split == twin.split and one.song and one.song == twin.song:
            continue
        reported.add((one.split, one.track, twin.split, twin.track))
        kind = "duplicate" if one.split == twin.split else "leak"
        place = "" if kind == "duplicate" else f" of {one.split}"
        text = f"the same recording as {one.track}{place} ({share:.0%} of its fingerprint)"
        findings.append(_finding(kind, twin.split, twin.track, "", text))
    sources = [p for p in prints if p.label != "the mixture"]
    splits = list(dict.fromkeys(p.split for p in sources))
    groups = np.array([splits.index(p.split) for p in sources], dtype=np.int64)
    pairs = {}
    for i, j, share in matches([p.fingerprint for p in sources], similarity, groups):
        one, twin = sources[i], sources[j]
        tracks = one.split, one.track, twin.split, twin.track
        if tracks not in reported:
            pairs.setdefault(tracks, []).append((one, twin, share))
    for found in pairs.values():
        several = len({twin.label for _, twin, _ in found}) > 1
        for one, twin, share in found:
            where = f"the {one.label} of {one.track} of {one.split} ({share:.0%} of its fingerprint"
            again = min(repetition(one.fingerprint), repetition(twin.fingerprint))
            if several or again < LOOP:
                kind, text = "leak", f"its {twin.label} is {where})"
            else:
                kind, text = "pattern", f"its {twin.label} sounds like {where}, repeating itself)"
            findings.append(_finding(kind, twin.split, twin.track, twin.label, text))
    return findings


def _summary(data, tracks):
    known = [track["loudness"] for track in tracks if track["loudness"] is not None]
    seconds = [track["seconds"] for track in tracks]
    residuals = [t["residual_db"] for t in tracks if t["residual_db"] is not None]
    return {
        "dataset": type(data).__name__,
        "folder": str(data.folder),
        "manifest_hash": data.manifest_hash,
        "tracks": len(data),
        "looked_at": len(tracks),
        "labels": data.labels,
        "sample_rates": sorted({track["sample_rate"] for track in tracks}),
        "read_at": data.sample_rate,
        "hours": round(sum(seconds) / 3600, 4),
        "seconds": _spread(seconds),
        "loudness": _spread(known),
        "residual_db": _spread(residuals),
        "left_out": {
            name: [str(path) for path in paths]
            for name, paths in getattr(data, "left_out", {}).items()
            if paths
        },
    }


def _spread(values):
    """[least, median, most], or None."""
    return [min(values), statistics.median(values), max(values)] if values else None
