"""Rules about the steps of a pipeline and the values of a sweep, on plain data as in `check.py`."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .errors import closest, found, listed, show
from .plain import is_below

OF_TRIALS = {  # {key that each trial has a value of its own for: what to do instead}
    "info": "write sweep.seeds: 5 for other seeds",
    "info.seed": "write sweep.seeds: 5",
    "info.output_folder": "write info.output_folder",
    "info.name": "remove it, or vary info.notes",
}
DISTRIBUTIONS = ("uniform", "log_uniform", "int", "log_int", "choice")
EXAMPLE = "write a list of values, or a distribution such as {log_uniform: [1e-4, 1e-2]}"

Messages = Iterator[tuple[str, str]]  # (dotted key, message) of each problem


def check_pipeline(values: dict[str, Any]) -> Messages:
    """Do all steps that others need exist, and is there an order without cycles?"""
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
        changes = step.get("with") if isinstance(step, dict) else None
        changes = changes if isinstance(changes, dict) else {}
        for key in changes:
            if outer := _around(key, changes):
                yield (
                    f"pipeline.steps.{name}.with.{key}",
                    f"is inside '{outer}', which is changed as well; write both in one of them",
                )
            elif key == "include":
                yield (
                    f"pipeline.steps.{name}.with.{key}",
                    "files are included before values are changed; write the keys themselves, or "
                    "a file with that include",
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
        cycle = [*reversed(error.args[1])]
        yield (
            f"pipeline.steps.{cycle[0]}.needs",
            f"{' needs '.join(cycle)}: a cycle; remove one of these",
        )


def _around(key: str, others: Iterable[str]) -> str | None:
    """The one of the dotted keys `others` that `key` is inside, if any."""
    return next((one for one in others if key != one and is_below(key, one)), None)


def keys_of(name: str) -> list[str]:
    """The dotted keys in a key of `sweep.vary`, which vary together: "a, b" -> ["a", "b"]."""
    return [key.strip() for key in name.split(",")]


def is_grid(vary: dict[str, Any]) -> bool:
    """Are all values lists (not distributions), with a finite number of combinations?"""
    return all(isinstance(one, list) for one in vary.values())


def check_sweep(values: dict[str, Any]) -> Messages:
    """Does each key have values, and is the number of trials defined?"""
    vary = values.get("sweep.vary")
    if not isinstance(vary, dict) or not vary:
        return
    seen: dict[str, str] = {}
    for name, choice in sorted(vary.items(), key=lambda item: len(item[0])):
        where = f"sweep.vary.{name}"
        for key in keys_of(name):
            if not key:
                yield where, "a dotted key is empty; write 'first.key, second.key'"
            elif key in seen:
                yield where, f"varies {key}, as '{seen[key]}' does; keep one"
            elif outer := _around(key, seen):
                yield where, f"varies {key}, which is inside '{outer}'; keep one"
            elif key in OF_TRIALS:
                yield where, f"each trial has {key} of its own; {OF_TRIALS[key]}"
            elif key == "include":
                yield (
                    where,
                    "files are included before values vary; vary the keys in which they differ",
                )
            seen[key] = name
        if message := _problem_with(choice, len(keys_of(name))):
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


def _problem_with(choice: Any, num_keys: int) -> str:
    """The problem with a list of values or a distribution of `num_keys` keys; "" if none."""
    if isinstance(choice, dict) and len(choice) == 1:
        ((kind, bounds),) = choice.items()
        if kind == "choice":
            return _problem_with(bounds, num_keys) if isinstance(bounds, list) else EXAMPLE
        if kind not in DISTRIBUTIONS:
            guess = closest(kind, DISTRIBUTIONS)
            advice = f"did you mean '{guess}'?" if guess else f"known are {listed(DISTRIBUTIONS)}"
            return f"there is no distribution '{kind}'; {advice}"
        return _problem_with_bounds(kind, bounds)
    if not isinstance(choice, list):
        return f"{found(choice)}; {EXAMPLE}"
    if not choice:
        return "is an empty list; " + EXAMPLE
    shown = [show(value) for value in choice]
    for text in shown:
        if shown.count(text) > 1:
            return f"holds {text} twice; keep one"
    if num_keys > 1:
        for value in choice:
            if not isinstance(value, list) or len(value) != num_keys:
                return f"ties {num_keys} keys: each value is a list of {num_keys}, {found(value)}"
    return ""


def _problem_with_bounds(kind: str, bounds: Any) -> str:
    is_integer = kind in ("int", "log_int")
    allowed: Any = int if is_integer else (int, float)
    if (
        not isinstance(bounds, list)
        or len(bounds) != 2
        or not all(isinstance(b, allowed) and not isinstance(b, bool) for b in bounds)
    ):
        noun = "two whole numbers" if is_integer else "two numbers"
        return f"{kind} takes {noun}, [min, max], {found(bounds)}"
    least, most = bounds
    if least >= most:
        return f"the range {show(bounds)} is empty; write [min, max]"
    if kind.startswith("log_") and least <= 0:
        return f"{kind} needs numbers above 0, found {show(bounds)}"
    return ""


def no_such_file(path: Path) -> str:
    """The message for an experiment's file that does not exist."""
    guess = closest(path.name, [other.name for other in path.parent.glob("*.yml")])
    advice = f"did you mean '{path.parent / guess}'?" if guess else "a path starts at the project"
    return f"there is no file {path}; {advice}"
