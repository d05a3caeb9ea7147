"""The JSON Schema of an experiment, by which editors complete keys and mark mistakes."""

from __future__ import annotations

import json
from typing import Any

from .include import KEY as INCLUDE
from .schema import ABSENT_IF_NONE, Config

Node = dict[str, Any]  # of a JSON Schema
VARIABLE = {"$ref": "#/$defs/Variable"}
INSIDE = {"items", "additionalProperties"}  # keys with the schemas of list items, mapping values
NOT_TEXT = ("integer", "number", "boolean")
PATH = {"type": "string", "minLength": 1}


def json_schema() -> Node:
    """The JSON Schema of an experiment.

    Keys are required in a complete experiment only: not in a file that includes others, or in one
    without `info` that others include. Numbers, booleans and choices may be environment variables.
    """
    schema = Config.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    for cls in ABSENT_IF_NONE:
        _without_null(schema if cls is Config else definitions[cls.__name__])
    graph = ["name", "modules", "connections", "output"]
    kinds = [["builder"], ["module"], graph]
    definitions["Model"]["oneOf"] = [{"required": kind} for kind in kinds]
    clip = [{"required": ["percentile"]}, {"required": ["max_norm"]}]
    definitions["GradientClip"]["oneOf"] = clip
    whole = _requirements(schema, definitions)
    for part in (schema, *definitions.values()):
        part.pop("required", None)
        part.pop("oneOf", None)
        part["properties"] = {name: _variable(field) for name, field in part["properties"].items()}
    definitions["Variable"] = {
        "type": "string",
        "pattern": r"^\$\{.*\}$",
        "description": "an environment variable: ${NAME} or ${NAME:-default}",
    }
    schema["properties"][INCLUDE] = {
        "anyOf": [PATH, {"type": "array", "items": PATH}],
        "description": "files that this one builds on: paths from this file's folder",
    }
    experiment = {"required": ["info"], "not": {"required": [INCLUDE]}}
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {**dialect, **schema, "if": experiment, "then": whole}


def schema_text() -> str:
    """The content of config.schema.json."""
    return json.dumps(json_schema(), indent=2) + "\n"


def _without_null(part: Node) -> None:
    """Remove null from the accepted values of a section's keys."""
    for name, field in part["properties"].items():
        kinds = [kind for kind in field.pop("anyOf", ()) if kind != {"type": "null"}]
        if kinds:
            part["properties"][name] = {**kinds[0], **field}
            part["properties"][name].pop("default", None)


def _requirements(node: Node, definitions: Node) -> Node:
    """The part of a schema that states which keys are required."""
    if "$ref" in node:
        return _requirements(definitions[node["$ref"].rpartition("/")[2]], definitions)
    kept: Node = {key: node[key] for key in ("required", "oneOf") if key in node}
    for kind in node.get("anyOf", ()):
        kept |= _requirements(kind, definitions)
    for key in ("additionalProperties", "items"):
        inner = node.get(key)
        if isinstance(inner, dict) and (required := _requirements(inner, definitions)):
            kept[key] = required
    properties = {}
    for name, field in node.get("properties", {}).items():
        if required := _requirements(field, definitions):
            properties[name] = required
    return {**kept, "properties": properties} if properties else kept


def _variable(field: Node) -> Node:
    """A schema that accepts an environment variable too; text accepts one anyway."""
    for inner in INSIDE:
        if isinstance(field.get(inner), dict):
            field = {**field, inner: _variable(field[inner])}
    if "anyOf" in field:
        kinds = [_variable(kind) if INSIDE & kind.keys() else kind for kind in field["anyOf"]]
        field = {**field, "anyOf": kinds}
    kinds = field.get("anyOf", [field])
    if not any("enum" in kind or kind.get("type") in NOT_TEXT for kind in kinds):
        return field
    about: Node = {key: field[key] for key in ("title", "description", "default") if key in field}
    bare = [{key: kind[key] for key in kind if key not in about} for kind in kinds]
    return {"anyOf": [*bare, VARIABLE], **about}
