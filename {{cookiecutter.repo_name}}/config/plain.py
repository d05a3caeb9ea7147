"""Plain data of a configuration, key by key."""

from __future__ import annotations

from typing import Any


def leaves(value: Any, key: str = "") -> dict[str, Any]:
    """{dotted key: value} of what is no mapping, or an empty one, in nested mappings."""
    if not isinstance(value, dict) or not value:
        return {key: value}
    return {
        name: leaf
        for part, inner in value.items()
        for name, leaf in leaves(inner, f"{key}.{part}".lstrip(".")).items()
    }
