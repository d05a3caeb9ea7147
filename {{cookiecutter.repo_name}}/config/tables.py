"""Writes the tables of keys in the documentation (`python -m config --schema`).

A page marks the place of a table by the name of the section's class::

    <!-- keys of Evaluate -->
    <!-- end of the keys -->
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .fields import Section
from .schema import ABSENT_IF_NONE, Config

Node = dict[str, Any]  # of a JSON Schema
TABLE = re.compile(r"(<!-- keys of (\w+) -->\n).*?(<!-- end of the keys -->)", re.S)
HEAD = "| key | type | default | meaning |\n|---|---|---|---|\n"
SEED = (0, 2**32 - 1)
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
NAMES = {"string": "text", "boolean": "`true`, `false`", "integer": "whole number"}
PLURALS = {"text": "texts", "mapping": "mappings", "list": "lists"}
# sections whose keys are not repeated in the table of the section that contains them
APART = ("Launcher", "Augment", "Component")
EMPTY = '""'
# parts of descriptions to be formatted as code: braces, addresses, paths, dotted names, names with
# underscores, null
CODE = re.compile(
    r"\*\.[\w.]+\w|\{(?:[^{}]|\{[^{}]*\})*\}|\S+://[^\s;,]+|\b[A-Za-z]\w*(?:[._/][\w*]+)+\b|\b[a-z]+/(?!\w)"
    r"|\b[a-z]+_\w+|\bnull\b"
)


def with_tables(text: str) -> str:
    """The text of a page with its tables updated.

    Raises:
        KeyError: there is no such section.
    """
    return TABLE.sub(lambda found: found[1] + table(found[2]) + found[3], text)


def pages(folder: Path) -> dict[Path, str]:
    """{path: text with updated tables} of all pages in `folder` that have tables."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.md"))}
    return {path: with_tables(text) for path, text in texts.items() if TABLE.search(text)}


def table(section: str) -> str:
    """A Markdown table of the keys of a section and of the sections in it."""
    definitions = Config.model_json_schema(by_alias=True)["$defs"]
    return HEAD + "".join(_rows(section, "", definitions))


def _rows(section: str, start: str, definitions: Node) -> Iterator[str]:
    kind = _classes(Section)[section]
    for name, field in definitions[section]["properties"].items():
        required = name in definitions[section].get("required", ())
        default = "required" if required else _default(kind, name)
        cells = (f"`{start}{name}`", _type(field), default, _meaning(field))
        yield f"| {' | '.join(cells)} |\n"
        for inner, between in _sections_in(field):
            if inner not in APART:
                yield from _rows(inner, f"{start}{name}{between}.", definitions)


def _classes(root: type[Section]) -> dict[str, type[Section]]:
    """{name: class} of a class and all its subclasses."""
    found = {root.__name__: root}
    for cls in root.__subclasses__():
        found |= _classes(cls)
    return found


def _sections_in(field: Node) -> Iterator[tuple[str, str]]:
    """Yields (name of a section in a key's value, text between the two in a dotted key)."""
    for kind in field.get("anyOf", [field]):
        inner = kind.get("additionalProperties")
        for node, between in ((kind, ""), (kind.get("items"), "[]"), (inner, ".NAME")):
            if isinstance(node, dict) and "$ref" in node:
                yield node["$ref"].rpartition("/")[2], between


def _type(field: Node) -> str:
    """The accepted values, in words."""
    kinds = [one for kind in field.get("anyOf", [field]) for one in kind.get("anyOf", [kind])]
    kinds = [kind for kind in kinds if kind.get("type") != "null"]
    return " or ".join(dict.fromkeys(map(_one_type, kinds)))


def _one_type(kind: Node) -> str:
    if "enum" in kind:
        return ", ".join(f"`{one}`" for one in kind["enum"])
    if kind.get("type") == "array":
        if kind.get("maxItems") == 2:
            return "`[min, max]`" + _limits(kind["items"])
        inner = _one_type(kind["items"])
        return "list" if kind["items"] == {} else f"list of {PLURALS.get(inner, inner)}"
    if kind.get("$ref", "").endswith("/Component"):
        return "`{class, args}`"
    if kind.get("type") in (None, "object"):
        return "mapping"
    return str(NAMES.get(kind["type"], kind["type"])) + _limits(kind)


def _limits(kind: Node) -> str:
    if (kind.get("minimum"), kind.get("maximum")) == SEED:
        return ", 0 to 2³²-1"
    found = [f"{sign} {kind[key]:g}" for key, sign in LIMITS.items() if key in kind]
    return " " + ", ".join(found) if found else ""


def _default(section: type[Section], name: str) -> str:
    fields = section.model_fields
    field = next(one for key, one in fields.items() if name in (key, one.alias))
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return "" if issubclass(section, ABSENT_IF_NONE) else "`null`"
    if isinstance(value, Section):
        value = value.model_dump(by_alias=True, exclude_none=True)
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text.replace(chr(34), '') if text != EMPTY else EMPTY}`"


def _meaning(field: Node) -> str:
    """The description, with code formatted as code."""
    return CODE.sub(r"`\g<0>`", field.get("description", "")).replace("|", "\\|")
