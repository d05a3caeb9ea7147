"""Files by the names in their paths: which speaker or piece a file is of, and in which split."""

import logging
import re

from errors import UserError, raise_all

log = logging.getLogger("prepare")

SPLITS = ("train", "val", "test")


def named(source, paths, patterns, usable, missing):
    """{name: [path]} of the files that the patterns find and that are usable, by name.

    Args:
        source: the folder that paths are matched from.
        paths: of files.
        patterns: regular expressions, searched for in each path; the one group is the name.
        usable: function(path): is the file good enough? A UserError leaves it out with a warning.
        missing: what to say if nothing is found.
    """
    found = {}
    for path in paths:
        inner = path.relative_to(source).as_posix()
        match = next(filter(None, (re.search(pattern, inner) for pattern in patterns)), None)
        if match is None:
            continue
        try:
            if usable(path):
                found.setdefault(match[1], []).append(path)
        except UserError as error:  # others are enough
            log.warning("left out: %s", error)
    if not found:
        raise UserError(f"{source}: {missing}")
    return dict(sorted(found.items()))


def of_split(split, found, patterns, kind, owner):
    """{name: ...} of those that belong to a split: to the one whose patterns match the whole name,
    and to train if none does.

    Args:
        patterns: {split: [regular expression]}.
        kind, owner: what the names are of, and which step asks, for messages.
    """
    taken = {
        name: {s for s in patterns if any(re.fullmatch(p, name) for p in patterns[s])}
        for name in found
    }
    raise_all(
        f"{owner}: splits give {name!r} of the {kind} to {' and '.join(sorted(splits))}"
        for name, splits in taken.items()
        if len(splits) > 1
    )
    chosen = {name: found[name] for name in found if (taken[name] or {"train"}) == {split}}
    if found and not chosen:
        raise UserError(f"{owner}: no {kind} are left for {split}; look at `splits`")
    return chosen
