"""Recordings to separate: found by name, folder or pattern, and a folder for each one's sources."""

import fnmatch
import itertools
import logging
from pathlib import Path
from typing import NamedTuple

import audio
from errors import UserError
from files import files_below, is_hidden, read_json, readable

log = logging.getLogger("separate")

RECORD = "separation.json"  # beside the sources of a recording
SIGNS = "*?["


class Recording(NamedTuple):
    """A file, and what its folder is called after: its path below the folder that was named."""

    path: Path
    inner: Path


def find(entry):
    """[Recording] of a file, a folder or a pattern; None: it is none of them.

    Of a folder all audio files in it are taken; of a pattern the audio files that it fits, or all
    that it fits where it names an ending. `**` matches any number of folders; small and capital
    letters are the same. Hidden files and folders, and folders with separated sources, are skipped;
    pipes and links that lead nowhere too, with a warning.
    """
    path = Path(entry)
    if path.is_dir():
        return _below(path, _is_audio)
    if path.is_file():
        return [Recording(path, Path(path.name))]
    if not any(sign in str(entry) for sign in SIGNS):
        return None
    parts = path.parts
    # an existing folder is taken literally, even with brackets in its name
    fixed = next(n for n in range(len(parts) - 1, -1, -1) if Path(*parts[:n]).is_dir())
    place, pattern = Path(*parts[:fixed]), [part.lower() for part in parts[fixed:]]
    ending = Path(pattern[-1]).suffix
    named = ending and not any(sign in ending for sign in SIGNS)
    depth = None if "**" in pattern else len(pattern)

    def fits(file):
        parts = [part.lower() for part in file.relative_to(place).parts]
        return (named or _is_audio(file)) and _fits(parts, pattern)

    return _below(place, fits, depth)


def find_all(config):
    """[(audio file, folder for its sources)] of the paths, folders and patterns in the config.

    Raises:
        ConfigError: a path is no file, or nothing was found.
    """
    found, nothing, problems = [], [], []
    for number, entry in enumerate(config.separate.files):
        some = find(entry)
        if some is None:
            key = f"separate.files[{number}]"
            text = f"there is no file or folder {entry!r}; make it, or name others or a pattern"
            problems.append(config.problem(key, text))
        elif not some:
            nothing.append(entry)
        found += some or []
    if not found and not problems:
        tried = ", ".join(map(repr, config.separate.files))
        text = f"no audio file is found by {tried}; put audio there, or name other files"
        problems.append(config.problem("separate.files", text))
    config.require(problems)
    if nothing:
        log.warning("separate.files: no audio in %s", ", ".join(map(repr, nothing)))
    return with_folders(found, Path(config.separate.output_folder))


def with_folders(recordings, output):
    """[(file, folder for its sources)], each file once.

    A recording that was separated before keeps its folder. Another one gets the first that is free
    of: its name without ending, with it, and that with a number. A folder with files that are not
    from here is not free.
    """
    recordings = list({found.path.absolute(): found for found in reversed(recordings)}.values())
    recordings.reverse()
    owners = {}
    for recording in recordings:
        for folder in itertools.islice(_names(recording, output), 20):
            if folder not in owners.values() and _owner(folder) == recording.path.absolute():
                owners[recording] = folder
                break
    taken = {str(folder).casefold() for folder in owners.values()}
    for recording in recordings:
        if recording in owners:
            continue
        for folder in _names(recording, output):
            if str(folder).casefold() not in taken and _is_free(folder):
                owners[recording] = folder
                taken.add(str(folder).casefold())
                break
    return [(recording.path, owners[recording]) for recording in recordings]


def _names(recording, output):
    """The folders that a recording may have, the best one first."""
    inner = recording.inner
    stem = inner.stem.lstrip(".") or "unnamed"
    yield output / inner.with_name(stem)
    name = inner.name.lstrip(".")
    yield output / inner.with_name(name)
    for number in itertools.count(2):
        yield output / inner.with_name(f"{name} ({number})")


def _owner(folder):
    """The file whose sources are in a folder, or None."""
    try:
        return Path(read_json(folder / RECORD)["input"]["path"]).absolute()
    except (UserError, KeyError, TypeError):  # none of ours
        return None


def _is_free(folder):
    """May the sources of another recording come there? Not into a folder with files of somebody
    else, nor beside the sources of a recording that is still there."""
    if (folder / RECORD).exists():
        owner = _owner(folder)
        return owner is None or not owner.exists()
    try:
        files = [path for path in folder.iterdir() if path.is_file()]
    except OSError:  # it is not there, or writing to it will say what is wrong
        return not folder.is_file()
    return all(is_hidden(path.name) for path in files)


def _below(place, wanted, depth=None):
    """[Recording] of the wanted files below a folder, at most `depth` parts down, but for separated
    sources. What is called like one and is no file is mentioned."""

    def entered(folder, names):
        deep = depth is not None and len(folder.relative_to(place).parts) >= depth
        return RECORD not in names and not deep

    def left_out(path):
        if wanted(path):
            what = "a link that leads nowhere" if path.is_symlink() else "a pipe or a device"
            log.warning("%s: is no file but %s; left out", readable(path), what)

    files = files_below(place, entered, left_out)
    return [Recording(file, file.relative_to(place)) for file in files if wanted(file)]


def _is_audio(file):
    return file.suffix.lower() in audio.SUFFIXES


def _fits(parts, pattern):
    """Does a path fit a pattern, part by part?"""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        last = len(pattern) == 1
        return last or any(_fits(parts[n:], pattern[1:]) for n in range(len(parts)))
    if not parts or (parts[0] != pattern[0] and not fnmatch.fnmatchcase(parts[0], pattern[0])):
        return False
    return _fits(parts[1:], pattern[1:])
