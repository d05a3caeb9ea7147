"""Checks the arguments of preparation steps before anything is downloaded or written."""

import math
import re

import audio
from errors import UserError, raise_all


def check_rate(step, sample_rate, alternative=""):
    """Raise a UserError if a step's `sample_rate` is neither None nor a rate of audio."""
    lowest, highest = audio.RATES
    if sample_rate is not None and not lowest <= sample_rate <= highest:
        raise UserError(
            f"{step}: sample_rate is {sample_rate}; write {lowest} to {highest} (in Hz)"
            f"{alternative}"
        )


def check_numbers(step, least, values, most=math.inf):
    """Raise a UserError if one of `values`, {argument: number}, is out of the range."""
    raise_all(
        f"{step}: {key} is {value}; write at least {least:g}"
        + (f", at most {most:g}" if most < math.inf else "")
        for key, value in values.items()
        if not least <= value <= most
    )


def check_range(step, key, values):
    """Raise a UserError if `values` are not [min, max]."""
    is_pair = isinstance(values, list) and len(values) == 2
    if not is_pair or not values[0] <= values[1]:
        raise UserError(f"{step}: {key} is {values}; write [min, max]")


def check_patterns(step, patterns, num_groups=None):
    """Raise a UserError if something is not a list of regular expressions.

    Args:
        patterns: {argument: list}.
        num_groups: of each expression; None: any number.
    """
    problems = []
    for key, expressions in patterns.items():
        if not isinstance(expressions, list):
            problems.append(
                f"{step}: {key} is {expressions!r}; write a list: [{_in_list(expressions)}]"
            )
            continue
        for text in expressions:
            try:
                found = re.compile(text).groups
            except (re.error, TypeError) as error:
                problems.append(f"{step}: {key}: {text!r} is not a regular expression ({error})")
                continue
            if num_groups not in (None, found):
                problems.append(
                    f"{step}: {key}: {text!r} has {found} groups; put one pair of brackets around "
                    "the name"
                )
    raise_all(problems)


def _in_list(value):
    return repr(value) if isinstance(value, str) else "..."
