"""Tracks (a mixture and the files of its sources), and checks of them."""

import dataclasses
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import audio
from errors import UserError, amount, raise_all

from .folders import suggestion

log = logging.getLogger("dataset")

REST = "*"  # in `groups`: all stems that no group names


class Channel(NamedTuple):
    """One channel of a file as a stem; number: from 0."""

    path: Path
    number: int


@dataclass(frozen=True)
class Track:
    """One mixture and the files of its sources.

    Args:
        name: unique in its dataset.
        stems: {label: [Path or Channel]}; the files of a stem are summed.
        sample_rate: of the files in Hz; None: it is read from their headers.
        length: of the longest file in samples; None: it is read from the headers.
        song: identifies the song or utterance, which must not be in two splits; "": unknown.
        mix: the file of the mixture; None: there is none.
    """

    name: str
    stems: dict = field(repr=False)
    sample_rate: int | None = None
    length: int | None = None
    song: str = ""
    mix: Path | None = None


def check_tracks(tracks, name):
    """The result of `list_tracks` of the dataset class `name` as [Track].

    Raises:
        UserError: it is something else.
    """
    tracks = list(tracks or ())
    for track in tracks:
        if not isinstance(track, Track):
            problem = f"returns a {type(track).__name__} ({track})"
        elif not all(type(files) in (list, tuple) for files in track.stems.values()):
            problem = f"gives the track {track.name!r} a stem that is not a list of files"
        elif not track.stems or not all(track.stems.values()):
            problem = f"gives the track {track.name!r} no stems, or a stem without files"
        else:
            continue
        expected = "it has to return a list of Track(name, {label: [file]})"
        raise UserError(f"{name}.list_tracks {problem}; {expected}")
    return tracks


def files_of(track):
    """The files of a track, each once: [Path]."""
    paths = []
    for files in track.stems.values():
        paths += [Path(file.path if isinstance(file, Channel) else file) for file in files]
    if track.mix is not None:
        paths.append(Path(track.mix))
    return list(dict.fromkeys(paths))


def with_lengths(tracks, rate=None, channels=None, padded=True, num_channels=None):
    """The tracks with sample rates and lengths from the headers of their files.

    Args:
        rate, channels: required of every file; None: any.
        padded: may the files of a track have different lengths?
        num_channels: of the experiment. If it is above 1, files must have this number or 1; None:
            any number.

    Raises:
        UserError: files that are not as required: it names the first ones and counts the others.
    """
    ready, problems = [], []
    for track in tracks:
        if track.length is not None:
            ready.append(track)
            continue
        try:
            ready.append(_with_length(track, rate, channels, padded, num_channels))
        except UserError as error:
            problems.append(str(error))
    raise_all(problems)
    return ready


def _with_length(track, rate, channels, padded, num_channels):
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
        if num_channels not in (None, 1) and found not in (1, num_channels):
            raise UserError(
                f"{path}: has {found} channels, which cannot become {num_channels}; mix it down, "
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


def check_groups(groups):
    """`groups` without the labels whose value is null; None for None.

    Raises:
        UserError: no label remains, or the value of a label is not a list of names.
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
        problems.append("groups: has no source; remove it if every stem is a source")
    raise_all(problems)
    return groups


def apply_groups(tracks, groups, owner):
    """The tracks with the labels of `groups` in place of their stems.

    A label has the files of all its stems, which is none if the track has none of these stems.

    Args:
        groups: {label: [stems]}, as of `StemDataset`.
        owner: name of the dataset class, for error messages.

    Raises:
        UserError: no track has a stem that is named, or it is named twice.
    """
    existing = sorted({stem for track in tracks for stem in track.stems})
    named = [stem for stems in groups.values() for stem in stems]
    problems = []
    for label, stems in groups.items():
        for stem in stems:
            if stem not in existing and stem != REST:
                problems.append(
                    f"groups.{label}: no stem {stem!r}; {suggestion(stem, existing)}"
                    f"{owner} has {', '.join(existing)}"
                )
            elif named.count(stem) > 1:
                problems.append(f"groups.{label}: the stem {stem!r} is named twice")
    raise_all(problems)
    result = []
    for track in tracks:
        stems = {label: _files(track, names, named) for label, names in groups.items()}
        result.append(dataclasses.replace(track, stems=stems))
    return result


def _files(track, stems, named):
    """The files of these stems of a track, where `REST` stands for the stems not in `named`."""
    files = []
    for stem in stems:
        names = [name for name in track.stems if name not in named] if stem == REST else [stem]
        for name in names:
            files += track.stems.get(name, ())
    return tuple(files)


def check_case(tracks, labels):
    """Raise a UserError if labels differ in case only, which is probably one source."""
    spellings = {}
    for label in labels:
        spellings.setdefault(label.casefold(), []).append(label)
    problems = []
    for names in spellings.values():
        if len(names) > 1:
            where = ", ".join(_first_with(tracks, name) for name in names)
            problems.append(
                f"sources {' and '.join(names)} differ in capital letters only ({where}); rename "
                "the files, or write one source with both under `groups`: "
                f"{names[-1]}: [{', '.join(names)}]"
            )
    raise_all(problems)


def _first_with(tracks, label):
    return next(f"{label} in {track.name}" for track in tracks if track.stems.get(label))


def with_all_labels(tracks, labels, missing):
    """The tracks that have files for all `labels`.

    Args:
        missing: what happens to the others: "error": a UserError names them; "skip": they are
            removed, and a warning counts them; "silence": sources without files are silent.
    """
    incomplete = {}  # {name of the track: problem}
    for track in tracks:
        absent = [label for label in labels if not track.stems.get(label)]
        if absent:
            first = next((files[0] for files in track.stems.values() if files), None)
            incomplete[track.name] = (
                f"{track.name}: no {', '.join(absent)}; add it, or choose missing: skip or silence"
                + (f" (there is {first})" if first else "")
            )
    if missing == "silence":
        result = []
        for track in tracks:
            if track.name in incomplete:
                stems = {label: track.stems.get(label, ()) for label in labels}
                track = dataclasses.replace(track, stems=stems)
            result.append(track)
        return result
    if missing == "error":
        raise_all(incomplete.values())
    if incomplete:
        count = f"{len(incomplete)} of {amount(len(tracks), 'track')}"
        log.warning("left out for lack of stems: %s", count)
    return [track for track in tracks if track.name not in incomplete]
