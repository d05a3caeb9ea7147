"""Sorts files by names in their paths, such as those of speakers, and by split."""

import logging
import re

from errors import UserError, raise_all

log = logging.getLogger("prepare")

SPLITS = ("train", "val", "test")


def files_by_name(source, paths, patterns, is_usable, missing):
    """Group files by the names that regular expressions find in their paths.

    Args:
        source: the folder to which the paths are relative when they are matched.
        paths: of files.
        patterns: regular expressions, searched for in each path; their one group is the name.
        is_usable: function(path) -> bool. If it raises a UserError, the file is skipped with a
            warning.
        missing: the error message if nothing is found.

    Returns:
        {name: [path]}, sorted by name.

    Raises:
        UserError: nothing is found.
    """
    found = {}
    for path in paths:
        name = _name_in(path.relative_to(source).as_posix(), patterns)
        if name is None:
            continue
        try:
            if is_usable(path):
                found.setdefault(name, []).append(path)
        except UserError as error:  # the other files are enough
            log.warning("left out: %s", error)
    if not found:
        raise UserError(f"{source}: {missing}")
    return dict(sorted(found.items()))


def _name_in(text, patterns):
    """The group of the first pattern that is found in a text; None if none is found."""
    for pattern in patterns:
        if match := re.search(pattern, text):
            return match[1]
    return None


def select_split(split, found, patterns, kind, owner):
    """The entries of `found` that belong to a split.

    A name belongs to the split whose patterns match it as a whole, or else to train.

    Args:
        found: {name: anything}.
        patterns: {split: [regular expression]}.
        kind, owner: words for error messages: what the names are of, and the name of the step.

    Raises:
        UserError: a name belongs to two splits, or none belongs to this one.
    """
    chosen, problems = {}, []
    for name in found:
        splits = {s for s in patterns if any(re.fullmatch(p, name) for p in patterns[s])}
        if len(splits) > 1:
            both = " and ".join(sorted(splits))
            problems.append(f"{owner}: splits give {name!r} of the {kind} to {both}")
        elif split in (splits or {"train"}):
            chosen[name] = found[name]
    raise_all(problems)
    if found and not chosen:
        raise UserError(f"{owner}: no {kind} are left for {split}; look at `splits`")
    return chosen
