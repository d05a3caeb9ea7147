"""Masks made at one sample rate, applied at another."""

import numpy as np

from compat import nussl


def apply_masks(signal, masks, sample_rate, stft_params):
    """Mask `signal` with `masks` that were made at `sample_rate` with `stft_params`.

    The signal's own STFT has frames of the same duration, so that a mask has nearly the same grid;
    values between its points are interpolated. Above the model's highest frequency, which it never
    heard, a frame's mask is the mean over its highest octave. Where masks add up to 1, the sources
    add up to the signal.

    Args:
        signal: AudioSignal of any rate and channels.
        masks: (sources, bins, frames, channels) with values from 0 to 1; one channel serves all.

    Returns:
        [AudioSignal] of the length, rate and channels of `signal`, one a mask.
    """
    scale = signal.sample_rate / sample_rate
    window = 2 * round(stft_params.window_length * scale / 2)
    hop = max(1, round(stft_params.hop_length * scale))
    own = nussl.STFTParams(window, hop, stft_params.window_type)
    spectrum = _copy(signal, signal.audio_data, own).stft()
    bins, frames = spectrum.shape[:2]
    masks = _over_time(masks, frames, hop / scale / stft_params.hop_length)
    hertz = np.arange(bins) * signal.sample_rate / window
    weights = _over_frequency(hertz, masks.shape[1], sample_rate / 2)
    sources = []
    for mask in masks:
        fine = np.einsum("kf,ftc->ktc", weights, mask) if weights is not None else mask
        masked = _copy(signal, None, own)
        masked.stft_data = spectrum * fine
        masked.istft(truncate_to_length=signal.signal_length)
        sources.append(_copy(signal, masked.audio_data, own))
    return sources


def _copy(signal, data, params):
    copy = nussl.AudioSignal(
        audio_data_array=data, sample_rate=signal.sample_rate, stft_params=params
    )
    copy.original_signal_length = signal.signal_length
    return copy


def _over_time(masks, frames, step):
    """Frame m of the result lies at frame m * step of `masks`; beyond the last, the last."""
    at = np.minimum(np.arange(frames) * step, masks.shape[2] - 1)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, masks.shape[2] - 1)
    share = (at - before).astype(masks.dtype)[:, None]
    return masks[:, :, before] * (1 - share) + masks[:, :, after] * share


def _over_frequency(hertz, bins, highest):
    """(len(hertz), bins) rows that add up to 1: interpolation below `highest` Hz, the mean of the
    octave under it above. None where the two grids are the same."""
    at = hertz / highest * (bins - 1)
    if len(at) == bins and np.allclose(at, np.arange(bins)):
        return None
    weights = np.zeros((len(at), bins), dtype=np.float32)
    inside = np.flatnonzero(at <= bins - 1)
    before = np.minimum(at[inside].astype(int), bins - 2)
    weights[inside, before] = 1 - (at[inside] - before)
    weights[inside, before + 1] += at[inside] - before
    octave = np.arange(bins) >= (bins - 1) / 2
    weights[at > bins - 1] = octave / octave.sum()
    return weights
