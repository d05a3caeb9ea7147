"""Writes resolved configurations, the JSON Schema and the tables of the documentation."""

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
    """Write the configuration with all defaults, expanded variables and merged includes.

    Args:
        target: a .yml file, or a folder. In a folder the file is config.yml; if the configuration
            was read from that file or includes it, it is config.resolved.yml instead.

    Returns:
        the path of the file, which is written atomically.
    """
    path = Path(target)
    if path.suffix not in {".yml", ".yaml"}:
        path = path / "config.yml"
        if path.resolve() in config.files:
            path = path.with_name("config.resolved.yml")
    write_files({path: to_yaml(config.to_dict())})
    return path


def write_schema(path: Path = SCHEMA_FILE, docs: Path = DOCS) -> list[Path]:
    """Write the JSON Schema for editors and the tables of keys in the documentation.

    Returns:
        [path] of the written files.
    """
    texts = {path: schema_text(), **pages(docs)}
    write_files(texts)
    return list(texts)
