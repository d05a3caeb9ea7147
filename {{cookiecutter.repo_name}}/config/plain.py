"""Functions for nested plain data and its dotted keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .errors import join_key


def leaves(value: Any, key: str = "") -> dict[str, Any]:
    """{dotted key: value} of the leaves of nested mappings: of what is not a mapping, or empty."""
    if not isinstance(value, dict) or not value:
        return {key: value}
    found: dict[str, Any] = {}
    for part, inner in value.items():
        found |= leaves(inner, f"{key}.{part}".lstrip("."))
    return found


def flat(value: Any, key: str = "") -> dict[str, Any]:
    """{dotted key: value} of all values in nested plain data, mappings and lists included."""
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
