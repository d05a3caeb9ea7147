"""The results of a sweep: tables, pictures, and the best values as an experiment to train."""

import contextlib
import io
import json
import statistics
import warnings

import config as configuration
from files import csv_text, write_files

from .study import decoded_value

STATES = {"COMPLETE": "done", "PRUNED": "ended early", "FAIL": "failed"}
STATES |= {"RUNNING": "running", "WAITING": "waiting"}
MANY = 10  # trials, of which the influence of several keys can be seen
TICKS = 8  # up to so many values get a tick each


def runs_of(sweep, study):
    """A row for each trial and seed: {"trial", "seed", the varied keys, the goal, "state",
    "message"}."""
    rows = []
    for trial in study.trials():
        about = trial.user_attrs
        one_value = trial.value if trial.state.name in ("COMPLETE", "PRUNED") else None
        for seed in about["seeds"]:
            value = about.get("values", {}).get(str(seed), one_value)
            shown = {name: _shown(trial, name) for name in sweep.settings.vary}
            rows.append(
                {"trial": about["slot"], "seed": seed, **shown, sweep.settings.goal: value}
                | {"state": STATES[trial.state.name], "message": about.get("message", "")}
            )
    return rows


def table_of(sweep, rows):
    """A row for each combination of values, the best first: {the varied keys, "runs", "mean",
    "low", "high", "not done"}. low and high: Student's 95 % interval of the mean over the runs,
    None of a single run."""
    goal, groups = sweep.settings.goal, {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in sweep.settings.vary), []).append(row)
    table = []
    for values, members in groups.items():
        done = [row[goal] for row in members if row["state"] == "done"]
        low, high = interval(done)
        table.append(
            dict(zip(sweep.settings.vary, values, strict=True))
            | {"runs": len(done), "mean": statistics.fmean(done) if done else None}
            | {"low": low, "high": high, "not done": len(members) - len(done)}
        )
    sign = 1 if sweep.direction == "minimize" else -1
    return sorted(table, key=lambda row: (row["mean"] is None, sign * (row["mean"] or 0.0)))


def interval(values):
    """Student's 95 % interval of the mean; (None, None) of fewer than two values."""
    if len(values) < 2:
        return None, None
    from scipy.special import stdtrit

    mean, count = statistics.fmean(values), len(values)
    half = float(stdtrit(count - 1, 0.975)) * statistics.stdev(values) / count**0.5
    return mean - half, mean + half


def as_text(table, goal, markdown=False):
    """The table for a terminal or a page."""
    names = list(table[0])
    heads = {"mean": f"{goal} (mean)", "low": "95 % from", "high": "to"}
    lines = [[heads.get(name, name) for name in names]] + [
        [_number(row[name]) for name in names] for row in table
    ]
    if markdown:  # a bar in a value would start another column
        lines = [[text.replace("|", r"\|") for text in line] for line in lines]
    widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
    cells = [
        [text.ljust(width) for text, width in zip(line, widths, strict=True)] for line in lines
    ]
    if not markdown:
        return "\n".join("  ".join(line).rstrip() for line in cells)
    cells.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


def write(sweep, study):
    """Write table.csv, table.md, trials.csv, pictures and best.yml into the sweep's folder.

    Returns:
        lines for the terminal.
    """
    rows, goal = runs_of(sweep, study), sweep.settings.goal
    table = table_of(sweep, rows)
    files = {"table.csv": csv_text(table), "table.md": as_text(table, goal, markdown=True) + "\n"}
    files["trials.csv"] = csv_text(rows)
    drawn = pictures(sweep, study, table, rows)
    files |= drawn
    write_files({sweep.folder / name: content for name, content in files.items()})
    lines = [as_text(table, goal)]
    failed = [row for row in rows if row["state"] == "failed"]
    lines += [f"trial {row['trial']} failed: {row['message']}" for row in failed[:3]]
    lines += [f"{len(failed) - 3} more failed: see trials.csv"] if len(failed) > 3 else []
    if table[0]["mean"] is not None:
        lines.append(f"best: {_write_best(sweep, study, table[0])}")
    return [*lines, f"{sweep.folder}: {', '.join(['table.csv', 'table.md', 'trials.csv', *drawn])}"]


def _write_best(sweep, study, best):
    """Write best.yml: the base with the best values, to be trained into a folder of its own.

    best: the first row of `table_of`; its values are text, so that a trial with the same is looked
    for.
    """
    for trial in study.trials():
        shown = {name: _shown(trial, name) for name in sweep.settings.vary}
        if trial.params and all(best[name] == value for name, value in shown.items()):
            values = {name: decoded_value(value) for name, value in trial.params.items()}
            break
    about = {"info.name": f"{sweep.base.info.name}, best of {sweep.config.info.name}"}
    about["info.output_folder"] = str(sweep.folder / "best")
    return configuration.write_resolved(sweep.load(values, **about), sweep.folder / "best.yml")


# ---- pictures ---------------------------------------------------------------------------------


def pictures(sweep, study, table, rows):
    """{file name: PNG}: Optuna's history; parallel coordinates and importances if several keys are
    varied in `MANY` trials; a curve if a single number is."""
    import matplotlib.style

    matplotlib.use("Agg")
    from optuna.visualization import matplotlib as draw

    figures, names = {}, list(sweep.settings.vary)
    wanted = {"history": draw.plot_optimization_history}
    if len(names) > 1 and sum(row["state"] == "done" for row in rows) >= MANY:
        wanted["parallel_coordinates"] = draw.plot_parallel_coordinate
        wanted["importances"] = draw.plot_param_importances
    for name, function in wanted.items():
        # too few trials for it: an error, or warnings of axes without a range
        with contextlib.suppress(ValueError, RuntimeError, IndexError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            axes = function(study.study, target_name=sweep.settings.goal)
            figures[f"{name}.png"] = _png(axes.figure)
    if len(names) == 1 and all(isinstance(row[names[0]], int | float) for row in table):
        with matplotlib.style.context("default"):  # Optuna has set another
            figures["curve.png"] = _png(_curve(names[0], sweep.settings.goal, table, rows))
    return figures


def _curve(name, goal, table, rows):
    """The goal over the key that is varied: runs as dots, their means and intervals."""
    import matplotlib.pyplot as plt

    done = [row for row in rows if row["state"] == "done"]
    means = sorted((r for r in table if r["mean"] is not None), key=lambda row: row[name])
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.plot([r[name] for r in done], [r[goal] for r in done], "o", color="0.6", markersize=4)
    bars = [r for r in means if r["low"] is not None]
    axes.plot([r[name] for r in means], [r["mean"] for r in means], color="C0")
    axes.errorbar(
        [r[name] for r in bars],
        [r["mean"] for r in bars],
        [[r["mean"] - r["low"] for r in bars], [r["high"] - r["mean"] for r in bars]],
        fmt="none",
        color="C0",
        capsize=3,
    )
    places = [row[name] for row in means]
    if places and min(places) > 0 and max(places) >= 10 * min(places):
        axes.set_xscale("log")
    if len(places) <= TICKS:
        axes.set_xticks(places, map(str, places))
        axes.set_xticks([], minor=True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set(xlabel=name, ylabel=goal)
    return figure


def _png(figure):
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, bbox_inches="tight")
    plt.close(figure)
    return buffer.getvalue()


def _shown(trial, name):
    """The value of a trial for a key: a number or text unchanged, anything else as text in the form
    that a file has (null, true, [1, 2])."""
    if name not in trial.params:
        return "not drawn"
    value = decoded_value(trial.params[name])
    plain = isinstance(value, int | float | str) and not isinstance(value, bool)
    return value if plain else json.dumps(value, ensure_ascii=False)


def _number(value):
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
