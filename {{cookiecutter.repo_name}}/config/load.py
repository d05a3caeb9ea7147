"""Loads a file as a checked Config."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from .check import CHECKS, EXAMPLES
from .errors import ConfigError
from .explain import explain
from .include import read_whole
from .plain import flat
from .reader import Document, parent_key
from .schema import Config


def load(
    path: str | os.PathLike,
    needs: Iterable[str] = (),
    script: str = "",
    changes: Mapping[str, Any] | None = None,
    places: Mapping[str, tuple[str, int]] | None = None,
) -> Config:
    """Read and check an experiment and the files that it includes.

    Args:
        path: of the YAML file.
        needs: dotted keys of the sections that the caller requires ("datasets.train").
        script: the caller's name, for messages about missing sections.
        changes: {dotted key: value}: values that replace those of the file.
        places: {dotted key: (file, line)} where the changes are written, for messages.

    Raises:
        ConfigError: with all problems of the file.
    """
    document = read_whole(path, changes, places)
    found = _Problems(document)
    values = flat(document.data)
    for section in [*Config.model_fields, "datasets.train", "datasets.val", "datasets.test"]:
        if section in values and values[section] is None:  # the schema would ignore it silently
            found.add(section, "is empty; write its keys below it, or remove the line")
    config = None
    try:
        config = Config.model_validate(document.data)
    except ValidationError as error:
        for key, message in explain(error, document):
            found.add(key, message)
    for check in CHECKS:
        for key, message in check(values):
            found.add(key, message)
    for need in needs:
        if values.get(need) is None:
            who = script or "this script"
            example = EXAMPLES.get(need, f"{need.rpartition('.')[2]}: ...")
            found.add(need, f"is missing, {who} needs it; write {example}")
    if config is None or found.problems:
        raise ConfigError(found.problems)
    config._document = document
    return config


class _Problems:
    """Collects problems: at most one for each key, and none below a key that has one."""

    def __init__(self, document: Document):
        self.document = document
        self.problems = list(document.problems)
        self.keys = set(document.bad)

    def add(self, key: str, message: str) -> None:
        above = key
        while above:
            if above in self.keys:
                return
            above = parent_key(above)
        self.keys.add(key)
        self.problems.append(self.document.problem(key, message))
