"""What scoring costs beside museval and nussl, on the same estimates, and if scores are equal.

    python -m benchmarks.evaluation [--quick] [--items N] [--folder DATA] [--json FILE]

Snippets of the test split of the built-in sample, with the estimates that scripts.evaluate scores:
the mixture, the model that ships, a static mask, and the two ideal masks. Timed is the scoring
alone, one after the other on the same item.
"""

import argparse
import json
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).parents[1] / "{{cookiecutter.repo_name}}"
sys.path.insert(0, str(PROJECT))

import museval  # noqa: E402
from algorithms import DeepClustering  # noqa: E402  (the template is found by the line above)
from compat import nussl  # noqa: E402
from dataset import Sample  # noqa: E402
from evaluation import ORACLES, BSSEval, StaticMask, best_permutation, scale_invariant  # noqa: E402
from evaluation import si_sdr as our_si_sdr  # noqa: E402

RATE = 16000
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
MODEL = PROJECT / "best_model/checkpoints/best.model.pth"
SCALE = {
    "si_sdr": "SI-SDR",
    "si_sir": "SI-SIR",
    "si_sar": "SI-SAR",
    "sd_sdr": "SD-SDR",
    "snr": "SNR",
}


def estimates_of(item, static):
    """{method: AudioSignals in the order of the labels} and the references."""
    labels = sorted(item["sources"])
    sources = [item["sources"][label] for label in labels]
    model = DeepClustering(item["mix"], 2, str(MODEL))()
    table = [[our_si_sdr(e.audio_data, r.audio_data) for r in sources] for e in model]
    methods = {
        "mixture": [item["mix"]] * len(labels),
        "model": [model[i] for i in best_permutation(table)],
        "static mask": static(item["mix"]),
    }
    methods |= {name: oracle(item["mix"], sources) for name, oracle in ORACLES.items()}
    return sources, methods


def stacked(signals):
    return np.stack([signal.audio_data for signal in signals]).astype(np.float64)


def theirs_v4(references, estimates):
    turned = (part.transpose(0, 2, 1) for part in (references, estimates))
    return np.array(museval.metrics.bss_eval(*turned, window=RATE, hop=RATE)[:4])


def ours_v4(references, estimates):
    """(methods, 4, sources, windows)"""
    scorer = BSSEval(references, RATE, RATE)
    return [
        np.stack([scorer.score(e, k) for k, e in enumerate(part)], axis=1) for part in estimates
    ]


def timed(function, *args):
    began = time.process_time()
    result = function(*args)
    return result, time.process_time() - began


def measure(folder, items):
    """Sums over the items: seconds of CPU, and the greatest differences in dB."""
    train, test = (Sample(folder, split, RATE, 1, PARAMS) for split in ("train", "test"))
    chosen = np.linspace(0, len(test) - 1, items).round().astype(int).tolist()
    few = list(range(0, 600, 30))
    train.ensure(few)
    test.ensure(chosen)
    static = StaticMask(map(train.excerpt, few), RATE, PARAMS)
    total = dict.fromkeys(("ours", "museval", "ours, one", "museval, one"), 0.0)
    worst = {"v4": 0.0, "scale": 0.0}
    for index in chosen:
        sources, methods = estimates_of(test[index], static)
        references = stacked(sources)
        arrays = [stacked(signals) for signals in methods.values()]
        mine, seconds = timed(ours_v4, references, arrays)
        total["ours"] += seconds
        total["ours, one"] += timed(ours_v4, references, arrays[1:2])[1]
        for number, estimates in enumerate(arrays):
            theirs, seconds = timed(theirs_v4, references, estimates)
            total["museval"] += seconds
            total["museval, one"] += seconds if number == 1 else 0.0
            # the mixture has no artefacts: beyond 100 dB, our limit, there is rounding only
            gap = np.abs(np.clip(theirs, -100, 100) - np.clip(mine[number], -100, 100))
            gap = gap[np.isfinite(theirs)]
            worst["v4"] = max(worst["v4"], float(gap.max(initial=0.0)))
        their_scale = nussl.evaluation.BSSEvalScale(sources, methods["model"]).evaluate()
        for number, estimate in enumerate(arrays[1]):
            score = scale_invariant(estimate, references, number)
            for name, key in SCALE.items():
                gap = abs(score[name] - np.mean(their_scale[f"source_{number}"][key]))
                worst["scale"] = max(worst["scale"], float(gap))
    return total, worst


def rows_of(total, worst, items):
    """What `--json` writes."""
    sets = {"ours": "five sets of estimates", "ours, one": "one set of estimates"}
    rows = []
    for key, title in sets.items():
        theirs = total[key.replace("ours", "museval")]
        ratio = theirs / total[key]
        goal = ">= 5 times faster" if key == "ours" else None
        rows.append(
            {
                "name": f"evaluation: BSS Eval v4 of {items} snippets, {title} (CPU s)",
                "ours": round(total[key], 2),
                "theirs": round(theirs, 2),
                "ratio": round(ratio, 2),
                "goal": goal,
                "holds": None if goal is None else ratio >= 5,
            }
        )
    bounds = (("v4", "museval 0.4.1", 0.01), ("scale", "nussl's BSSEvalScale", 1e-4))
    for key, title, bound in bounds:
        rows.append(
            {
                "name": f"evaluation: greatest difference from {title} (dB)",
                "ours": worst[key],
                "theirs": None,
                "ratio": None,
                "goal": f"<= {bound:g}",
                "holds": worst[key] <= bound,
            }
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20 snippets instead of 500")
    parser.add_argument("--items", type=int, help="so many snippets")
    parser.add_argument("--folder", type=Path, help="keep the snippets here (default: nowhere)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    items = args.items or (20 if args.quick else 500)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as temporary:
        rows = rows_of(*measure(args.folder or temporary, items), items)
    for row in rows:
        beside = "" if row["theirs"] is None else f", theirs {row['theirs']:g}, {row['ratio']:g} x"
        verdict = {None: "", True: ": holds", False: ": MISSED"}[row["holds"]]
        goal = "" if row["goal"] is None else f", goal {row['goal']}"
        print(f"{row['name']}: {row['ours']:.4g}{beside}{goal}{verdict}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    return int(any(row["holds"] is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
