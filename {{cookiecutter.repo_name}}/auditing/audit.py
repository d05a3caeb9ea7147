"""Audits all splits: inspects every track, and compares the tracks with each other."""

import statistics
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from errors import UserError, amount
from evaluation.statistics import evenly

from . import labels
from .fingerprint import Fingerprint, fingerprint, matches, repetition
from .tracks import inspect

#: kinds of findings that would invalidate results; all others are warnings
ERRORS = ("unreadable", "leak", "duplicate", "residual", "misaligned", "copy")

NAMED = 10  # tracks that are named in a finding; the others are counted
LOOP = 0.6  # share of a source's fingerprint that recurs in it, from which it counts as a loop
MIXTURE = "the mixture"  # in place of a label


def audit(datasets, settings):
    """Audit every track of every split.

    Args:
        datasets: {split: StemDataset}.
        settings: the section `audit` of a config, with its keys as attributes.

    Returns:
        plain data: {"splits": {split: summary}, "tracks": {split: [facts of each track]},
        "findings": [{"level": "error" or "warning", "kind", "split", "track", "source", "text"}]}.
    """
    findings, tracks, prints, spectra = [], {}, [], {}
    for split, data in datasets.items():
        chosen = evenly(len(data), settings.num_items)
        data.ensure(chosen)
        tracks[split] = []
        for index in tqdm(chosen, desc=f"auditing {split}", unit="track", disable=None):
            name = data.tracks[index].name
            try:
                facts, found, sources, mix = inspect(data, index, settings)
            except UserError as error:
                findings.append(_finding("unreadable", split, name, "", str(error)))
                continue
            findings += [_finding(kind, split, name, label, text) for kind, label, text in found]
            tracks[split].append(facts)
            by_label = dict(zip(data.labels, sources, strict=True))
            track_spectra = {
                label: labels.spectrum(source, data.sample_rate)
                for label, source in by_label.items()
            }
            spectra.setdefault(split, []).append((name, facts["song"], track_spectra))
            for label, sound in {MIXTURE: mix, **by_label}.items():
                pairs = fingerprint(sound, data.sample_rate)
                prints.append(_Print(split, name, facts["song"], label, pairs))
    findings += _same_songs(tracks) + _same_recordings(prints, settings.similarity)
    for split, track_spectra in spectra.items():
        findings += _swapped_labels(split, track_spectra, datasets[split].labels)
    order = {"error": 0, "warning": 1}
    findings.sort(key=lambda f: (order[f["level"]], f["kind"], f["split"], f["track"]))
    return {
        "splits": {split: _summary(datasets[split], tracks[split]) for split in datasets},
        "findings": findings,
        "tracks": tracks,
    }


class _Print(NamedTuple):
    """The fingerprint of a source or mixture, and where it comes from."""

    split: str
    track: str
    song: str
    label: str
    fingerprint: Fingerprint


def _finding(kind, split, track, source, text):
    """An entry of the report's findings; source: a label, or "" for the whole track."""
    level = "error" if kind in ERRORS else "warning"
    if kind == "duplicate" and split == "train":
        level = "warning"  # training twice on a song does not invalidate results
    return {
        "level": level,
        "kind": kind,
        "split": split,
        "track": track,
        "source": source,
        "text": text,
    }


def _swapped_labels(split, tracks, names):
    """Findings about labels that seem swapped in some tracks; tracks: as of `labels.swapped`."""
    findings = []
    for first, second, swapped, p in labels.swapped(tracks, names):
        text = (
            f"{first} and {second} look swapped in {len(swapped)} of "
            f"{amount(len(tracks), 'track')}, by their long-term spectra (p = {p:.1g}): "
            + ", ".join(swapped[:NAMED])
            + (f" and {len(swapped) - NAMED} more" if len(swapped) > NAMED else "")
        )
        findings.append(_finding("swapped", split, swapped[0], first, text))
    return findings


def _same_songs(tracks):
    """Findings about songs that are in two splits, by their names."""
    first_tracks = {}  # {song: {split: name of its first track there}}
    for split, facts in tracks.items():
        for track in facts:
            if track["song"]:
                first_tracks.setdefault(track["song"], {}).setdefault(split, track["name"])
    findings = []
    for song, by_split in first_tracks.items():
        if len(by_split) > 1:
            split, track = list(by_split.items())[-1]
            text = f"the song {song!r} is in {' and '.join(by_split)}"
            findings.append(_finding("leak", split, track, "", text))
    return findings


def _same_recordings(prints, similarity):
    """Findings about recordings that are in two splits or twice in one, by their fingerprints.

    Mixtures are compared with all mixtures, but not with others of the same song and split, as
    songs repeat themselves. Sources are compared across splits only: within a split, a recording
    may be used in several mixtures. A source that repeats itself (a loop) is no leak by itself,
    because two songs may share a drum kit and a pattern.
    """
    findings, reported = [], set()
    mixtures = [p for p in prints if p.label == MIXTURE]
    for i, j, share in matches([p.fingerprint for p in mixtures], similarity):
        one, twin = mixtures[i], mixtures[j]
        if one.split == twin.split and one.song and one.song == twin.song:
            continue
        reported.add((one.split, one.track, twin.split, twin.track))
        kind = "duplicate" if one.split == twin.split else "leak"
        place = "" if kind == "duplicate" else f" of {one.split}"
        text = f"the same recording as {one.track}{place} ({share:.0%} of its fingerprint)"
        findings.append(_finding(kind, twin.split, twin.track, "", text))
    sources = [p for p in prints if p.label != MIXTURE]
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
            repeated = min(repetition(one.fingerprint), repetition(twin.fingerprint))
            if several or repeated < LOOP:
                kind, text = "leak", f"its {twin.label} is {where})"
            else:
                kind, text = "pattern", f"its {twin.label} sounds like {where}, repeating itself)"
            findings.append(_finding(kind, twin.split, twin.track, twin.label, text))
    return findings


def _summary(data, tracks):
    """The summary of a split; tracks: the facts of each."""
    loudness = [track["loudness"] for track in tracks if track["loudness"] is not None]
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
        "hours": round(sum(seconds) / 3600, 6),
        "seconds": _spread(seconds),
        "loudness": _spread(loudness),
        "residual_db": _spread(residuals),
        "left_out": {
            name: [str(path) for path in paths]
            for name, paths in getattr(data, "left_out", {}).items()
            if paths
        },
    }


def _spread(values):
    """[minimum, median, maximum]; None if there are no values."""
    return [min(values), statistics.median(values), max(values)] if values else None
