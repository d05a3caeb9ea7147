"""Lists folders: sorted, without hidden files, and with an error for cyclic links."""

import logging
import os
import re
import unicodedata
from difflib import get_close_matches
from pathlib import Path

import audio
from errors import UserError
from files import files_below, is_hidden, printable

log = logging.getLogger("dataset")


def folders(folder):
    """The subfolders of `folder`, sorted by name, without hidden ones.

    Raises:
        UserError: a symbolic link is broken, or leads to a folder that contains it.
    """
    return [path for path in _entries(folder) if path.is_dir()]


def audio_files(folder):
    """{name without suffix: path} of the audio files in `folder`, sorted by name.

    Names are normalized, see `normalized`.

    Raises:
        UserError: two files have the same name (a.wav and a.flac); a symbolic link is broken.
    """
    found = {}
    for path in _entries(folder):
        if path.suffix.lower() not in audio.SUFFIXES or not path.is_file():
            continue
        name = normalized(path.stem)
        if name in found:
            raise UserError(
                f"{path}: has the same name ({name!r}) as {found[name].name}; remove one of them"
            )
        found[name] = path
    return found


def audio_files_below(folder, depth=20):
    """The audio files in `folder`, then those in its subfolders, at most `depth` levels down."""
    found = [p for p in _entries(folder) if p.suffix.lower() in audio.SUFFIXES and p.is_file()]
    if depth > 0:
        for subfolder in folders(folder):
            found += audio_files_below(subfolder, depth - 1)
    return found


def warn_of_unused(place, used, expected):
    """Warn of audio in a folder and its subfolders that is not used, and of subfolders without any.

    Args:
        used: the paths of the files that are used.
        expected: what is read, for the message.
    """
    if not Path(place).is_dir():
        return
    suffixes = audio.SUFFIXES + audio.UNSUPPORTED
    rest = {path for path in files_below(place) if path.suffix.lower() in suffixes} - set(used)
    warn_of_files(place, rest, expected)
    filled = {parent for path in (*used, *rest) for parent in path.parents}
    for folder in folders(place):
        if folder not in filled:
            log.warning("%s: is not used, as it holds no audio files", folder)


def warn_of_files(place, paths, expected):
    """Warn that audio files in a folder are not used, if there are any; `expected`: what is."""
    if paths:
        log.warning(
            "%s: %s not used, %s for one; expected: %s",
            place,
            "1 audio file is" if len(paths) == 1 else f"{len(paths)} audio files are",
            min(paths),
            expected,
        )


def normalized(name):
    """A file's name in Unicode's composed form (NFC), with bytes that are not UTF-8 escaped.

    macOS decomposes names: without this, a name written there would differ from the same name
    written elsewhere.
    """
    return unicodedata.normalize("NFC", printable(name))


def compile_pattern(key, text, example):
    """Compile a regular expression with one group, which finds a name; None for None.

    Args:
        key: the argument that it comes from, for error messages.
        text: the regular expression, or None.
        example: a valid one, for error messages.

    Raises:
        UserError: it is not a regular expression, or does not have exactly one group.
    """
    if text is None:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UserError(f"{key}: {text!r} is not a regular expression ({error})") from error
    if pattern.groups != 1:
        raise UserError(
            f"{key}: {text!r} has {pattern.groups} groups; put one pair of brackets around the "
            f"name of the {key}, for example '{example}'"
        )
    return pattern


def suggestion(name, choices):
    """Text for an error message: "did you mean 'x'? ", or "" if no choice is similar to `name`."""
    guess = get_close_matches(str(name), list(map(str, choices)), n=1)
    return f"did you mean {guess[0]!r}? " if guess else ""


def no_stems(place, stems):
    """The error message for a track's folder that has none of the stems."""
    return (
        f"{place}: has none of {', '.join(stems)} (.wav), in small letters; found "
        f"{describe_contents(place)}; get it again, or remove the folder"
    )


def describe_contents(folder, limit=6):
    """The contents of a folder in words, for an error message."""
    folder = Path(folder)
    if not folder.exists():
        parent = next(path for path in folder.absolute().parents if path.exists())
        guess = suggestion(folder.absolute().relative_to(parent).parts[0], os.listdir(parent))
        return f"no such folder; its nearest existing parent is {parent}; {guess}".strip("; ")
    if not folder.is_dir():
        return "a file in place of the folder"
    names = sorted(name for name in os.listdir(folder) if not is_hidden(name))
    if not names:
        return "an empty folder"
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def nearby_folders(folder):
    """Yields folders that may be meant instead of `folder`: two parents, then two levels below."""
    folder = Path(folder).absolute()
    yield from [path for path in folder.parents[:2] if path.is_dir()]
    subfolders = folders(folder)[:50] if folder.is_dir() else []
    yield from subfolders
    for path in subfolders:
        yield from folders(path)[:50]


def _entries(folder):
    """[Path] of all entries that are not hidden, sorted; [] if there is no such folder."""
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
            f"{path}: a symbolic link to {target}, a folder that contains it; remove the link, "
            "which would be followed forever"
        )
