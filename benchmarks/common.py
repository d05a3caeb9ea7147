"""What all benchmarks share: arguments of the command line, and results with goals."""

import argparse
import json
import operator
import os
from pathlib import Path

from benchmarks import PROJECT

MODEL = PROJECT / "best_model/checkpoints/best.model.pth"
RELATIONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def parser(doc, quick=None):
    """An argument parser with `--json`, and with `--quick` if there is a help text for it.

    Args:
        doc: docstring of the benchmark; its first line is the description.
    """
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    if quick is not None:
        made.add_argument("--quick", action="store_true", help=quick)
    made.add_argument("--json", type=Path, help="also write the results to this file")
    return made


def parse(parser):
    """The arguments, with absolute paths. The project becomes the current folder, because the paths
    in its configs are relative to it."""
    args = parser.parse_args()
    for key, value in vars(args).items():
        if isinstance(value, Path):
            setattr(args, key, value.absolute())
    os.chdir(PROJECT)
    return args


class Results:
    """Results, printed and written as soon as they are added.

    Args:
        path: of the JSON file; None: none is written.

    Attributes:
        rows: what the file holds: [{"name", ...}].
    """

    def __init__(self, path=None):
        self.path, self.rows = path, []
        self._write()  # an error now is better than one after the measurements

    def _write(self):
        if self.path is not None:
            self.path.write_text(json.dumps(self.rows, indent=2) + "\n")

    def add(self, row, text):
        """Add a row of any columns, and print the text."""
        print(text, flush=True)
        self.rows.append(row)
        self._write()

    def compare(self, name, ours, theirs=None, goal=None, ratio=None, **more):
        """Add a measured value.

        Args:
            name: what was measured, with its unit.
            ours: of this project.
            theirs: of the package that it is compared with; None: there is none.
            goal: (relation, bound) of the ratio, or of `ours` if there is nothing to compare it
                with: ("<=", 0.5).
            ratio: of ours to theirs, if it is another than that of the two values (a median of
                ratios).
            more: further columns of the row; those that are None are not printed.
        """
        if ratio is None and theirs is not None:
            ratio = ours / theirs
        texts, holds = [f"{ours:.4g}"], None
        if theirs is not None:
            texts += [f"compared with {theirs:.4g}", f"ratio {ratio:.3g}"]
        texts += [f"{key} {value}" for key, value in more.items() if value is not None]
        if goal is not None:
            relation, bound = goal
            holds = bool(RELATIONS[relation](ours if ratio is None else ratio, bound))
            goal = f"{relation} {bound:g}"
            texts.append(f"goal {goal}: {'reached' if holds else 'MISSED'}")
        row = {"name": name, "ours": rounded(ours), "theirs": rounded(theirs)}
        row |= {"ratio": rounded(ratio), "goal": goal, "holds": holds, **more}
        self.add(row, f"{name}: {', '.join(texts)}")

    def status(self):
        """The exit status: 1 if a goal is missed, otherwise 0."""
        return int(any(row.get("holds") is False for row in self.rows))


def rounded(value):
    """A number with four significant digits; None stays None."""
    return None if value is None else float(f"{value:.4g}")
