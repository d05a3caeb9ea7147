"""All scores of one item: the model's, and of what stands beside it."""

import numpy as np

from .metrics import best_permutation, si_sdr
from .oracles import ORACLES

LIMIT = 100.0  # dB; a silent estimate counts as this bad, and neither drops out nor hides the rest


def score_item(item, methods, named=None):
    """SI-SDR of each method and source of a dataset's item.

    The mixture itself (as the estimate of every source) and the oracles are scored beside the
    methods.

    Args:
        item: nussl's {"mix", "sources", "metadata"}.
        methods: {name: function(AudioSignal) -> [AudioSignal]}, the sources in any order: the best
            one is taken, as clusters have no names.
        named: the same, for methods that give the sources in the order of their sorted labels.

    Returns:
        rows {"item", "song", "method", "source", "si_sdr", "si_sdr_improvement"}; NaN for a source
        that is silent in this item.

    Raises:
        ValueError: an estimate of another shape than its reference, or with a NaN.
    """
    mix, metadata = item["mix"], item["metadata"]
    labels = sorted(item["sources"])
    references = [item["sources"][label].audio_data for label in labels]
    ordered = {"mixture": [mix] * len(labels)}
    ordered |= {name: separate(mix) for name, separate in (named or {}).items()}
    ordered |= {
        name: oracle(mix, [item["sources"][label] for label in labels])
        for name, oracle in ORACLES.items()
    }
    scores = {
        name: [_score(e, r) for e, r in zip(estimates, references, strict=True)]
        for name, estimates in ordered.items()
    }
    for name, separate in methods.items():
        table = np.array([[_score(e, r) for r in references] for e in separate(mix)])
        chosen = best_permutation(table)
        scores[name] = [table[estimate, i] for i, estimate in enumerate(chosen)]
    return [
        {
            "item": metadata["name"],
            "song": metadata.get("song") or metadata["name"],
            "method": name,
            "source": label,
            "si_sdr": score,
            "si_sdr_improvement": score - before,
        }
        for name, row in scores.items()
        for label, score, before in zip(labels, row, scores["mixture"], strict=True)
    ]


def _score(estimate, reference):
    """SI-SDR, at most `LIMIT` dB either way; NaN for a silent reference."""
    return float(np.clip(si_sdr(estimate.audio_data, reference), -LIMIT, LIMIT))
