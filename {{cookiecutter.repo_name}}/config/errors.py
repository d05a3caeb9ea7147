"""Problems in a configuration, and the words in which they are reported."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# line ends and control characters, which a key in quotes may contain
UNPRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class Problem:
    """One mistake.

    Attributes:
        file: path of the YAML file.
        line: from 1; 0: it concerns the whole file.
        key: dotted key; "": it concerns no key.
        message: what is wrong, what was found and what is accepted.
    """

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        text = f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"
        return UNPRINTED.sub(lambda found: repr(found[0])[1:-1], text)


class ConfigError(Exception):
    """All problems of a configuration, by file and line; its text has one line for each."""

    def __init__(self, problems: Iterable[Problem]):
        problems = list(problems)
        files = list(dict.fromkeys(problem.file for problem in problems))
        self.problems = sorted(problems, key=lambda one: (files.index(one.file), one.line))
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self):
        return type(self), (self.problems,)


def join_key(parent: str, part: str | int) -> str:
    """`join_key("train", "epochs")` is "train.epochs"; `join_key("files", 0)` is "files[0]"."""
    if isinstance(part, int):
        return f"{parent}[{part}]"
    return f"{parent}.{part}" if parent else part


def show(value: Any, limit: int = 60) -> str:
    """A value in YAML's notation, on one line and cut to `limit` characters."""
    if value is None:
        text = "null"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, dict):
        text = "{" + ", ".join(f"{key}: {show(item)}" for key, item in value.items()) + "}"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(map(show, value)) + "]"
    elif isinstance(value, float) and abs(value) == float("inf"):
        text = ".inf" if value > 0 else "-.inf"
    else:
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def found(value: Any) -> str:
    """The value that was found, with its type in words: "found the text '8'"."""
    if value is None:
        return "found nothing"
    if isinstance(value, bool):
        return f"found {show(value)}"
    kinds = {str: "text", int: "number", float: "number", list: "list", dict: "mapping"}
    return f"found the {kinds.get(type(value), 'value')} {show(value)}"


def closest(name: str, choices: Iterable[str]) -> str | None:
    """The choice that is most similar to `name` (ignoring case); None if none is similar."""
    name = name.lower()
    by_lower = {choice.lower(): choice for choice in choices}
    same = [choice for choice in by_lower if sorted(choice) == sorted(name)]  # letters swapped
    near = same or difflib.get_close_matches(name, by_lower, n=1, cutoff=0.65)
    if not near and len(name) >= 3:  # "hop" for hop_length, "validation" for val
        near = [choice for choice in by_lower if choice.startswith(name)]
        near += [c for c in by_lower if len(c) >= 3 and name.startswith(c) and name[len(c)] != "_"]
    return by_lower[near[0]] if near else None


def listed(names: Iterable[str], limit: int = 40) -> str:
    """The names, separated by commas; after `limit` of them, the number of the others."""
    names = list(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
