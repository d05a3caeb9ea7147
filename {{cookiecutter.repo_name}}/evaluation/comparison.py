"""Evaluated runs compared: their scores, and statistical tests of the differences."""

import csv
import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas
import yaml
from scipy.stats import wilcoxon

from config import leaves
from errors import UserError, amount
from files import read_json

from .oracles import ORACLES
from .scoring import ABOUT, GAIN
from .table import scores_in

SMALL = 0.001  # a test says so if so few songs cannot give a p value below this
SAME_DB = 0.01  # mixtures whose SI-SDR differ by more are not the same audio


class Run(NamedTuple):
    """One evaluated experiment.

    name: info.name, made unique. folder: its output folder. method: the algorithm's name in the
    rows. rows: as `score_item` returns them. config: {dotted key: value}. history: the rows of
    history.csv, or []. summary: the content of summary.json, or {}.
    """

    name: str
    folder: Path
    method: str
    rows: list
    config: dict
    history: list
    summary: dict


def read_runs(folders, split):
    """[Run] of output folders that hold an evaluation of `split`; a name that occurs twice gets the
    folder appended.

    Raises:
        UserError: a folder without one, or with damaged files.
    """
    runs = [_read_run(Path(folder), split) for folder in folders]
    names = [run.name for run in runs]
    return [
        run if names.count(run.name) == 1 else run._replace(name=f"{run.name} ({run.folder})")
        for run in runs
    ]


def _read_run(folder, split):
    place = folder / "evaluation" / split
    try:
        config = yaml.safe_load((place / "config.yml").read_text(encoding="utf-8"))
        rows = _rows(place / "scores.csv", needed=("item", "song", "method", "source"))
        name, method = config["info"]["name"], config["algorithm"]["class"]
        scored = any(row["method"] == method for row in rows)
    except (OSError, ValueError, KeyError, TypeError, csv.Error, yaml.YAMLError) as error:
        raise UserError(
            f"{folder}: holds no evaluation of {split!r}, or a damaged one ({place}: {error}); run "
            "python -m scripts.evaluate -p <its config>"
        ) from error
    if not scored:
        raise UserError(f"{place / 'scores.csv'}: has no scores of {method}; evaluate it again")
    summary = place / "summary.json"
    about = read_json(summary) if summary.exists() else {}
    items = len({row["item"] for row in rows})
    if about.get("items", items) != items:
        raise UserError(
            f"{place / 'scores.csv'}: has {amount(items, 'item')}, but {summary.name} beside it "
            f"says {about['items']}; copy both again, or evaluate again"
        )
    history = _history(folder / "history.csv")
    return Run(str(name), folder, method, rows, leaves(config), history, about)


def _history(path):
    """A row an epoch; [] of a run that was not trained here."""
    try:
        rows = _rows(path, needed=("epoch",)) if path.exists() else []
        if any(row["epoch"] is None for row in rows):
            raise ValueError("has rows without an epoch")
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: is damaged ({error}); remove it, or train again") from error
    return rows


def _rows(path, needed=()):
    """The rows of a CSV file, numbers as numbers; an empty cell is None.

    needed: columns that have to be there.

    Raises:
        ValueError: a column is missing, a line has another number of cells than the first, or a
            cell is no number.
    """
    # a spreadsheet that saved it may have begun it with a byte order mark
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader, rows = csv.DictReader(file), []
        if missing := [key for key in needed if key not in (reader.fieldnames or ())]:
            raise ValueError(f"has no {', '.join(missing)}")
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(f"line {reader.line_num} has not as many cells as line 1")
            try:
                rows.append({k: t if k in ABOUT else _number(t) for k, t in row.items()})
            except ValueError as error:
                raise ValueError(f"line {reader.line_num}: {error}") from error
    return rows


def _number(text):
    return float(text) if text else None


def frame(runs, with_config=True):
    """All rows as a pandas DataFrame: `run`, `item`, `song`, `method`, `source`, the scores, and a
    column `config.KEY` for each key of the config whose value differs between the runs (of one run:
    for each key)."""
    tables = []
    keys = list(dict.fromkeys(key for run in runs for key in run.config))
    differ = [
        key for key in keys if len(runs) == 1 or len({str(run.config.get(key)) for run in runs}) > 1
    ]
    for run in runs:
        table = pandas.DataFrame(run.rows)
        table.insert(0, "run", run.name)
        if with_config:
            values = {f"config.{key}": str(run.config.get(key)) for key in differ}
            table = table.assign(**values)
        tables.append(table)
    return pandas.concat(tables, ignore_index=True)


def shared(runs):
    """The runs with only the items that all of them have scored.

    Returns:
        ([Run], number of these items).

    Raises:
        UserError: there is no such item.
    """
    items = set.intersection(*({row["item"] for row in run.rows} for run in runs))
    if not items:
        lines = (", ".join(str(run.folder) for run in group) for group in _groups(runs))
        listed = "\n".join(f"  {line}" for line in lines)
        raise UserError(
            "the runs have no item in common; name those of one line in analyze.runs, which share "
            f"items, or evaluate them on the same data:\n{listed}"
        )
    runs = [run._replace(rows=[row for row in run.rows if row["item"] in items]) for run in runs]
    return runs, len(items)


def _groups(runs):
    """[[run]]: runs that share items with the first of their group, the largest group first."""
    rest, groups = [(run, {row["item"] for row in run.rows}) for run in runs], []
    while rest:
        _, first = rest[0]
        groups.append([run for run, items in rest if items & first])
        rest = [(run, items) for run, items in rest if not items & first]
    return sorted(groups, key=len, reverse=True)


def on_other_audio(runs):
    """Compare the SI-SDR of the mixtures, to find items of the same name but different audio.

    Yields:
        a warning for each run that was evaluated on other audio than the first run.
    """
    first, *others = runs
    expected = _of_mixture(first)
    for run in others:
        found = _of_mixture(run)
        differing = [
            key for key in expected if key in found and abs(expected[key] - found[key]) > SAME_DB
        ]
        if differing:
            item, source = differing[0]
            yield (
                f"{run.name} was evaluated on other audio than {first.name}: the mixture of "
                f"{amount(len({item for item, _ in differing}), 'item')} has another SI-SDR "
                f"({item}, {source}: {found[item, source]:.2f} dB, not "
                f"{expected[item, source]:.2f}); with another sample rate, number of channels, "
                "`groups` or data, scores cannot be compared"
            )


def _of_mixture(run):
    """{(item, source): SI-SDR of the mixture}."""
    return {
        (row["item"], row["source"]): row["si_sdr"]
        for row in run.rows
        if row["method"] == "mixture" and row.get("si_sdr") is not None
    }


def table_rows(runs):
    """Rows of all runs for `tabulate`, each run's method under the run's name, and the names of the
    methods: the first run's mixture and static mask, the runs, the first run's ideal masks. Only
    scores that all of them have are kept."""
    rows = [
        row | {"method": run.name}
        for run in runs
        for row in run.rows
        if row["method"] == run.method
    ]
    methods = dict.fromkeys(row["method"] for row in runs[0].rows)
    before = [name for name in ("mixture", "static mask") if name in methods]
    after = [name for name in methods if name in ORACLES]
    rows += [row for row in runs[0].rows if row["method"] in (*before, *after)]
    keys = [key for key in rows[0] if all(key in row for row in rows)]
    rows = [{key: row[key] for key in keys} for row in rows]
    return rows, [*before, *(run.name for run in runs), *after]


def losses_of(runs):
    """{name of the run: its loss in words}, such as "DeepClusteringLoss + 0.2 L1Loss"."""
    return {run.name: _loss(run.config) for run in runs}


def _loss(config):
    terms = {key.split(".")[2] for key in config if key.startswith("train.loss.")}
    words = []
    for term in sorted(terms):
        weight = config.get(f"train.loss.{term}.weight", 1.0)
        name = str(config.get(f"train.loss.{term}.class", term))
        words.append(name if weight == 1 else f"{weight:g} {name}")
    return " + ".join(words) or "loss"


def paired_tests(runs, score):
    """Does one of two runs score higher on the same songs? A test for every pair and source.

    Wilcoxon's signed-rank test, two-sided, of the means over the items of each song, as items of
    one song are not independent. The p values are corrected for the number of tests by Holm's
    method (Holm, "A simple sequentially rejective multiple test procedure", 1979).

    Returns:
        [{"first", "second", "source", "songs", "difference", "p", "p_corrected", "least_p"}].
        difference: the mean of second - first. p: None without songs, or if all differences are 0.
        least_p: the smallest p that this number of songs can give, 2 / 2^songs.
    """
    tests = []
    for first, second in itertools.combinations(runs, 2):
        for source in sorted({row["source"] for row in first.rows}):
            a, b = (_by_song(run, source, score) for run in (first, second))
            songs = sorted(a.keys() & b.keys())
            difference = np.array([b[song] - a[song] for song in songs])
            p = float(wilcoxon(difference).pvalue) if difference.any() else None
            mean = float(difference.mean()) if songs else None
            tests.append(
                {
                    "first": first.name,
                    "second": second.name,
                    "source": source,
                    "songs": len(songs),
                    "difference": mean,
                    "p": p,
                    "least_p": 2.0 ** (1 - len(songs)) if songs else None,
                }
            )
    # Holm: the smallest p times the number of tests, the next times one less, ..., never falling
    known = sorted((test["p"], i) for i, test in enumerate(tests) if test["p"] is not None)
    corrected = 0.0
    for rank, (p, number) in enumerate(known):
        corrected = max(corrected, min(1.0, p * (len(known) - rank)))
        tests[number]["p_corrected"] = corrected
    return [{"p_corrected": None} | test for test in tests]


def _by_song(run, source, score):
    """{song: mean score} of the run's own method, of items that have both a score and a source."""
    songs = {}
    for row in run.rows:
        value = row.get(score)
        own = (row["method"], row["source"]) == (run.method, source)
        if own and value is not None and np.isfinite(value):
            songs.setdefault(row["song"], []).append(value)
    return {song: sum(values) / len(values) for song, values in songs.items()}


def check_score(runs, score):
    """Raise UserError where a run lacks a score."""
    for run in runs:
        known, plain = scores_in(run.rows), score.removesuffix(GAIN)
        if plain in known and score not in known:
            raise UserError(
                f"analyze.scores: {score} is in the table of {plain}; write {plain} for it"
            )
        if score not in known:
            raise UserError(
                f"{run.folder}: has no score {score!r}, only {', '.join(known)}; add it to "
                "evaluate.metrics and evaluate again, or leave it out of analyze.scores"
            )


def latex(lines, left):
    """Rows of texts, the first the heading, as a LaTeX table (package booktabs).

    left: how many columns are aligned to the left; the others are numbers.
    """
    escape = {sign: "\\" + sign for sign in "&%$#_" + "{" + "}"}
    escape |= {"~": r"\textasciitilde ", "^": r"\textasciicircum ", "\\": r"\textbackslash "}
    escape = str.maketrans(escape)
    head, *body = [" & ".join(cell.translate(escape) for cell in line) + r" \\" for line in lines]
    columns = "l" * left + "r" * (len(lines[0]) - left)
    return "\n".join(
        [
            r"\begin{tabular}" + "{" + columns + "}",
            r"\toprule",
            head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def sentence(test):
    """What a test of `paired_tests` says, with its score, in a sentence."""
    head = f"{test['source']}, {test['score']}: {test['second']} against {test['first']}: "
    if test["difference"] is None:
        return head + "no song has a score in both"
    head += f"{test['difference']:+z.2f} over {amount(test['songs'], 'song')}"
    if test["p"] is None:
        return head + ", no difference at all"
    head += f", p = {test['p']:.2g} (Wilcoxon), {test['p_corrected']:.2g} corrected (Holm)"
    if test["least_p"] > SMALL:
        head += (
            f"; with {amount(test['songs'], 'song')} no p below {test['least_p']:.2g} is possible"
        )
    return head
