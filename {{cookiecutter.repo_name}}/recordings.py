"""Finds the recordings to separate, and chooses a folder for the sources of each."""

import fnmatch
import itertools
import logging
from pathlib import Path
from typing import NamedTuple

import audio
from errors import UserError
from files import files_below, is_hidden, printable, read_json

log = logging.getLogger("separate")

RECORD = "separation.json"  # describes a separation, in the folder of the sources
WILDCARDS = "*?["


class Recording(NamedTuple):
    """An audio file that was found.

    Attributes:
        path: of the file.
        relative: its path relative to the folder that was searched; the folder of the sources is
            named after it.
    """

    path: Path
    relative: Path


def find(entry):
    """Find recordings by a file, a folder or a glob pattern.

    A folder stands for all audio files in it and its subfolders. A pattern stands for the audio
    files that match it, or for all files that match it if it ends with a suffix. `**` matches any
    number of folders, and case is ignored. Hidden files and folders, and folders with separated
    sources, are skipped; so are pipes, broken links and audio of formats that cannot be read, with
    a warning.

    Returns:
        [Recording]; None if `entry` is neither an existing path nor a pattern.
    """
    path = Path(entry)
    if path.is_dir():
        return _below(path)
    if path.is_file():
        return [Recording(path, Path(path.name))]
    if not _has_wildcard(str(entry)):
        return None
    parts = path.parts
    # the longest leading part that exists is taken literally, even with brackets in its name
    count = next(n for n in range(len(parts) - 1, -1, -1) if Path(*parts[:n]).is_dir())
    folder, pattern = Path(*parts[:count]), [part.lower() for part in parts[count:]]
    suffix = Path(pattern[-1]).suffix
    any_format = suffix and not _has_wildcard(suffix)
    depth = None if "**" in pattern else len(pattern)

    def is_wanted(file):
        parts = [part.lower() for part in file.relative_to(folder).parts]
        return _matches(parts, pattern)

    return _below(folder, is_wanted, depth, any_format)


def find_all(config):
    """The recordings that `separate.files` of a config names.

    Returns:
        [(audio file, folder for its sources)].

    Raises:
        ConfigError: a path does not exist, or nothing was found.
    """
    found, without_audio, problems = [], [], []
    for number, entry in enumerate(config.separate.files):
        matches = find(entry)
        if matches is None:
            key = f"separate.files[{number}]"
            text = f"there is no file or folder {entry!r}; make it, or name others or a pattern"
            problems.append(config.problem(key, text))
        elif not matches:
            without_audio.append(entry)
        found += matches or []
    if not found and not problems:
        tried = ", ".join(map(repr, config.separate.files))
        text = f"no audio file is found by {tried}; put audio there, or name other files"
        problems.append(config.problem("separate.files", text))
    config.require(problems)
    if without_audio:
        log.warning("separate.files: no audio in %s", ", ".join(map(repr, without_audio)))
    return with_folders(found, Path(config.separate.output_folder))


def with_folders(recordings, output):
    """Choose a folder in `output` for the sources of each recording.

    A recording that was separated before keeps its folder. Any other gets the first free folder of:
    its name without suffix, its name with suffix, and the latter with a number. A folder that
    contains files which are not from a separation is not free.

    Returns:
        [(file, folder)], each file once.
    """
    unique = {}
    for recording in reversed(recordings):
        # overwritten by the first entry that found the file: that one names its folder
        unique[recording.path.absolute()] = recording
    recordings = list(reversed(unique.values()))
    chosen = {}
    for recording in recordings:
        for folder in itertools.islice(_candidates(recording, output), 20):
            if folder not in chosen.values() and _owner(folder) == recording.path.absolute():
                chosen[recording] = folder
                break
    taken = {str(folder).casefold() for folder in chosen.values()}
    for recording in recordings:
        if recording in chosen:
            continue
        for folder in _candidates(recording, output):
            if str(folder).casefold() not in taken and _is_free(folder):
                chosen[recording] = folder
                taken.add(str(folder).casefold())
                break
    return [(recording.path, chosen[recording]) for recording in recordings]


def _candidates(recording, output):
    """Yields the possible folders of a recording, the preferred one first."""
    relative = recording.relative
    stem = relative.stem.lstrip(".") or "unnamed"
    yield output / relative.with_name(stem)
    name = relative.name.lstrip(".")
    yield output / relative.with_name(name)
    for number in itertools.count(2):
        yield output / relative.with_name(f"{name} ({number})")


def _owner(folder):
    """The recording whose sources are in a folder, or None."""
    try:
        return Path(read_json(folder / RECORD)["input"]["path"]).absolute()
    except (UserError, KeyError, TypeError):  # not the record of a separation
        return None


def _is_free(folder):
    """May the sources of a new recording be written to this folder?

    Not if it has files from elsewhere, or the sources of another recording that still exists.
    """
    if (folder / RECORD).exists():
        owner = _owner(folder)
        return owner is None or not owner.exists()
    try:
        files = [path for path in folder.iterdir() if path.is_file()]
    except OSError:  # it does not exist; or it cannot be read, which writing to it will report
        return not folder.is_file()
    return all(is_hidden(path.name) for path in files)


def _below(folder, is_wanted=lambda path: True, depth=None, any_format=False):
    """[Recording] of the wanted files in a folder and its subfolders, except separated sources.

    Args:
        is_wanted: function(path) -> bool.
        depth: search at most this many levels; None: all.
        any_format: whether files with any suffix are recordings.
    """

    def enter(subfolder, names):
        too_deep = depth is not None and len(subfolder.relative_to(folder).parts) >= depth
        return RECORD not in names and not too_deep

    def is_recording(path):
        return is_wanted(path) and (any_format or path.suffix.lower() in audio.SUFFIXES)

    def warn(path):
        if is_recording(path):
            kind = "a broken link" if path.is_symlink() else "a pipe or a device"
            log.warning("%s: skipped, because it is %s", printable(path), kind)

    files = files_below(folder, enter, warn)
    for file in files:
        if file.suffix.lower() in audio.UNSUPPORTED and not is_recording(file) and is_wanted(file):
            log.warning(
                "%s: skipped, because its format cannot be read; convert it to WAV or FLAC",
                printable(file),
            )
    return [Recording(file, file.relative_to(folder)) for file in files if is_recording(file)]


def _has_wildcard(text):
    return any(sign in text for sign in WILDCARDS)


def _matches(parts, pattern):
    """Do the parts of a path match the parts of a glob pattern?"""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        is_last = len(pattern) == 1
        return is_last or any(_matches(parts[n:], pattern[1:]) for n in range(len(parts)))
    if not parts or (parts[0] != pattern[0] and not fnmatch.fnmatchcase(parts[0], pattern[0])):
        return False
    return _matches(parts[1:], pattern[1:])
