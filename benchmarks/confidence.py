"""How well nussl's confidence measures, which need no references, predict scores, which do.

    python -m benchmarks.confidence [--quick] [--items N] [--folder DATA] [--json FILE]

Snippets of the test split of the built-in sample, separated by the shipped model: Spearman's rank
correlation of each measure with the mean SI-SDR of the sources, and with its improvement over the
mixture. 95 % intervals are by a bootstrap over the snippets, one of each song.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from algorithms import DeepClustering, confidence
from evaluation import score_item
from scipy.stats import spearmanr

from benchmarks import common
from benchmarks.common import MODEL
from benchmarks.items import of_sample

RESAMPLINGS = 2000


def measure(folder, count):
    """({measure: (items,)}, (items, 2)): confidence, and mean SI-SDR and its improvement in dB."""
    measures, scores = {}, []
    for item in of_sample(folder, count):
        algorithm = DeepClustering(item["mix"], 2, str(MODEL))
        estimates = algorithm()
        for name, value in confidence(algorithm).items():
            measures.setdefault(name, []).append(value)
        rows = score_item(item, {"model": lambda mix, found=estimates: found})
        rows = [row for row in rows if row["method"] == "model"]
        scores.append(
            [np.mean([row[key] for row in rows]) for key in ("si_sdr", "si_sdr_improvement")]
        )
    return {name: np.array(values) for name, values in measures.items()}, np.array(scores)


def correlation(values, scores):
    """Spearman's rank correlation with its 95 % interval: (rho, low, high)."""
    rng = np.random.default_rng(0)
    drawn = [
        spearmanr(values[pick], scores[pick]).statistic
        for pick in rng.integers(len(values), size=(RESAMPLINGS, len(values)))
    ]
    return (spearmanr(values, scores).statistic, *np.percentile(drawn, (2.5, 97.5)))


def main():
    parser = common.parser(__doc__, quick="30 snippets instead of 300")
    parser.add_argument("--items", type=int, help="number of snippets")
    parser.add_argument("--folder", type=Path, help="keep the snippets here")
    args = common.parse(parser)
    with tempfile.TemporaryDirectory() as temporary:
        count = args.items or (30 if args.quick else 300)
        measures, scores = measure(args.folder or temporary, count)
    results = common.Results(args.json)
    for name, values in measures.items():
        for column, title in enumerate(("SI-SDR", "SI-SDR improvement")):
            rho, low, high = correlation(values, scores[:, column])
            interval = {"95 % interval": f"{low:.2f} to {high:.2f}"}
            what = f"confidence: rank correlation of {name} with {title}, {len(values)} snippets"
            results.compare(what, float(rho), **interval)
    return 0


if __name__ == "__main__":
    sys.exit(main())
