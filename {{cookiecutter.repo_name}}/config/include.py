"""`include`: the files that a configuration builds on, merged before anything is checked.

Mappings are merged key by key. Everything else is replaced: by a later file of the list, and in the
end by the file that includes. A `null` there removes an included mapping. Where a file names
another `class`, `builder` or `module`, the included keys that go with it are dropped, as they
belong to the other: `args`, `keys`, a module's `input` and `output`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import ConfigError, closest, found, join_key
from .reader import Document, parent_key, read

KEY = "include"
# keys that exclude each other, with those that go with them: one takes the place of the others
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

    changes: {dotted key: value}, merged as if a file included this one and said so.
    places: {dotted key: (file, line)} of where the changes are written, for messages.
    Raises ConfigError: a file cannot be read as a mapping, is missing, or includes itself.
    """
    whole = _Includes().merged_into(read(path))
    if not changes:
        return whole
    over = Document(whole.file)
    over.places = dict(places or {})
    for key, value in changes.items():
        *parents, last = key.split(".")
        inner = over.data
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return _merged(whole, over)


class _Includes:
    """Follows the key `include` from file to file; each file is read once."""

    def __init__(self) -> None:
        self.done: dict[str, Document] = {}  # by real path, for files that are included twice
        self.open: dict[str, str] = {}  # {real path: path} from the first file down to this one

    def merged_into(self, document: Document) -> Document:
        """A document with what it includes."""
        real = os.path.realpath(document.file)
        self.open[real] = document.file
        whole = Document(document.file)
        for target in self._targets(document):
            included = self.done.get(os.path.realpath(target))
            whole = _merged(whole, included or self.merged_into(read(target)))
        document.data.pop(KEY, None)
        del self.open[real]
        self.done[real] = _merged(whole, document)
        return self.done[real]

    def _targets(self, document: Document) -> list[str]:
        """Paths of the files that a document includes, each checked to be there."""
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
            if wrong := self._refuse(target):
                problems.append(document.problem(key, wrong))
            targets.append(target)
        if problems:
            raise ConfigError([*dict.fromkeys([*document.problems, *problems])])
        return targets

    def _refuse(self, target: str) -> str:
        """What is wrong with a file to include; "" if nothing is."""
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
    """What `over` makes of the `base` that it includes."""
    gone: set[str] = set()

    def stays(key: str) -> bool:
        while key and key not in gone:
            key = parent_key(key)
        return not key

    whole = Document(over.file)
    whole.data = _merge(base.data, over.data, "", gone)
    whole.places = {key: base.places[key] for key in base.places if stays(key)} | over.places
    whole.raw = {key: base.raw[key] for key in base.raw if stays(key)} | over.raw
    whole.bad = {key for key in base.bad if stays(key)} | over.bad
    # a value that could not be read is no problem where another one has taken its place
    kept = [p for p in base.problems if p.key not in base.bad or stays(p.key)]
    whole.problems = [*dict.fromkeys([*over.problems, *kept])]  # once, if a file is included twice
    return whole


def _merge(base: dict[str, Any], over: dict[str, Any], key: str, gone: set[str]) -> dict[str, Any]:
    """Two mappings as one; adds to `gone` the dotted keys whose included value is not used."""
    dropped = _dropped(base, over, key)
    gone.update(join_key(key, name) for name in dropped)
    data = {name: value for name, value in base.items() if name not in dropped}
    for name, value in over.items():
        inner, included = join_key(key, name), data.get(name)
        if isinstance(included, dict) and isinstance(value, dict):
            data[name] = _merge(included, value, inner, gone)
            continue
        if name in data:
            gone.add(inner)
        if isinstance(included, dict) and value is None:
            del data[name]
        else:
            data[name] = value
    return data


def _dropped(base: dict[str, Any], over: dict[str, Any], key: str) -> set[str]:
    """Included keys that what `over` says leaves without a meaning."""
    names: set[str] = set()
    alternatives = ALTERNATIVES.get(key, {})
    for name in ("class", "builder", "module"):
        if name in base and over.get(name, base[name]) != base[name]:
            names |= {"args", "keys", *alternatives.get(name, ())}
    for chosen, other in itertools.permutations(alternatives, 2):
        if over.get(chosen) is not None and base.get(other) is not None:
            names |= {other, *alternatives[other]}
    return names & base.keys()
