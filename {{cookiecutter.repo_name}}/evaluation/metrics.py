"""Ratios of an estimate to its reference, in decibels: SI-SDR, uSDR, SDR of BSS Eval version 3."""

import numpy as np
import scipy.fft
import scipy.linalg
from scipy.optimize import linear_sum_assignment


def si_sdr(estimate, reference):
    """Scale-invariant signal-to-distortion ratio, in dB.

    The reference is scaled to fit the estimate best, s = <e, r> / <r, r> r; the score is
    |s|^2 / |e - s|^2. Both are made zero-mean first, as nussl does. Le Roux, Wisdom, Erdogan and
    Hershey, "SDR - half-baked or well done?", ICASSP 2019. Computed in float64.

    Args:
        estimate, reference: (channels, samples) or (samples,), of the same shape.

    Returns:
        the mean over the channels; NaN if a channel of the reference is silent, for which the score
        has no meaning; -inf for an estimate without a trace of the reference (a silent one), +inf
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
    whole = np.sum(reference**2, axis=1, keepdims=True)
    estimate = estimate - estimate.mean(axis=1, keepdims=True)
    reference = reference - reference.mean(axis=1, keepdims=True)
    energy = np.sum(reference**2, axis=1, keepdims=True)
    if (energy <= 1e-24 * whole).any():  # of a constant, rounding is left
        return float("nan")
    target = np.sum(estimate * reference, axis=1, keepdims=True) / energy * reference
    signal, error = np.sum(target**2, axis=1), np.sum((estimate - target) ** 2, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = 10 * (np.log10(signal) - np.log10(error))
    return float(np.mean(np.where(signal > 0, scores, -np.inf)))


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
    energy, rest = np.sum(reference**2), np.sum((reference - estimate) ** 2)
    if energy == 0:
        return float("nan")
    with np.errstate(divide="ignore"):
        return float(10 * (np.log10(energy) - np.log10(rest)))


def sdr_v3(estimate, reference, taps=512):
    """The SDR of BSS Eval version 3 over the whole signal, in dB: the SDR (and with the mixture's
    subtracted the SDRi) of papers on speech separation.

    The reference is filtered to fit the estimate best by `taps` samples, t; the score is
    |t|^2 / |e - t|^2. Vincent, Gribonval and Fevotte, "Performance measurement in blind audio
    source separation", IEEE TASLP 2006; `mir_eval.separation.bss_eval_sources`. In float64.

    Args:
        estimate, reference: (channels, samples), of the same shape.

    Returns:
        the mean over the channels; NaN if one of the reference is silent; -inf for a silent
        estimate, +inf for a filtered copy.
    """
    pairs = zip(np.asarray(estimate, float), np.asarray(reference, float), strict=True)
    return float(np.mean([_filtered_ratio(e, r, taps) for e, r in pairs]))


def _filtered_ratio(estimate, reference, taps):
    """`sdr_v3` of one channel: (samples,) both."""
    if not reference.any():
        return np.nan
    length = len(reference) + taps - 1
    size = scipy.fft.next_fast_len(length, real=True)
    spectra = scipy.fft.rfft(np.stack([reference, estimate]), size)
    lags = scipy.fft.irfft(spectra * spectra[0].conj(), size)[:, :taps]
    # as museval: what is singular is given a little weight
    lags[0, 0] += np.finfo(float).eps
    taken = scipy.linalg.solve_toeplitz(lags[0], lags[1])
    target = scipy.fft.irfft(spectra[0] * scipy.fft.rfft(taken, size), size)[:length]
    rest = -target
    rest[: len(estimate)] += estimate
    with np.errstate(divide="ignore"):
        energies = np.log10([np.sum(target**2), np.sum(rest**2)])
    return -np.inf if not estimate.any() else 10 * (energies[0] - energies[1])


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
