"""Compare evaluated runs: python -m scripts.analyze -p experiments/analyze.yml"""

import glob
import logging
from pathlib import Path

from scripts.common import run

log = logging.getLogger("analyze")

SMALL = 0.001  # where the least p that is possible is above this, it is said


def main(config):
    folders = find_runs(config)

    from evaluation import comparison
    from files import csv_text, write_files

    settings = config.analyze
    runs = comparison.read_runs(folders, settings.split)
    for score in settings.scores:
        comparison.check_score(runs, score)
    everything = runs
    runs, items = comparison.shared(runs)
    folder = Path(config.info.output_folder)
    files = {folder / "items.csv": comparison.frame(runs).to_csv(index=False)}
    for score in settings.scores:
        files |= {folder / name: content for name, content in compare(runs, score).items()}
        log.info("")
    curves = {r.name: r.history for r in runs if r.history}
    if curves:
        from report import learning_curves

        losses = comparison.losses_of(runs)
        files[folder / "learning_curves.png"] = learning_curves(curves, losses)
    tests = [t for score in settings.scores for t in tests_of(runs, score)]
    if tests:
        files[folder / "tests.csv"] = csv_text(tests)
        for test in tests:
            log.info("%s", sentence(test))
    write_files(files)
    left = {r.name: len({row["item"] for row in r.rows}) - items for r in everything}
    log.info("\n%d items, scored in every run", items)
    for name, count in left.items():
        if count:
            log.info("left out: %d items of %s that not every run has scored", count, name)
    log.info("%s", folder)


def find_runs(config):
    """The output folders that the config's paths and patterns name."""
    found, problems = [], []
    for number, entry in enumerate(config.analyze.runs):
        folders = [Path(path) for path in sorted(glob.glob(entry))] or [Path(entry)]
        # of a pattern, what was never evaluated is passed over
        place = Path("evaluation") / config.analyze.split / "scores.csv"
        there = [path for path in folders if (path / place).is_file()]
        if not there:
            text = f"{entry!r} holds no {place}; run python -m scripts.evaluate first"
            problems.append(config.problem(f"analyze.runs[{number}]", text))
        found += there
    config.require(problems)
    return list(dict.fromkeys(found))


def compare(runs, score):
    """{file name: content} of one score: tables and pictures. Says the table."""
    from evaluation import comparison, format_table, tabulate
    from evaluation.scoring import GAIN
    from evaluation.table import TITLES, WITHOUT_UNIT, table_lines
    from files import csv_text
    from report import against_input, boxes

    rows, methods = comparison.table_rows(runs)
    table = tabulate(rows, methods)
    log.info("%s", format_table(table, score=score))
    flat = [
        {"run": row["method"], "source": row["source"]}
        | {f"{score}_{key}": value for key, value in row[score].items()}
        | {f"improvement_{key}": value for key, value in row.get(score + GAIN, {}).items()}
        for row in table
    ]
    has_gain = score + GAIN in table[0]
    unit = "" if score in WITHOUT_UNIT else ", dB"
    values, pairs = {}, {}
    for one in runs:
        for row in one.rows:
            if row["method"] == one.method:
                name, source, value = one.name, row["source"], row[score]
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


def tests_of(runs, score):
    from evaluation import comparison

    return [{"score": score} | test for test in comparison.paired_tests(runs, score)]


def sentence(test):
    """A test in words."""
    head = f"{test['source']}, {test['score']}: {test['second']} against {test['first']}: "
    if test["difference"] is None:
        return head + "no song has a score in both"
    head += f"{test['difference']:+.2f} over {test['songs']} songs"
    if test["p"] is None:
        return head + ", no difference at all"
    head += f", p = {test['p']:.2g} (Wilcoxon), {test['p_corrected']:.2g} corrected (Holm)"
    if test["least_p"] > SMALL:
        head += f"; with {test['songs']} songs no p below {test['least_p']:.2g} is possible"
    return head


if __name__ == "__main__":
    run(main, __doc__, needs=("analyze",))
