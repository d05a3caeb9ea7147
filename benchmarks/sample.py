"""How difficult the built-in sample is: scores of a fixed equaliser and of ideal masks.

    python -m benchmarks.sample [--quick] [--style STYLE] [--songs N] [--folder DATA]
        [--json FILE]

One snippet of each test song is scored. The static mask is one gain for each frequency: the
fraction of each source in the power of training songs. If it separated the sample better than it
separates recordings, the sample would be too easy. The ideal ratio and binary masks know the
sources: what they cannot separate, a network that estimates masks cannot learn.
"""

import sys
import tempfile
from pathlib import Path

from dataset import Sample
from evaluation import ORACLES, StaticMask, format_table, score_item, tabulate

from benchmarks import common
from benchmarks.items import PARAMS, RATE

# (method, source): bound of the mean SI-SDR improvement in dB
GOALS = {
    ("static mask", "vocals"): ("<", 3.4),  # of recorded, re-sung voices: benchmarks.realism
    ("ideal ratio mask", "vocals"): (">", 8.0),
    ("ideal ratio mask", "accompaniment"): (">", 4.0),
}


def measure(folder, songs, style):
    """The statistics of all scores, as `evaluation.tabulate` returns them."""
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


def main():
    parser = common.parser(__doc__, quick="8 songs of each split instead of 60")
    parser.add_argument("--style", choices=("plain", "produced"), default="plain")
    parser.add_argument("--songs", type=int, help="songs of each split")
    parser.add_argument("--folder", type=Path, help="keep the snippets here")
    args = common.parse(parser)
    songs = args.songs or (8 if args.quick else 60)
    with tempfile.TemporaryDirectory() as temporary:
        table = measure(args.folder or temporary, songs, args.style)
    print(f"The built-in sample, {args.style}, {songs} test songs, {RATE} Hz mono\n")
    print(f"{format_table(table)}\n")
    results = common.Results(args.json)
    for row in table:
        method, source = row["method"], row["source"]
        mean, goal = row["si_sdr_improvement"]["mean"], GOALS.get((method, source))
        name = f"sample: {method}, {source}, SI-SDR improvement (dB)"
        results.compare(name, mean, goal=goal)
    return results.status()


if __name__ == "__main__":
    sys.exit(main())
