"""Output folders of evaluated runs: found by name or pattern."""

import glob
from pathlib import Path


def find_all(config):
    """The output folders that the paths and patterns in `analyze.runs` of a config name.

    Raises:
        ConfigError: one of them has no evaluation of `analyze.split`.
    """
    found, problems = [], []
    for number, entry in enumerate(config.analyze.runs):
        folders = [Path(path) for path in sorted(glob.glob(entry))] or [Path(entry)]
        # folders that match a pattern and were not evaluated are skipped
        place = Path("evaluation") / config.analyze.split / "scores.csv"
        there = [path for path in folders if (path / place).is_file()]
        if not there:
            text = f"{entry!r} holds no {place}; run python -m scripts.evaluate first"
            problems.append(config.problem(f"analyze.runs[{number}]", text))
        found += there
    config.require(problems)
    return list(dict.fromkeys(found))
