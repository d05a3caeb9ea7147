"""All scores of one item: of the model, the baselines and the oracles."""

import numpy as np

from errors import UserError, amount

from .bss_eval import NAMES as BSS_NAMES
from .bss_eval import BSSEval, sdr_v3
from .metrics import best_permutation, si_sdr, sounding, usdr
from .oracles import ORACLES
from .scale_invariant import NAMES, scale_invariant
from .speech import pesq, stoi

LIMIT = 100.0  # dB; a silent estimate counts as this bad, and neither drops out nor hides the rest
SPEECH = {"stoi": stoi, "pesq": pesq}
METRICS = {
    "scale_invariant": NAMES,
    "bss_eval": BSS_NAMES,
    "sdr_v3": ("sdr_v3",),
    "usdr": ("usdr",),
    "csdr": ("csdr",),
    "stoi": ("stoi",),
    "pesq": ("pesq",),
}
ABOUT = ("item", "song", "method", "source", "estimate")  # what is no score in a row
GAIN = "_improvement"  # a score's improvement over the mixture, in a row
WITHOUT_GAIN = ("si_sar", "isr", "sar")  # nothing is added to the mixture: none can improve on it
# SI-SDR of the mixture, in dB, above which it is the source already (all others are silent, or 50
# dB softer): anything that an algorithm does costs tens of dB, which says nothing about it
ALREADY_THERE = 50.0


class TooFewEstimates(UserError):
    """A method gives fewer estimates than there are sources, for every item alike."""

    general = True


def columns(metrics):
    """The keys of a row of `score_item`, in their order."""
    names = [name for metric in METRICS if metric in metrics for name in METRICS[metric]]
    return [*ABOUT, *names, *(name + GAIN for name in names if name not in WITHOUT_GAIN)]


def score_names(metric):
    """The columns of one of `METRICS`."""
    return columns([metric])[len(ABOUT) :]


def score_item(item, methods, named=None, metrics=("scale_invariant",), oracles=ORACLES):
    """The scores of each method and source of a dataset's item.

    The mixture itself (as the estimate of every source) and the oracles are scored beside the
    methods. A source that is silent in this item, in all channels, has no score (NaN), and the
    others are scored as if it were not there. A silent estimate has the worst score.

    Args:
        item: nussl's {"mix", "sources", "metadata"}.
        methods: {name: function(AudioSignal) -> [AudioSignal]}, the sources in any order: the one
            with the highest sum of SI-SDR is taken, as clusters have no names.
        named: the same, for methods that give the sources in the order of their sorted labels.
        metrics: names of `METRICS`. The windows of BSS Eval last a second and do not overlap; the
            score is the median over those where no source is silent, as in SiSEC 2018. "csdr" is
            the SDR of these windows by the name that the Sound Demixing Challenge gives it.
        oracles: {name: function(mixture, sources) -> [AudioSignal]} that are scored beside them.

    Returns:
        rows {"item", "song", "method", "source", "estimate", score, score + "_improvement", ...},
        the improvement over the mixture where there can be one (not of `WITHOUT_GAIN`), NaN for a
        source that the mixture is already (`ALREADY_THERE`);
        "estimate" is the number of the estimate that fits the source best in the best order. (Of
        `named` methods it is not the one that is scored, if labels are swapped.)

    Raises:
        ValueError: an estimate of another shape than its reference, or with a NaN.
        TooFewEstimates: fewer estimates than sources.
        UserError: the item is shorter than a frame of the STFT.
    """
    mix, metadata = item["mix"], item["metadata"]
    if mix.signal_length < mix.stft_params.window_length:
        raise UserError(
            f"has {amount(mix.signal_length, 'sample')}, fewer than one frame of the STFT "
            f"({mix.stft_params.window_length}); leave the track out, or choose a shorter "
            "signal.window_length"
        )
    labels = sorted(item["sources"])
    references = np.stack([item["sources"][label].audio_data for label in labels])
    scorer = _Scorer(references.astype(np.float64), mix.sample_rate, metrics)
    ordered = {"mixture": [mix] * len(labels)}
    ordered |= {name: separate(mix) for name, separate in (named or {}).items()}
    ordered |= {
        name: oracle(mix, [item["sources"][label] for label in labels])
        for name, oracle in oracles.items()
    }
    everything = {name: (estimates, True) for name, estimates in ordered.items()}
    everything |= {name: (separate(mix), False) for name, separate in methods.items()}
    rows, before = [], None
    there = [si_sdr(mix.audio_data, reference) > ALREADY_THERE for reference in references]
    for name, (signals, keeps_order) in everything.items():
        if len(signals) < len(labels):
            raise TooFewEstimates(
                f"{name} gives {amount(len(signals), 'estimate')}, and there are {len(labels)} "
                f"sources ({', '.join(labels)}); sum sources by `groups` in the args of the "
                "dataset, or choose another algorithm or other baselines"
            )
        estimates = [signal.audio_data for signal in signals]
        best = scorer.best_permutation(estimates) if name != "mixture" else list(range(len(labels)))
        taken = range(len(labels)) if keeps_order else best
        scores = [scorer.scores(estimates[taken[i]], i) for i in range(len(labels))]
        before = before or scores
        for i, (label, number, score) in enumerate(zip(labels, best, scores, strict=True)):
            about = (metadata["name"], metadata.get("song") or metadata["name"], name, label)
            gains = {
                key + GAIN: float("nan") if there[i] else score[key] - before[i][key]
                for key in score
                if key not in WITHOUT_GAIN
            }
            rows.append(dict(zip(ABOUT, (*about, number), strict=True)) | score | gains)
    return rows


class _Scorer:
    """The scores of estimates of the same references: what they have in common is done once."""

    def __init__(self, references, sample_rate, metrics):
        self.references, self.sample_rate, self.metrics = references, sample_rate, metrics
        self.audible = [i for i, r in enumerate(references) if sounding(r).any()]
        self.audible_references = references[self.audible]
        self.bss_eval = None
        if {"bss_eval", "csdr"} & {*metrics} and self.audible:
            self.bss_eval = BSSEval(self.audible_references, sample_rate, sample_rate)

    def best_permutation(self, estimates):
        """For each reference, the index of its estimate."""
        table = [[_limited(si_sdr(e, r)) for r in self.references] for e in estimates]
        return best_permutation(table)

    def scores(self, estimate, index):
        """{score: number} of an estimate of the reference at `index`."""
        reference = self.references[index]
        whole = si_sdr(estimate, reference)  # refuses other shapes and NaN
        names = [name for metric in METRICS if metric in self.metrics for name in METRICS[metric]]
        if index not in self.audible:
            return dict.fromkeys(names, float("nan"))
        result = self._ratios(estimate, self.audible.index(index), whole)
        if not estimate.any():
            # by definition silence has an SNR and an SDR of 0 dB, more than many an honest estimate
            result = dict.fromkeys(result, -LIMIT)
        if "usdr" in self.metrics:  # by its definition also of silence, to be that of others
            result["usdr"] = usdr(estimate, reference)
        result = {name: _limited(value) for name, value in result.items()}
        for name in SPEECH:
            if name in self.metrics:
                result[name] = SPEECH[name](estimate, reference, self.sample_rate)
        return {name: result[name] for name in names}

    def _ratios(self, estimate, place, whole):
        result = {}
        if "scale_invariant" in self.metrics:
            result |= scale_invariant(estimate.astype(np.float64), self.audible_references, place)
            result["si_sdr"] = whole
        if "sdr_v3" in self.metrics:
            result["sdr_v3"] = sdr_v3(estimate, self.audible_references[place])
        if self.bss_eval is not None:
            windows = self.bss_eval.score(estimate, place)
            medians = dict(zip(BSS_NAMES, map(_median, windows), strict=True))
            result |= medians | {"csdr": medians["sdr"]}
        return result


def _limited(score):
    return float(np.clip(score, -LIMIT, LIMIT))


def _median(values):
    """The median of what is no NaN; NaN if nothing is left."""
    values = values[~np.isnan(values)]
    return float(np.median(values)) if len(values) else float("nan")
