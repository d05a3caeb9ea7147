"""nussl's scale-invariant scores: five ratios of an estimate to its reference, in decibels."""

import numpy as np

from .metrics import sounding

NAMES = ("si_sdr", "si_sir", "si_sar", "sd_sdr", "snr")


def scale_invariant(estimate, references, index):
    """SI-SDR, SI-SIR, SI-SAR, SD-SDR and SNR, as nussl's `BSSEvalScale`; means over the channels in
    which the reference sounds.

    With s the reference, a = <e, s> / <s, s>, the residual r = e - a s and its projection p onto
    the span of all references: SI-SDR = |a s|^2 / |r|^2, SI-SIR = |a s|^2 / |p|^2, SI-SAR =
    |a s|^2 / |r - p|^2, SNR = |s|^2 / |e - s|^2, SD-SDR = a^2 SNR. All signals are made zero-mean.
    Le Roux, Wisdom, Erdogan and Hershey, "SDR - half-baked or well done?", ICASSP 2019.

    Args:
        estimate: (channels, samples).
        references: (sources, channels, samples), none of them silent in all channels.
        index: of the estimate's own reference.

    Returns:
        {name: decibels}; inf where an error is 0, -inf for an estimate without the reference.
    """
    estimate = estimate - estimate.mean(axis=-1, keepdims=True)
    references = references - references.mean(axis=-1, keepdims=True)
    channels = [
        _one_channel(estimate[channel], references[:, channel], index)
        for channel in np.flatnonzero(sounding(references[index]))
    ]
    return dict(zip(NAMES, np.mean(channels, axis=0).tolist(), strict=True))


def _one_channel(estimate, references, index):
    """The scores of one channel, in the order of `NAMES`: (samples,), (sources, samples)."""
    source = references[index]
    energy = source @ source
    scale = source @ estimate / energy
    residual = estimate - scale * source
    weights = np.linalg.lstsq(references @ references.T, references @ residual, rcond=None)[0]
    interference = weights @ references
    artefacts = residual - interference
    difference = estimate - source
    target = scale**2 * energy
    # SD-SDR is a^2 |s|^2 / |e - s|^2
    target_energy = np.array([target, target, target, target, energy])
    error_energy = [x @ x for x in (residual, interference, artefacts, difference, difference)]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = 10 * (np.log10(target_energy) - np.log10(error_energy))
    return np.where(target_energy > 0, ratios, -np.inf)
