"""The key `include`: merges the files that a configuration builds on before anything is checked.

Mappings are merged key by key. Other values replace those of earlier files: the order is that of
the list, and the file with the key `include` comes last. A `null` removes an included mapping.
Where a file names another `class`, `builder` or `module`, the included keys that belong to the
former one are removed: `args`, `keys`, a module's `input` and `output`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import ConfigError, closest, found, join_key
from .plain import flat
from .reader import Document, parent_key, read

KEY = "include"
# {section: {key: keys that belong to it}} of keys that exclude each other: one that is written in
# the including file replaces the included ones
ALTERNATIVES: dict[str, dict[str, tuple[str, ...]]] = {
    "model": {
        "builder": ("args",),
        "module": ("args", "input", "output"),
        "modules": ("name", "connections", "output"),
    },
    "train.gradient_clip": {"percentile": (), "max_norm": ()},
    "datasets.train.augment": {"gain_db": (), "snr_db": ()},
    "visualize": {"seed": (), "item": ()},
}


def read_whole(
    path: str | os.PathLike,
    changes: Mapping[str, Any] | None = None,
    places: Mapping[str, tuple[str, int]] | None = None,
) -> Document:
    """Read a configuration and all that it includes as one document, without the key `include`.

    Args:
        path: of the file.
        changes: {dotted key: value}, merged last, like the content of an including file.
        places: {dotted key: (file, line)} where the changes are written, for messages.

    Raises:
        ConfigError: a file cannot be read as a mapping, is missing, or includes itself.
    """
    whole = _Includes().resolve(read(path))
    if not changes:
        return whole
    over, included = Document(whole.file), flat(whole.data)
    over.places = dict(places or {})
    for key, value in changes.items():
        *parents, last = key.split(".")
        inner, above, place = over.data, "", over.places.get(key, (whole.file, 1))
        for parent in parents:
            inner, above = inner.setdefault(parent, {}), join_key(above, parent)
            if not isinstance(included.get(above), dict):  # it exists because of this change
                over.places.setdefault(above, place)
        inner[last] = value
        for below in flat(value, key):
            over.places.setdefault(below, place)
    changed = _merged(whole, over)
    changed.changes = {key: over.places[key] for key in changes}
    return changed


class _Includes:
    """Follows the key `include` from file to file; each file is read once."""

    def __init__(self) -> None:
        self.done: dict[str, Document] = {}  # {real path: merged document}
        self.open: dict[str, str] = {}  # {real path: path} of the chain of including files

    def resolve(self, document: Document) -> Document:
        """The document merged with all that it includes."""
        real = os.path.realpath(document.file)
        self.open[real] = document.file
        whole = Document(document.file)
        for target in self._targets(document):
            included = self.done.get(os.path.realpath(target))
            whole = _merged(whole, included or self.resolve(read(target)))
        document.data.pop(KEY, None)
        del self.open[real]
        self.done[real] = _merged(whole, document)
        return self.done[real]

    def _targets(self, document: Document) -> list[str]:
        """The paths of the files that a document includes.

        Raises:
            ConfigError: one of them does not exist or would include itself.
        """
        written = document.data.get(KEY, [])
        names = written if isinstance(written, list) else [written]
        problems = [p for p in document.problems if p.key.partition("[")[0] == KEY]
        targets = []
        for index, name in enumerate(names if not problems else ()):
            key = join_key(KEY, index) if names is written else KEY
            if not isinstance(name, str) or not name:
                message = f"must be the path of a file, or a list of such, {found(name)}"
                problems.append(document.problem(key, message))
                continue
            target = os.path.normpath(Path(document.file).parent / name)
            if message := self._problem_with(target):
                problems.append(document.problem(key, message))
            targets.append(target)
        if problems:
            raise ConfigError([*dict.fromkeys([*document.problems, *problems])])
        return targets

    def _problem_with(self, target: str) -> str:
        """The problem with a file to include; "" if there is none."""
        if os.path.realpath(target) in self.open:
            chain = [*self.open.values()]
            chain = chain[[*self.open].index(os.path.realpath(target)) :]
            return f"{' includes '.join([*chain, target])}: a cycle; remove one of these"
        if os.path.isdir(target):
            return f"{target} is a folder; write the path of a .yml file"
        if not os.path.isfile(target):
            folder = Path(target).parent
            near = [path.name for path in folder.glob("*.y*ml")] if folder.is_dir() else []
            guess = closest(Path(target).name, near)
            advice = f"did you mean '{guess}'?" if guess else "a path starts at this file's folder"
            return f"there is no file {target}; {advice}"
        return ""


def _merged(base: Document, over: Document) -> Document:
    """The document `base` with the values of `over`, which includes it."""
    replaced: set[str] = set()

    def is_kept(key: str) -> bool:
        while key and key not in replaced:
            key = parent_key(key)
        return not key

    whole = Document(over.file)
    whole.data = _merge(base.data, over.data, "", replaced)
    whole.places = {key: base.places[key] for key in base.places if is_kept(key)} | over.places
    whole.raw = {key: base.raw[key] for key in base.raw if is_kept(key)} | over.raw
    whole.bad = {key for key in base.bad if is_kept(key)} | over.bad
    # a value that could not be read is not a problem if it is replaced
    kept = [p for p in base.problems if p.key not in base.bad or is_kept(p.key)]
    whole.problems = [*dict.fromkeys([*over.problems, *kept])]  # once, if a file is included twice
    return whole


def _merge(
    base: dict[str, Any], over: dict[str, Any], key: str, replaced: set[str]
) -> dict[str, Any]:
    """The mappings at `key` merged; adds to `replaced` the dotted keys of `base` that are not
    used."""
    dropped = _dropped(base, over, key)
    replaced.update(join_key(key, name) for name in dropped)
    data = {name: value for name, value in base.items() if name not in dropped}
    for name, value in over.items():
        inner, included = join_key(key, name), data.get(name)
        if isinstance(included, dict) and isinstance(value, dict):
            data[name] = _merge(included, value, inner, replaced)
            continue
        if name in data:
            replaced.add(inner)
        if isinstance(included, dict) and value is None:
            del data[name]
        else:
            data[name] = value
    return data


def _dropped(base: dict[str, Any], over: dict[str, Any], key: str) -> set[str]:
    """The keys of `base` that have no meaning with what `over` chooses instead."""
    names: set[str] = set()
    alternatives = ALTERNATIVES.get(key, {})
    for name in ("class", "builder", "module"):
        if name in base and over.get(name, base[name]) != base[name]:
            names |= {"args", "keys", *alternatives.get(name, ())}
    for chosen, other in itertools.permutations(alternatives, 2):
        if over.get(chosen) is not None and base.get(other) is not None:
            names |= {other, *alternatives[other]}
    return names & base.keys()
