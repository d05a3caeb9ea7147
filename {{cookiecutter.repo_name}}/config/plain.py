"""Plain data of a configuration, key by key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .errors import join_key


def leaves(value: Any, key: str = "") -> dict[str, Any]:
    """{dotted key: value} of what is no mapping, or an empty one, in nested mappings."""
    if not isinstance(value, dict) or not value:
        return {key: value}
    return {
        name: leaf
        for part, inner in value.items()
        for name, leaf in leaves(inner, f"{key}.{part}".lstrip(".")).items()
    }


def flat(value: Any, key: str = "") -> dict[str, Any]:
    """{dotted key: value} of everything in plain data."""
    values = {key: value}
    items: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        items = enumerate(value)
    for part, item in items:
        values |= flat(item, join_key(key, part))
    return values


def is_below(key: str, section: str) -> bool:
    """Is a dotted key `section` itself, or below it?"""
    return key == section or key.startswith(f"{section}.")
