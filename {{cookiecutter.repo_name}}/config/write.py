"""The resolved configuration, and the JSON Schema, as files."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .reader import to_yaml
from .schema import Config, json_schema

SCHEMA_FILE = Path(__file__).parents[1] / "experiments" / "config.schema.json"


def write_resolved(config: Config, target: str | os.PathLike) -> Path:
    """Write the configuration with its defaults filled in and its variables expanded.

    target: a .yml file, or a folder: then it is config.yml in there, or config.resolved.yml if the
    configuration itself was read from that config.yml, which is left as its author wrote it.
    The file appears whole or not at all. Returns its path.
    """
    path = Path(target)
    if path.suffix not in {".yml", ".yaml"}:
        path = path / "config.yml"
        if path.resolve() == config.path.resolve():
            path = path.with_name("config.resolved.yml")
    return _replace(path, to_yaml(config.to_dict()))


def write_schema(path: Path = SCHEMA_FILE) -> Path:
    """Write the JSON Schema that editors complete from."""
    return _replace(path, schema_text())


def schema_text() -> str:
    """What config.schema.json should hold."""
    return json.dumps(json_schema(), indent=2) + "\n"


def _replace(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path
