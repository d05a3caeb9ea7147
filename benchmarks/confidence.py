"""What nussl's confidence measures, which need no references, tell about the scores that need them.

    python -m benchmarks.confidence [--quick] [--items N] [--folder DATA] [--json FILE]

Snippets of the test split of the built-in sample, separated by the model that ships: Spearman's
rank correlation of each measure with the mean SI-SDR of the sources, and with its improvement over
the mixture; 95 % intervals by a bootstrap over the snippets, one of each song.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

PROJECT = Path(__file__).parents[1] / "{{cookiecutter.repo_name}}"
sys.path.insert(0, str(PROJECT))

from algorithms import DeepClustering, confidence  # noqa: E402  (found by the line above)
from compat import nussl  # noqa: E402
from dataset import Sample  # noqa: E402
from evaluation import score_item  # noqa: E402

RATE = 16000
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
MODEL = PROJECT / "best_model/checkpoints/best.model.pth"
RESAMPLINGS = 2000


def measure(folder, items):
    """{measure: values}, (SI-SDR, improvement) of each item."""
    data = Sample(folder, "test", RATE, 1, PARAMS)
    chosen = np.linspace(0, len(data) - 1, items).round().astype(int).tolist()
    data.ensure(chosen)
    measures, scores = {}, []
    for index in chosen:
        item = data[index]
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="30 snippets instead of 300")
    parser.add_argument("--items", type=int, help="so many snippets")
    parser.add_argument("--folder", type=Path, help="keep the snippets here (default: nowhere)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    items = args.items or (30 if args.quick else 300)
    with tempfile.TemporaryDirectory() as temporary:
        measures, scores = measure(args.folder or temporary, items)
    rows = []
    for name, values in measures.items():
        for column, title in enumerate(("SI-SDR", "SI-SDR improvement")):
            rho, low, high = correlation(values, scores[:, column])
            print(
                f"confidence: {name} with {title}, {items} snippets: "
                f"{rho:.2f} ({low:.2f} to {high:.2f})"
            )
            rows.append(
                {
                    "name": f"confidence: rank correlation of {name} with {title}",
                    "ours": round(float(rho), 3),
                    "theirs": None,
                    "ratio": None,
                    "goal": None,
                    "holds": None,
                }
            )
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
