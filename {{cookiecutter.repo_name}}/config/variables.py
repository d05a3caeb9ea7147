"""Expands environment variables in texts, in the notation of a shell."""

from __future__ import annotations

import os
import re

from .errors import show

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(:-|\})")


def expand(text: str) -> tuple[str, list[str]]:
    """Replace ${NAME} and ${NAME:-default} by values of environment variables, and $$ by $.

    As in a shell, the default also replaces a variable that is set but empty, and may itself
    contain variables.

    Returns:
        (text, [message of each problem]).
    """
    out: list[str] = []
    complaints: list[str] = []
    position = 0
    while (start := text.find("$", position)) >= 0:
        out.append(text[position:start])
        after = text[start + 1 : start + 2]
        match = VARIABLE.match(text, start)
        if after == "$":
            out.append("$")
            position = start + 2
        elif match and match[2] == "}":
            value = os.environ.get(match[1], "")
            if not value:
                state = "empty" if match[1] in os.environ else "not set"
                complaints.append(
                    f"the environment variable {match[1]} is {state}; set it, or write "
                    "${" + match[1] + ":-default}"
                )
            out.append(value)
            position = match.end()
        elif match and (end := _closing_brace(text, match.end())) >= 0:
            value = os.environ.get(match[1], "")
            if not value:
                value, more = expand(text[match.end() : end])
                complaints += more
            out.append(value)
            position = end + 1
        else:
            if re.match(r"[A-Za-z_{]", after):
                complaints.append(
                    f"cannot read the variable in {show(text)}; write "
                    "${NAME} or ${NAME:-default}, or $$ for a plain $"
                )
                return text, complaints
            out.append("$")
            position = start + 1
    return "".join(out) + text[position:], complaints


def is_variable(text: str) -> bool:
    """Does the text consist of exactly one variable?"""
    match = VARIABLE.match(text)
    end = match and (match.end() - 1 if match[2] == "}" else _closing_brace(text, match.end()))
    return end is not None and end == len(text) - 1


def _closing_brace(text: str, start: int) -> int:
    """The index of the brace that closes the variable around `start`; -1 if there is none."""
    depth = 0
    for match in re.finditer(r"\$\{|\}", text[start:]):
        if match[0] == "}" and depth == 0:
            return start + match.start()
        depth += 1 if match[0] != "}" else -1
    return -1
