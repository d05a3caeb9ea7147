"""Rules about the steps of a pipeline and the values of a sweep, on plain data as in `check.py`."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import closest, found, listed, show

DISTRIBUTIONS = ("uniform", "log_uniform", "int", "log_int", "choice")
EXAMPLE = "write a list of values, or a distribution such as {log_uniform: [1e-4, 1e-2]}"

Found = Iterator[tuple[str, str]]  # dotted key, message


def check_pipeline(values: dict[str, Any]) -> Found:
    """Is each step that is needed there, and can they be put in an order?"""
    steps = values.get("pipeline.steps")
    if not isinstance(steps, dict):
        return
    graph = {}
    for name, step in steps.items():
        if "/" in name or name.startswith("."):
            yield (
                f"pipeline.steps.{name}",
                "the step name is also a file name; remove '/' and a leading '.'",
            )
        needs = step.get("needs") if isinstance(step, dict) else None
        graph[name] = [need for need in needs or () if need in steps]
        for index, need in enumerate(needs if isinstance(needs, list) else ()):
            if isinstance(need, str) and need not in steps:
                guess = closest(need, steps)
                advice = f"did you mean '{guess}'?" if guess else f"the steps are {listed(steps)}"
                yield (
                    f"pipeline.steps.{name}.needs[{index}]",
                    f"there is no step '{need}'; {advice}",
                )
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle = [*reversed(error.args[1])]
        yield (
            f"pipeline.steps.{circle[0]}.needs",
            f"{' needs '.join(circle)}: a cycle; remove one of these",
        )


def keys_of(name: str) -> list[str]:
    """The dotted keys that a key of `sweep.vary` ties together: "a, b" is a and b."""
    return [key.strip() for key in name.split(",")]


def is_grid(vary: dict[str, Any]) -> bool:
    """Are there only lists, which have a finite number of combinations?"""
    return all(isinstance(one, list) for one in vary.values())


def check_sweep(values: dict[str, Any]) -> Found:
    """Does each key vary over something, and is it clear how many trials there are?"""
    vary = values.get("sweep.vary")
    if not isinstance(vary, dict) or not vary:
        return
    seen: dict[str, str] = {}
    for name, choice in vary.items():
        where = f"sweep.vary.{name}"
        for key in keys_of(name):
            if not key:
                yield where, "a dotted key is empty; write 'first.key, second.key'"
            elif key in seen:
                yield where, f"varies {key}, as '{seen[key]}' does; keep one"
            elif key in ("info.seed", "info.output_folder"):
                instead = "sweep.seeds: 5" if key == "info.seed" else "info.output_folder"
                yield where, f"each trial has {key} of its own; write {instead}"
            seen[key] = name
        if message := _wrong(choice, len(keys_of(name))):
            yield where, message
    trials, sampler = values.get("sweep.trials"), values.get("sweep.sampler")
    if is_grid(vary) and sampler is None and trials is not None:
        yield (
            "sweep.trials",
            "there are only lists, every combination of which is trained once; remove it, or "
            "write sampler: {class: RandomSampler} to train some of them",
        )
    if trials is None and (sampler is not None or not is_grid(vary)):
        why = "a sampler" if is_grid(vary) else "a distribution"
        yield "sweep.trials", f"is missing, {why} has no end of its own; write trials: 20"


def _wrong(choice: Any, tied: int) -> str:
    """What is wrong with a list of values or a distribution; "" if nothing is."""
    if isinstance(choice, dict) and len(choice) == 1:
        ((kind, bounds),) = choice.items()
        if kind == "choice":
            return _wrong(bounds, tied) if isinstance(bounds, list) else EXAMPLE
        if kind not in DISTRIBUTIONS:
            guess = closest(kind, DISTRIBUTIONS)
            advice = f"did you mean '{guess}'?" if guess else f"known are {listed(DISTRIBUTIONS)}"
            return f"there is no distribution '{kind}'; {advice}"
        return _wrong_bounds(kind, bounds)
    if not isinstance(choice, list):
        return f"{found(choice)}; {EXAMPLE}"
    if not choice:
        return "is an empty list; " + EXAMPLE
    shown = [show(value) for value in choice]
    if twice := [one for one in dict.fromkeys(shown) if shown.count(one) > 1]:
        return f"holds {twice[0]} twice; keep one"
    if tied > 1:
        for value in choice:
            if not isinstance(value, list) or len(value) != tied:
                return f"ties {tied} keys: each value is a list of {tied}, {found(value)}"
    return ""


def _wrong_bounds(kind: str, bounds: Any) -> str:
    whole = kind in ("int", "log_int")
    allowed: Any = int if whole else (int, float)
    if (
        not isinstance(bounds, list)
        or len(bounds) != 2
        or not all(isinstance(b, allowed) and not isinstance(b, bool) for b in bounds)
    ):
        noun = "two whole numbers" if whole else "two numbers"
        return f"{kind} takes {noun}, [min, max], {found(bounds)}"
    least, most = bounds
    if least >= most:
        return f"the range {show(bounds)} is empty; write [min, max]"
    if kind.startswith("log_") and least <= 0:
        return f"{kind} needs numbers above 0, found {show(bounds)}"
    return ""


def no_such_file(path: Path) -> str:
    """What to say of an experiment's file that is not there."""
    guess = closest(path.name, [other.name for other in path.parent.glob("*.yml")])
    advice = f"did you mean '{path.parent / guess}'?" if guess else "a path starts at the project"
    return f"there is no file {path}; {advice}"
