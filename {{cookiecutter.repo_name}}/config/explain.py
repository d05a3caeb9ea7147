"""Translates pydantic's errors into messages for people who write YAML."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Any, Union

from pydantic import BaseModel, ValidationError

from .errors import closest, found, join_key, listed, show
from .include import KEY as INCLUDE
from .reader import Document
from .schema import Config, Signal

LEARNING_RATE = "train.optimizer.args.lr"
FRAMES = "excerpt_frames"
ELSEWHERE = {"lr": LEARNING_RATE, "learning_rate": LEARNING_RATE}
BOUNDS = {  # {pydantic's type of error: (words, key of the bound in its context)}
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def explain(error: ValidationError, document: Document) -> Iterator[tuple[str, str]]:
    """Yields (dotted key, message) of each of pydantic's errors."""
    details = error.errors(include_url=False)
    guessed = set()  # keys that a misspelt one probably means: not reported as missing as well
    for detail in details:
        if detail["type"] == "extra_forbidden":
            *parents, name = detail["loc"]
            if name == FRAMES and "segment" in _fields_at(parents):
                guessed.add(_key([*parents, "segment"]))
                yield _key(detail["loc"]), _segment_advice(detail["input"], document)
                continue
            guess = closest(str(name), [*_fields_at(parents), *([] if parents else [INCLUDE])])
            if guess:
                guessed.add(_key([*parents, guess]))
            yield _key(detail["loc"]), _unknown(parents, str(name), detail["input"], guess)
    for detail in details:
        key = _key(detail["loc"])
        if detail["type"] != "extra_forbidden" and key not in guessed:
            yield key, _sentence(detail, key, document)


def _segment_advice(frames: Any, document: Document) -> str:
    """The message for the former key `excerpt_frames`, a length in STFT frames."""
    values = {name: field.default for name, field in Signal.model_fields.items()}
    values |= document.data.get("signal") or {}
    try:
        seconds = f"{(frames - 1) * values['hop_length'] / values['sample_rate']:.6g}"
    except (TypeError, ZeroDivisionError):  # not numbers, which is reported anyway
        seconds = "4.0"
    return f"there is no such key here; write the length in seconds, segment: {seconds}"


def _unknown(parents: list[str | int], name: str, value: Any, guess: str | None) -> str:
    """The message for a key that the section at `parents` does not have."""
    fields = _fields_at(parents)
    sections = _fields_at([])
    elsewhere = [f"{section}.{name}" for section in sections if name in _fields_at([section])]
    elsewhere += [name] if name in sections else []
    where = "key here" if parents else "section"
    if guess:
        return f"there is no such {where}; did you mean '{guess}'?"
    if name == INCLUDE:
        return "there is no such key here; 'include' stands at the top of a file, for all of it"
    if "args" in fields and parents != ["train"]:  # most keys of `train` are not in its args
        return "there is no such key here; an argument goes in args: " + show({name: value})
    if name in ELSEWHERE or elsewhere:
        return f"there is no such {where}; did you mean '{ELSEWHERE.get(name) or elsewhere[0]}'?"
    return f"there is no such {where}; known are {listed(fields)}"


def _sentence(detail: Any, key: str, document: Document) -> str:
    """The message for one of pydantic's errors about a known key."""
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    *parents, name = detail["loc"]
    field = _fields_at(parents).get(str(name))
    purpose = field.description if field else None
    what = found(value)
    if kind == "plain":  # raised by the schema itself
        return detail["msg"]
    if kind == "missing":
        return f"is missing; add it: {purpose}"
    if kind in {"int_type", "float_type"}:
        noun = "a whole number" if kind == "int_type" else "a number"
        if field is not None and typing.get_origin(field.annotation) in (Union, UnionType):
            noun += " or null"
        advice = document.origin(key) or _number_advice(value)
        if not advice and field is not None and field.default is not None:
            advice = f"; the default is {show(field.default)}"
        return f"must be {noun}, {what}{advice}"
    if kind == "bool_type":
        return f"must be true or false, {what}{document.origin(key)}"
    if kind == "string_type":
        if origin := document.origin(key):
            return f"must be text, {what}{origin}; put the variable in quotes"
        if isinstance(value, int | float):
            return f"must be text, {what}; put it in quotes: '{show(value)}'"
        return f"must be text, {what}" + (f"; write {purpose}" if purpose else "")
    if kind in {"dict_type", "model_type"}:
        if isinstance(value, str) and "class" in _fields_at(detail["loc"]):
            return f"must be a mapping, {what}; write " + show({"class": value})
        if value is None:
            return f"must be a mapping, {what}; write its keys below it, or remove the line"
        return f"must be a mapping, {what}; write its keys below it, one 'key: value' a line"
    if kind == "list_type":
        advice = f"; write [{value}]" if isinstance(value, str | int | float) else ""
        return f"must be a list, {what}" + advice
    if kind == "literal_error":
        choices = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        guess = closest(value, choices) if isinstance(value, str) else None
        advice = f"; did you mean '{guess}'?" if guess else ""
        return f"must be one of {listed(choices)}, {what}" + (document.origin(key) or advice)
    if kind in BOUNDS:
        words, bound = BOUNDS[kind][0], context[BOUNDS[kind][1]]
        return f"must be {words} {bound:.15g}, {what}"
    if kind == "finite_number":
        return f"must be a finite number, {what}"
    if kind in {"string_too_short", "too_short"}:
        return "is empty; " + (f"write {purpose}" if purpose else "fill it in or remove it")
    return f"{detail['msg'][:1].lower()}{detail['msg'][1:]}, {what}"


def _number_advice(value: Any) -> str:
    if isinstance(value, str):
        try:
            return f"; remove the quotes: {float(value):g}"
        except ValueError:
            return ""
    if isinstance(value, float) and value.is_integer():
        return f"; write {value:.0f}"
    return ""


def _key(loc: Iterable[str | int]) -> str:
    key = ""
    for part in loc:
        key = join_key(key, part)
    return key


def _fields_at(loc: Iterable[str | int]) -> dict[str, Any]:
    """{YAML key: field} of the section at this location; {} if it is not a section."""
    kind: Any = Config
    for part in loc:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = _fields(kind).get(str(part))
            kind = field.annotation if field else None
        else:  # dict[str, X] or list[X]
            kind = typing.get_args(kind)[-1] if typing.get_args(kind) else None
        while typing.get_origin(kind) in (Union, UnionType):
            kind = typing.get_args(kind)[0]
    return _fields(kind) if isinstance(kind, type) and issubclass(kind, BaseModel) else {}


def _fields(cls: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in cls.model_fields.items()}
