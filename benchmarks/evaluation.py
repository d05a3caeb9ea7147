"""The cost of scoring, compared with museval on the same estimates, and differences of scores.

    python -m benchmarks.evaluation [--quick] [--items N] [--folder DATA] [--json FILE]

Snippets of the test split of the built-in sample, with the estimates that scripts.evaluate scores:
the mixture, the shipped model, a static mask, and the two ideal masks. Only the scoring is timed,
by one after the other on the same item.
"""

import sys
import tempfile
import time
import warnings
from pathlib import Path

import museval
import numpy as np
from algorithms import DeepClustering
from compat import nussl
from dataset import Sample
from evaluation import ORACLES, BSSEval, StaticMask, best_permutation, scale_invariant
from evaluation import si_sdr as our_si_sdr

from benchmarks import common
from benchmarks.common import MODEL
from benchmarks.items import PARAMS, RATE, evenly_spaced

TRAINING_SNIPPETS = range(0, 600, 30)  # from which the static mask is computed
SCALE = {  # our name: nussl's
    "si_sdr": "SI-SDR",
    "si_sir": "SI-SIR",
    "si_sar": "SI-SAR",
    "sd_sdr": "SD-SDR",
    "snr": "SNR",
}


def estimates_of(item, static):
    """(references, {method: estimates}): AudioSignals in the order of the labels."""
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
    """AudioSignals as an array: (sources, channels, samples)."""
    return np.stack([signal.audio_data for signal in signals]).astype(np.float64)


def their_bss_eval(references, estimates):
    """(4, sources, windows): SDR, ISR, SIR and SAR by museval."""
    arrays = (array.transpose(0, 2, 1) for array in (references, estimates))
    return np.array(museval.metrics.bss_eval(*arrays, window=RATE, hop=RATE)[:4])


def our_bss_eval(references, estimates_of_methods):
    """The same for each of several methods: [(4, sources, windows)]."""
    scorer = BSSEval(references, RATE, RATE)
    return [
        np.stack([scorer.score(estimate, i) for i, estimate in enumerate(estimates)], axis=1)
        for estimates in estimates_of_methods
    ]


def timed(function, *args):
    """(result, CPU seconds)"""
    began = time.process_time()
    result = function(*args)
    return result, time.process_time() - began


def measure(folder, count):
    """({what was timed: CPU seconds}, {package: largest difference in dB}) of all items."""
    train, test = (Sample(folder, split, RATE, 1, PARAMS) for split in ("train", "test"))
    train.ensure(TRAINING_SNIPPETS)
    static = StaticMask(map(train.excerpt, TRAINING_SNIPPETS), RATE, PARAMS)
    seconds = dict.fromkeys(("ours", "museval", "ours, one", "museval, one"), 0.0)
    largest = {"museval": 0.0, "nussl": 0.0}
    for index in evenly_spaced(test, count):
        sources, methods = estimates_of(test[index], static)
        references = stacked(sources)
        arrays = [stacked(signals) for signals in methods.values()]
        ours, taken = timed(our_bss_eval, references, arrays)
        seconds["ours"] += taken
        seconds["ours, one"] += timed(our_bss_eval, references, arrays[1:2])[1]
        for number, estimates in enumerate(arrays):
            theirs, taken = timed(their_bss_eval, references, estimates)
            seconds["museval"] += taken
            seconds["museval, one"] += taken if number == 1 else 0.0
            # the mixture has no artefacts: above our limit of 100 dB, there is only rounding
            difference = np.abs(np.clip(theirs, -100, 100) - np.clip(ours[number], -100, 100))
            difference = difference[np.isfinite(theirs)]
            largest["museval"] = max(largest["museval"], float(difference.max(initial=0.0)))
        of_nussl = nussl.evaluation.BSSEvalScale(sources, methods["model"]).evaluate()
        for number, estimate in enumerate(arrays[1]):
            score = scale_invariant(estimate, references, number)
            for name, key in SCALE.items():
                difference = abs(score[name] - np.mean(of_nussl[f"source_{number}"][key]))
                largest["nussl"] = max(largest["nussl"], float(difference))
    return seconds, largest


def main():
    parser = common.parser(__doc__, quick="20 snippets instead of 500")
    parser.add_argument("--items", type=int, help="number of snippets")
    parser.add_argument("--folder", type=Path, help="keep the snippets here")
    args = common.parse(parser)
    count = args.items or (20 if args.quick else 500)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as temporary:
        seconds, largest = measure(args.folder or temporary, count)
    results = common.Results(args.json)
    name = f"evaluation: BSS Eval v4 of {count} snippets, compared with museval"
    for title, key, goal in (("5 sets", "", ("<=", 0.2)), ("1 set", ", one", None)):
        values = (seconds[f"{who}{key}"] for who in ("ours", "museval"))
        results.compare(f"{name}, {title} of estimates, CPU time (s)", *values, goal)
    for package, bound in (("museval", 0.01), ("nussl", 1e-4)):
        name = f"evaluation: largest difference from {package} (dB)"
        results.compare(name, largest[package], goal=("<=", bound))
    return results.status()


if __name__ == "__main__":
    sys.exit(main())
