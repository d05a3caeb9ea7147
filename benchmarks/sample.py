"""How hard the built-in sample is: what no separation, a fixed equaliser and ideal masks score.

    python -m benchmarks.sample [--quick] [--style STYLE] [--songs N] [--folder DATA]
        [--json FILE]

Of each test song one snippet is scored. The static mask is one gain a frequency, the share of each
source in the power of training songs: a set that it separates better than recordings would be too
easy. The ideal ratio and binary masks know the sources: a set that they cannot solve could not be
learned.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "{{cookiecutter.repo_name}}"))

from compat import nussl  # noqa: E402  (the template is found by the line above)
from dataset import Sample  # noqa: E402
from evaluation import ORACLES, StaticMask, format_table, score_item, tabulate  # noqa: E402

RATE = 16000
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
# (system, source): bound on the mean SI-SDR improvement in dB
GOALS = {
    ("static mask", "vocals"): ("<", 3.4),  # of recorded, re-sung voices: benchmarks.realism
    ("ideal ratio mask", "vocals"): (">", 8.0),
    ("ideal ratio mask", "accompaniment"): (">", 4.0),
}


def measure(folder, songs, style):
    """The table of statistics, as `evaluation.tabulate` gives it."""
    train, test = (
        Sample(folder, split, RATE, 1, PARAMS, style=style) for split in ("train", "test")
    )
    # snippets 0, 7, 4, 1, ... of songs 0, 1, 2, 3, ...
    indices = [10 * song + 7 * song % 10 for song in range(songs)]
    for data in (train, test):
        data.ensure(indices)
    static = {"static mask": StaticMask(map(train.excerpt, indices), RATE, PARAMS)}
    rows = [row for index in indices for row in score_item(test[index], {}, static)]
    return tabulate(rows, ["mixture", *static, *ORACLES])


def goals_of(table):
    """What `--json` writes: the mean improvement of each system and source, and if it holds."""
    rows = []
    for row in table:
        ours = row["si_sdr_improvement"]["mean"]
        sign, bound = GOALS.get((row["method"], row["source"]), (None, None))
        holds = None if sign is None else bool(ours < bound if sign == "<" else ours > bound)
        rows.append(
            {
                "name": f"sample: {row['method']}, {row['source']}, SI-SDR improvement (dB)",
                "ours": round(ours, 3),
                "theirs": None,
                "ratio": None,
                "goal": None if sign is None else f"{sign} {bound}",
                "holds": holds,
            }
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="8 songs a split instead of 60")
    parser.add_argument("--style", choices=("plain", "produced"), default="plain")
    parser.add_argument("--songs", type=int, help="songs a split, one snippet of each")
    parser.add_argument("--folder", type=Path, help="keep the snippets here (default: nowhere)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    songs = args.songs or (8 if args.quick else 60)
    with tempfile.TemporaryDirectory() as temporary:
        table = measure(args.folder or temporary, songs, args.style)
    rows = goals_of(table)
    print(f"The built-in sample, {args.style}, {songs} test songs, {RATE} Hz mono\n")
    print(f"{format_table(table)}\n")
    for row in rows:
        if row["holds"] is not None:
            verdict = "holds" if row["holds"] else "MISSED"
            print(f"{row['name']}: {row['ours']:.2f}, goal {row['goal']}: {verdict}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    return int(any(row["holds"] is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
