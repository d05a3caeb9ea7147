"""Tracks: a mixture and the files of its sources; their problems are reported here."""

import dataclasses
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import audio
from errors import UserError, amount, raise_all

from .folders import did_you_mean

log = logging.getLogger("dataset")

REST = "*"  # in groups: every stem that no other group names


class Channel(NamedTuple):
    """One channel of a file, in place of the file."""

    path: Path
    number: int


@dataclass(frozen=True)
class Track:
    """One mixture and the files of its sources.

    Args:
        name: unique in its dataset.
        stems: {label: files, or a `Channel` each, which are summed}.
        sample_rate: of the files; None: to be read from their headers.
        length: in samples, of the longest file; None: to be read from the headers.
        song: what must not be in two splits at once (a song, an utterance); "" where names say
            nothing.
        mix: the file of the mixture, if there is one.
    """

    name: str
    stems: dict = field(repr=False)
    sample_rate: int | None = None
    length: int | None = None
    song: str = ""
    mix: Path | None = None


def listed(tracks, name):
    """What the dataset class `name` has listed: [Track].

    Raises:
        UserError: it is something else.
    """
    tracks = list(tracks or ())
    for track in tracks:
        if not isinstance(track, Track):
            wrong = f"lists a {type(track).__name__} ({track})"
        elif not all(type(files) in (list, tuple) for files in track.stems.values()):
            wrong = f"gives the track {track.name!r} a stem that is not a list of files"
        elif not track.stems or not all(track.stems.values()):
            wrong = f"gives the track {track.name!r} no stems, or a stem without files"
        else:
            continue
        raise UserError(
            f"{name}.list_tracks {wrong}; " + "it has to list Track(name, {label: [file]})"
        )
    return tracks


def files_of(track):
    """Each file of a track once."""
    sources = [f for files in track.stems.values() for f in files]
    paths = [f.path if isinstance(f, Channel) else f for f in sources]
    return list(dict.fromkeys(paths + ([track.mix] if track.mix is not None else [])))


def measured(tracks, rate=None, channels=None, padded=True, most_channels=None):
    """The tracks with rate and length from their files' headers.

    Args:
        rate, channels: what every file must have; None: any.
        padded: shorter stems are followed by silence; else the files of a track are equally long.
        most_channels: a file may have one channel or so many; None: any number.

    Raises:
        UserError: with every file (the first ones, and how many more) that is not as expected.
    """
    ready, problems = [], []
    for track in tracks:
        if track.length is not None:
            ready.append(track)
            continue
        try:
            ready.append(_measured(track, rate, channels, padded, most_channels))
        except UserError as error:
            problems.append(str(error))
    raise_all(problems)
    return ready


def _measured(track, rate, channels, padded, most_channels):
    rates, lengths = {}, {}
    for path in files_of(track):
        rates[path], found, lengths[path] = audio.info(path)
        if lengths[path] == 0:
            raise UserError(f"{path}: holds no samples; replace it")
        if channels is not None and found != channels:
            kind = {1: "mono", 2: "stereo"}
            raise UserError(
                f"{path}: is {kind.get(found, f'of {found} channels')}, expected "
                f"{kind[channels]}; replace or convert it"
            )
        if most_channels not in (None, 1) and found not in (1, most_channels):
            raise UserError(
                f"{path}: has {found} channels, which cannot become {most_channels}; mix it down, "
                "or write signal: {num_channels: 1}"
            )
        if rate is not None and rates[path] != rate:
            raise UserError(f"{path}: has {rates[path]} Hz, expected {rate} Hz; resample it")
    first = next(iter(rates))
    for path in rates:
        if rates[path] != rates[first]:
            raise UserError(
                f"{path}: has {rates[path]} Hz and {first} {rates[first]} Hz; the files of a "
                "track must have one rate: resample them"
            )
        if not padded and lengths[path] != lengths[first]:
            raise UserError(
                f"{path}: has {lengths[path]} samples and {first} {lengths[first]}; the "
                "files of a track must be equally long: replace them"
            )
    return dataclasses.replace(track, sample_rate=rates[first], length=max(lengths.values()))


def plain_groups(groups):
    """`groups` as written, {label: [stems]}, without those that are null; None: every stem.

    Raises:
        UserError: no label is left, or one has something else than a list of names.
    """
    if groups is None:
        return None
    groups = {label: stems for label, stems in groups.items() if stems is not None}
    problems = []
    for label, stems in groups.items():
        if isinstance(stems, str):
            problems.append(f"groups.{label}: found the text {stems!r}; write [{stems!r}]")
        elif not isinstance(stems, list | tuple) or not stems:
            problems.append(f"groups.{label}: found {stems!r}, expected a list of stems")
        elif wrong := [stem for stem in stems if not isinstance(stem, str)]:
            problems.append(f"groups.{label}: found {wrong[0]!r}, expected the name of a stem")
    if not groups:
        problems.append("groups: names no source; leave it out if every stem is a source")
    raise_all(problems)
    return groups


def grouped(tracks, groups, owner):
    """The tracks with stems summed to the sources that `groups` names: {label: [stems]}.

    A label for which a track has no stem has no files.
    """
    there = sorted({stem for track in tracks for stem in track.stems})
    named = [stem for stems in groups.values() for stem in stems]
    problems = []
    for label, stems in groups.items():
        for stem in stems:
            if stem not in there and stem != REST:
                problems.append(
                    f"groups.{label}: no stem {stem!r}; {did_you_mean(stem, there)}"
                    f"{owner} has {', '.join(there)}"
                )
            elif named.count(stem) > 1:
                problems.append(f"groups.{label}: the stem {stem!r} is named twice")
    raise_all(problems)
    return [
        dataclasses.replace(
            track,
            stems={label: _files(track, stems, named) for label, stems in groups.items()},
        )
        for track in tracks
    ]


def _files(track, stems, named):
    chosen = []
    for stem in stems:
        rest = [name for name in track.stems if name not in named] if stem == REST else [stem]
        chosen += [file for name in rest for file in track.stems.get(name, ())]
    return tuple(chosen)


def refuse_twins(tracks, labels):
    """Raise UserError if labels differ in capital letters only: they would be two sources."""
    twins = {}
    for label in labels:
        twins.setdefault(label.casefold(), []).append(label)
    raise_all(
        f"sources {' and '.join(names)} differ in capital letters only "
        f"({', '.join(_first_with(tracks, name) for name in names)}); rename the files, or write "
        f"one source with both under `groups`: {names[-1]}: [{', '.join(names)}]"
        for names in twins.values()
        if len(names) > 1
    )


def _first_with(tracks, label):
    return next(f"{label} in {track.name}" for track in tracks if track.stems.get(label))


def complete(tracks, labels, missing):
    """The tracks that have files for all `labels`, by a policy for those that have not.

    missing: "error": an error names it; "skip": left out, and counted in the log; "silence": the
    label's source is silent.
    """
    lacking = {}
    for track in tracks:
        absent = [label for label in labels if not track.stems.get(label)]
        if absent:
            there = next((paths[0] for paths in track.stems.values() if paths), None)
            lacking[track.name] = absent, f" (there is {there})" if there else ""
    if missing == "silence":
        return [
            dataclasses.replace(track, stems={la: track.stems.get(la, ()) for la in labels})
            if track.name in lacking
            else track
            for track in tracks
        ]
    if lacking and missing == "error":
        raise_all(
            [
                f"{name}: no {', '.join(absent)}; add it, or choose missing: skip or silence{there}"
                for name, (absent, there) in lacking.items()
            ]
        )
    if lacking:
        out = f"{len(lacking)} of {amount(len(tracks), 'track')}"
        log.warning("left out for lack of stems: %s", out)
    return [track for track in tracks if track.name not in lacking]
