"""The contents of a folder: sorted, without hidden files, and without endless loops."""

import os
import re
import unicodedata
from difflib import get_close_matches
from pathlib import Path

import audio
from errors import UserError
from files import is_hidden, printable


def folders(folder):
    """The folders in `folder`, sorted by name; hidden ones are ignored.

    Raises:
        UserError: a symbolic link is broken, or leads to a folder that holds it.
    """
    return [path for path in _entries(folder) if path.is_dir()]


def audio_files(folder):
    """{name without ending: path} of the audio files in `folder`, sorted by name.

    Names are in one Unicode form (NFC), so that a name that a Mac wrote and the same name written
    elsewhere are the same.

    Raises:
        UserError: two files of one name (a.wav and a.flac); a broken symbolic link.
    """
    found = {}
    for path in _entries(folder):
        if path.suffix.lower() not in audio.SUFFIXES or not path.is_file():
            continue
        name = plain(path.stem)
        if name in found:
            raise UserError(
                f"{path}: is beside {found[name].name}, and both are called {name!r}; "
                "remove one of them"
            )
        found[name] = path
    return found


def audio_files_below(folder, depth=20):
    """All audio files in `folder` and in the folders below it, sorted, at most `depth` down."""
    found = [p for p in _entries(folder) if p.suffix.lower() in audio.SUFFIXES and p.is_file()]
    for inner in folders(folder) if depth else ():
        found += audio_files_below(inner, depth - 1)
    return found


def plain(name):
    """A file's name in Unicode's composed form, and one that can be written."""
    return unicodedata.normalize("NFC", printable(name))


def pattern_of(key, text, example):
    """The regular expression in an argument `key`, whose one group is a name; None for None.

    Args:
        example: one that does, for the message.

    Raises:
        UserError: it is no regular expression, or has not just one group.
    """
    if text is None:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UserError(f"{key}: {text!r} is no regular expression ({error})") from error
    if pattern.groups != 1:
        raise UserError(
            f"{key}: {text!r} has {pattern.groups} groups; write one pair of brackets around what "
            f"names the {key}, '{example}' for instance"
        )
    return pattern


def did_you_mean(name, choices):
    """ "did you mean 'x'? " or nothing."""
    guess = get_close_matches(str(name), list(map(str, choices)), n=1)
    return f"did you mean {guess[0]!r}? " if guess else ""


def found_in(folder, most=6):
    """What to say that was found in a folder."""
    folder = Path(folder)
    if not folder.exists():
        above = next(path for path in folder.absolute().parents if path.exists())
        guess = did_you_mean(folder.absolute().relative_to(above).parts[0], os.listdir(above))
        return f"no such folder; its nearest existing parent is {above}; {guess}".strip("; ")
    if not folder.is_dir():
        return "a file in place of the folder"
    names = sorted(name for name in os.listdir(folder) if not is_hidden(name))
    if not names:
        return "an empty folder"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def around(folder):
    """Folders near `folder` that may be the one that was meant: its parents, then those in it."""
    folder = Path(folder).absolute()
    yield from [path for path in folder.parents[:2] if path.is_dir()]
    inner = folders(folder)[:50] if folder.is_dir() else []
    yield from inner
    for path in inner:
        yield from folders(path)[:50]


def _entries(folder):
    folder = Path(folder)
    if not folder.is_dir():
        return []
    paths = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_hidden(entry.name):
                continue
            path = folder / entry.name
            if entry.is_symlink():
                _check_link(path)
            paths.append(path)
    return sorted(paths)


def _check_link(path):
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"{path}: a broken symbolic link ({os.readlink(path)}); repair or remove it"
        ) from error
    if target.is_dir() and path.parent.resolve().is_relative_to(target):
        raise UserError(
            f"{path}: a symbolic link to {target}, a folder that holds it; it would be "
            "followed forever: remove it"
        )
