"""Ratios of an estimate to its reference, in decibels: SI-SDR, uSDR."""

import numpy as np
from scipy.optimize import linear_sum_assignment


def si_sdr(estimate, reference):
    """Scale-invariant signal-to-distortion ratio, in dB.

    The reference is scaled to fit the estimate best, s = <e, r> / <r, r> r; the score is
    |s|^2 / |e - s|^2. Both are made zero-mean first, as nussl does. Le Roux, Wisdom, Erdogan and
    Hershey, "SDR - half-baked or well done?", ICASSP 2019. Computed in float64.

    Args:
        estimate, reference: (channels, samples) or (samples,), of the same shape.

    Returns:
        the mean over the channels in which the reference is not silent, NaN if it is in all of
        them; -inf for an estimate that is orthogonal to the reference (silence, for instance), +inf
        for a perfect one.

    Raises:
        ValueError: different shapes, or a NaN in the estimate.
    """
    estimate = np.atleast_2d(estimate).astype(float)
    reference = np.atleast_2d(reference).astype(float)
    if estimate.shape != reference.shape:
        raise ValueError(
            f"the estimate has shape {estimate.shape}, the reference {reference.shape}"
        )
    if not np.isfinite(estimate).all():
        raise ValueError("the estimate holds NaN or infinite samples")
    sounds = sounding(reference)
    if not sounds.any():
        return float("nan")
    estimate, reference = estimate[sounds], reference[sounds]
    estimate = estimate - estimate.mean(axis=1, keepdims=True)
    reference = reference - reference.mean(axis=1, keepdims=True)
    energy = np.sum(reference**2, axis=1, keepdims=True)
    target = np.sum(estimate * reference, axis=1, keepdims=True) / energy * reference
    signal, error = np.sum(target**2, axis=1), np.sum((estimate - target) ** 2, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = 10 * (np.log10(signal) - np.log10(error))
    return float(np.mean(np.where(signal > 0, scores, -np.inf)))


def sounding(reference):
    """Which channels of a reference (channels, samples) are not silent: bool (channels,). Any
    constant is silence."""
    energy = np.sum(reference**2, axis=1)
    without_mean = np.sum((reference - reference.mean(axis=1, keepdims=True)) ** 2, axis=1)
    return without_mean > 1e-24 * energy  # above the rounding errors of a constant


def usdr(estimate, reference):
    """The whole signal's SDR of the Music and Sound Demixing Challenges, in dB (uSDR).

    10 log10(sum of s^2 / sum of (s - e)^2) over all channels and samples. Mitsufuji et al., "Music
    Demixing Challenge 2021", Frontiers in Signal Processing 2022, equation (1), without its epsilon
    of 1e-7. Computed in float64.

    Args:
        estimate, reference: (channels, samples), of the same shape.

    Returns:
        NaN of a silent reference; +inf for a perfect estimate, 0 dB for a silent one.
    """
    estimate, reference = np.asarray(estimate, float), np.asarray(reference, float)
    energy, error = np.sum(reference**2), np.sum((reference - estimate) ** 2)
    if energy == 0:
        return float("nan")
    with np.errstate(divide="ignore"):
        return float(10 * (np.log10(energy) - np.log10(error)))


def best_permutation(scores):
    """Which estimate belongs to which reference: the assignment with the highest sum of scores.

    Args:
        scores: (estimates, references), as many estimates as references or more.

    Returns:
        for each reference, the index of its estimate.
    """
    scores = np.nan_to_num(np.asarray(scores, float), nan=0.0, posinf=1e6, neginf=-1e6)
    references, estimates = linear_sum_assignment(-scores.T)
    return [int(estimates[i]) for i in np.argsort(references)]
