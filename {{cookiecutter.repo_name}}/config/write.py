"""The resolved configuration, and the JSON Schema, as files."""

from __future__ import annotations

import os
from pathlib import Path

from files import PROJECT, write_files

from .editor import schema_text
from .reader import to_yaml
from .schema import Config
from .tables import pages

DOCS = PROJECT / "docs"
SCHEMA_FILE = PROJECT / "experiments" / "config.schema.json"


def write_resolved(config: Config, target: str | os.PathLike) -> Path:
    """Write the configuration with its defaults filled in and its variables expanded.

    target: a .yml file, or a folder: then it is config.yml in there, or config.resolved.yml if the
    configuration was read from that config.yml or includes it, which is left as its author wrote
    it.
    The file appears whole or not at all. Returns its path.
    """
    path = Path(target)
    if path.suffix not in {".yml", ".yaml"}:
        path = path / "config.yml"
        if path.resolve() in config.files:
            path = path.with_name("config.resolved.yml")
    write_files({path: to_yaml(config.to_dict())})
    return path


def write_schema(path: Path = SCHEMA_FILE, docs: Path = DOCS) -> list[Path]:
    """Write the JSON Schema that editors complete from, and the tables of keys in the
    documentation: the files."""
    texts = {path: schema_text(), **pages(docs)}
    write_files(texts)
    return list(texts)
