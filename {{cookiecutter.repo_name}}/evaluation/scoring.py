"""All scores of one item: of the model, the baselines and the oracles."""

import numpy as np

from errors import UserError, amount

from .bss_eval import NAMES as BSS_NAMES
from .bss_eval import BSSEval, sdr_v3
from .metrics import best_permutation, si_sdr, sounding, usdr
from .oracles import ORACLES
from .scale_invariant import NAMES, scale_invariant
from .speech import pesq, stoi

LIMIT = 100.0  # dB: scores are clipped to +-100, so that a mean can hold a silent estimate
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
ABOUT = ("item", "song", "method", "source", "estimate")  # the columns of a row that are no scores
GAIN = "_improvement"  # suffix of the column with a score's improvement over the mixture
# scores of artefacts and spatial distortion: a mixture has none, so that no improvement is possible
WITHOUT_GAIN = ("si_sar", "isr", "sar")
# SI-SDR of the mixture in dB, above which it practically equals the source (all others are silent,
# or 50 dB softer): any algorithm loses tens of dB there, which would dominate the mean improvement
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
    """The scores of every method and source of an item.

    The mixture (as the estimate of every source) and the oracles are scored beside the methods. A
    source that is silent in all channels of this item has no score (NaN), and the others are scored
    without it. A silent estimate gets the lowest score.

    Args:
        item: nussl's {"mix", "sources", "metadata"}.
        methods: {name: function(AudioSignal) -> [AudioSignal]}, the sources in any order, such as
            clusters: the permutation with the highest sum of SI-SDR is scored.
        named: the same, for methods that give the sources in the order of their sorted labels,
            which are scored in this order.
        metrics: names of `METRICS`. The windows of BSS Eval last a second and do not overlap; the
            score is the median over those where no source is silent, as in SiSEC 2018. "csdr" is
            the SDR of these windows by the name that the Sound Demixing Challenge gives it.
        oracles: {name: function(mixture, sources) -> [AudioSignal]} that are scored beside them.

    Returns:
        a row {"item", "song", "method", "source", "estimate", score, score + "_improvement", ...}
        for each method and source. "estimate" is the index of the source's estimate in the
        permutation with the highest sum of SI-SDR; of a `named` method with swapped labels it is
        not the estimate that is scored. The improvement over the mixture is NaN for a source that
        equals the mixture (`ALREADY_THERE`), and missing for the scores in `WITHOUT_GAIN`.

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
    sources = [item["sources"][label] for label in labels]
    references = np.stack([source.audio_data for source in sources])
    scorer = _Scorer(references.astype(np.float64), mix.sample_rate, metrics)
    # {method: (its estimates, are they in the order of the labels?)}
    separated = {"mixture": ([mix] * len(labels), True)}
    for name, separate in (named or {}).items():
        separated[name] = separate(mix), True
    for name, oracle in oracles.items():
        separated[name] = oracle(mix, sources), True
    for name, separate in methods.items():
        separated[name] = separate(mix), False
    is_mixture = [si_sdr(mix.audio_data, reference) > ALREADY_THERE for reference in references]
    rows, of_mixture = [], None
    for name, (signals, in_order) in separated.items():
        if len(signals) < len(labels):
            raise TooFewEstimates(
                f"{name} gives {amount(len(signals), 'estimate')}, and there are {len(labels)} "
                f"sources ({', '.join(labels)}); sum sources by `groups` in the args of the "
                "dataset, or choose another algorithm or other baselines"
            )
        estimates = [signal.audio_data for signal in signals]
        best = scorer.best_permutation(estimates) if name != "mixture" else list(range(len(labels)))
        scored = range(len(labels)) if in_order else best
        scores = [scorer.scores(estimates[number], i) for i, number in enumerate(scored)]
        if of_mixture is None:
            of_mixture = scores
        for i, label in enumerate(labels):
            song = metadata.get("song") or metadata["name"]
            about = dict(zip(ABOUT, (metadata["name"], song, name, label, best[i]), strict=True))
            gains = {
                key + GAIN: float("nan") if is_mixture[i] else value - of_mixture[i][key]
                for key, value in scores[i].items()
                if key not in WITHOUT_GAIN
            }
            rows.append(about | scores[i] | gains)
    return rows


class _Scorer:
    """Scores estimates of the same references; what depends on the references alone, such as the
    correlations of BSS Eval, is computed once."""

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
        result = self._ratios(estimate, self.audible.index(index))
        if "scale_invariant" in self.metrics:
            result["si_sdr"] = whole
        if not estimate.any():
            # by definition the SNR and SDR of silence are 0 dB: above those of many real estimates
            result = dict.fromkeys(result, -LIMIT)
        if "usdr" in self.metrics:  # also of silence as it is defined, to compare with papers
            result["usdr"] = usdr(estimate, reference)
        result = {name: _limited(value) for name, value in result.items()}
        for name in SPEECH:
            if name in self.metrics:
                result[name] = SPEECH[name](estimate, reference, self.sample_rate)
        return {name: result[name] for name in names}

    def _ratios(self, estimate, place):
        """The scores in dB of an estimate of the reference at `place` of the audible ones."""
        result = {}
        if "scale_invariant" in self.metrics:
            result |= scale_invariant(estimate.astype(np.float64), self.audible_references, place)
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
    """The median without NaNs; NaN if all are."""
    values = values[~np.isnan(values)]
    return float(np.median(values)) if len(values) else float("nan")
