"""Checks names of classes and their arguments against the classes' signatures."""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import Problem, closest, found, join_key, listed
from .schema import Config

NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
SYNONYMS = {"hop_length": "stride"}  # {argument: what other classes call it}
NOUNS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
NOUNS |= {type(None): "null", Path: "text", list: "a list", dict: "a mapping"}


def check_class(config: Config, key: str, choices: Mapping[str, Any]) -> list[Problem]:
    """Is the name at `key`.class (or at `key`, as in "model.builder") one of the choices?

    Returns:
        [Problem], empty if it is.
    """
    name = config.get(key)
    if not isinstance(name, str):
        key = join_key(key, "class")
        name = config.get(key)
    if name is None or name in choices:
        return []
    guess = closest(name, choices)
    hint = f"did you mean '{guess}'? " if guess else ""
    return [config.problem(key, f"there is no '{name}'; {hint}known are {listed(sorted(choices))}")]


def check_args(
    config: Config,
    key: str,
    callable_: Callable,
    given: Iterable[str] = (),
    optional: Iterable[str] = (),
) -> list[Problem]:
    """Can `callable_` be called with the mapping at `key`.args?

    Args:
        given: arguments that the program supplies; the file must not have them.
        optional: arguments that the program supplies if the file does not have them.

    Returns:
        [Problem], empty if it can.
    """
    args_key = join_key(key, "args")
    args = config.get(args_key) or {}
    given = set(given)
    name = getattr(callable_, "__name__", str(callable_))
    try:
        parameters = inspect.signature(callable_).parameters
    except (TypeError, ValueError):  # some builtins have no signature
        return []
    known = {
        parameter.name: parameter for parameter in parameters.values() if parameter.kind in NAMED
    }
    anything = any(
        parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()
    )
    hints = _hints(callable_)
    free = [argument for argument in known if argument not in given]
    problems = []
    guessed = set()
    for argument, value in args.items():
        place = join_key(args_key, argument)
        if argument in given:
            message = f"'{argument}' of {name} is set by the program; remove it"
            problems.append(config.problem(place, message))
        elif argument not in known:
            if anything:
                continue
            guess = SYNONYMS.get(argument)
            if guess not in free:
                guess = closest(argument, free)
            guessed.add(guess)
            hint = f"did you mean '{guess}'? " if guess else ""
            takes = f"it takes {listed(free)}" if free else "it takes none"
            message = f"{name} has no argument '{argument}'; {hint}{takes}"
            problems.append(config.problem(place, message))
        elif isinstance(value, float) and not math.isfinite(value):
            message = f"must be a finite number, {found(value)}"
            problems.append(config.problem(place, message))
        elif argument in hints and not _fits(value, hints[argument]):
            message = f"must be {_noun(hints[argument])}, {found(value)}"
            message += config._document.origin(place)
            problems.append(config.problem(place, message))
    for argument in free:
        required = known[argument].default is inspect.Parameter.empty
        if required and argument not in {*args, *guessed, *optional}:
            kind = f" ({_noun(hints[argument])})" if _is_clear(hints.get(argument)) else ""
            message = f"{name} needs the argument '{argument}'{kind}; add it"
            problems.append(config.problem(args_key, message))
    return problems


def _hints(callable_: Callable) -> dict[str, Any]:
    """The resolved annotations of the arguments; {} if they cannot be resolved."""
    target = callable_.__init__ if inspect.isclass(callable_) else callable_  # type: ignore[misc]
    try:
        return typing.get_type_hints(target)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return {}


def _members(hint: Any) -> list[Any]:
    """The members of a union type, without those that YAML cannot express (Tensor)."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [part for member in typing.get_args(hint) for part in _members(member)]
    return [] if getattr(hint, "__name__", "") == "Tensor" else [hint]


def _is_clear(hint: Any) -> bool:
    """Does this annotation define which YAML values are valid?"""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if len(_members(hint)) != 1 or _members(hint)[0] is not hint:
        return bool(_members(hint)) and all(map(_is_clear, _members(hint)))
    return (
        hint in NOUNS
        or origin in (typing.Literal, list, tuple, Sequence, dict, Mapping)
        or (origin is Iterable and bool(parts))
    )


def _fits(value: Any, hint: Any) -> bool:
    """Is the value valid for this annotation? True if the annotation does not define it."""
    if not _is_clear(hint):
        return True
    members = _members(hint)
    if len(members) != 1 or members[0] is not hint:
        return any(_fits(value, member) for member in members)
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return any(value == part and type(value) is type(part) for part in parts)
    if hint is dict or origin in (dict, Mapping):
        return isinstance(value, dict)
    if origin is tuple:
        if not isinstance(value, list):
            return False
        if parts and parts[-1] is not Ellipsis:
            return len(value) == len(parts) and all(map(_fits, value, parts))
        return all(_fits(item, parts[0]) for item in value) if parts else True
    if hint is list or origin in (list, Sequence, Iterable):
        return isinstance(value, list) and all(_fits(item, parts[0]) for item in value if parts)
    if isinstance(value, bool) or hint is bool:
        return isinstance(value, bool) and hint is bool
    if hint is float:
        return isinstance(value, int | float)
    return isinstance(value, str if hint is Path else hint)


def _noun(hint: Any) -> str:
    """The accepted values in words, such as "a number or null"."""
    nouns = []
    for member in _members(hint):
        origin, parts = typing.get_origin(member), typing.get_args(member)
        if origin is typing.Literal:
            nouns.append("one of " + listed(map(str, parts)))
        elif origin in (list, Sequence, Iterable, tuple):
            size = f" of {len(parts)}" if origin is tuple and ... not in parts else ""
            each = f" ({_noun(parts[0])} each)" if len(set(parts) - {...}) == 1 else ""
            nouns.append(f"a list{size}{each}")
        else:
            nouns.append(NOUNS.get(dict if origin in (dict, Mapping) else member, "a value"))
    return " or ".join(dict.fromkeys(nouns))
