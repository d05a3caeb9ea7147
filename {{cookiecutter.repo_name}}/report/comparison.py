"""The files of a comparison of runs: tables, pictures, tests."""

import logging

from evaluation import comparison, format_table, tabulate
from evaluation.scoring import GAIN
from evaluation.table import TITLES, WITHOUT_UNIT, table_lines
from files import csv_text

from .plots import against_input, boxes, learning_curves

log = logging.getLogger("analyze")


def comparison_files(runs, scores):
    """The files of a comparison, {name: content}; logs the tables and the results of the tests.

    Args:
        runs: [comparison.Run] with the same items.
        scores: names of scores that all of them have.
    """
    files = {"items.csv": comparison.frame(runs).to_csv(index=False)}
    for score in scores:
        rows, methods = comparison.table_rows(runs)
        table = tabulate(rows, methods)
        log.info("%s\n", format_table(table, score=score))
        files |= _files_of_score(runs, score, table)
    if curves := {run.name: run.history for run in runs if run.history}:
        files["learning_curves.png"] = learning_curves(curves, comparison.losses_of(runs))
    tests = [
        {"score": score} | test for score in scores for test in comparison.paired_tests(runs, score)
    ]
    if tests:
        files["tests.csv"] = csv_text(tests)
        for test in tests:
            log.info("%s", comparison.sentence(test))
    for warning in comparison.on_other_audio(runs):
        log.warning("%s", warning)
    return files


def _files_of_score(runs, score, table):
    """The tables and plots of one score; the boxes show its improvement, if it has one."""
    flat = [
        {"run": row["method"], "source": row["source"]}
        | {f"{score}_{key}": value for key, value in row[score].items()}
        | {f"improvement_{key}": value for key, value in row.get(score + GAIN, {}).items()}
        for row in table
    ]
    has_gain = score + GAIN in table[0]
    unit = "" if score in WITHOUT_UNIT else ", dB"
    values, pairs = {}, {}
    for run in runs:
        for row in run.rows:
            if row["method"] == run.method:
                name, source, value = run.name, row["source"], row[score]
                if has_gain:
                    gain = row[score + GAIN]
                    pairs.setdefault(name, {}).setdefault(source, []).append((value - gain, value))
                    value = gain
                values.setdefault(name, {}).setdefault(source, []).append(value)
    what = f"{TITLES[score]}{' improvement' if has_gain else ''}{unit}"
    files = {
        f"{score}.csv": csv_text(flat),
        f"{score}.md": format_table(table, markdown=True, score=score) + "\n",
        f"{score}.tex": comparison.latex(table_lines(table, score), 2) + "\n",
        f"{score}_boxes.png": boxes(values, what),
    }
    if has_gain:
        files[f"{score}_against_input.png"] = against_input(pairs, TITLES[score], unit)
    return files
