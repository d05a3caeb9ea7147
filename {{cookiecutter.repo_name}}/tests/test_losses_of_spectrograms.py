"""Losses of spectra at several resolutions, against other computations, and in silence."""

import math

import numpy as np
import pytest
import scipy.signal
import torch

from training.losses import ComplexSTFTLoss, MultiResolutionSTFTLoss

RESOLUTIONS = {"window_lengths": [64, 120], "hop_lengths": [16, 50], "fft_lengths": [64, 256]}


def waveforms(sources=2, samples=1000, channels=2, dtype=torch.float64):
    draw = torch.Generator().manual_seed(0)
    shape = (2, channels, samples, sources)
    return [torch.randn(shape, generator=draw, dtype=torch.float64).to(dtype) for _ in range(2)]


def magnitudes(signal, window, hop, fft):
    """Frame by frame, each centred on a multiple of the hop, in numpy."""
    padded = np.pad(signal, fft // 2)
    weights = np.pad(scipy.signal.get_window("hann", window), (fft - window) // 2)
    frames = [
        padded[start : start + fft] * weights
        for start in range(0, len(signal) // hop * hop + 1, hop)
    ]
    return np.sqrt(np.maximum(np.abs(np.fft.rfft(frames)) ** 2, 1e-7))


def brute_force(estimates, targets):
    costs = []
    for resolution in zip(*RESOLUTIONS.values(), strict=True):
        for item in np.ndindex(2, 2, 2):  # batch, channels, sources
            e, s = (
                magnitudes(part.numpy()[item[0], item[1], :, item[2]], *resolution)
                for part in (estimates, targets)
            )
            convergence = np.linalg.norm(s - e) / np.linalg.norm(s)
            costs.append(convergence + np.mean(np.abs(np.log(s / e))))
    return np.mean(costs)


def test_it_is_that_of_spectrograms_made_frame_by_frame():
    estimates, targets = waveforms()
    loss = MultiResolutionSTFTLoss(permutation_invariant=False, **RESOLUTIONS)
    assert loss(estimates, targets).item() == pytest.approx(brute_force(estimates, targets))
    loss = MultiResolutionSTFTLoss(**RESOLUTIONS)
    orders = (brute_force(estimates, targets), brute_force(estimates.flip(-1), targets))
    assert loss(estimates, targets).item() == pytest.approx(min(orders))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0, -2.0])
def test_a_factor_costs_its_distance_from_1_and_its_logarithm_and_a_sign_nothing(factor, dtype):
    _, targets = waveforms(samples=8000, dtype=dtype)
    expected = abs(abs(factor) - 1) + abs(math.log(abs(factor)))
    value = MultiResolutionSTFTLoss(permutation_invariant=False)(factor * targets, targets)
    assert value.item() == pytest.approx(expected, abs=1e-4)


def test_the_estimate_of_a_silent_source_is_measured_by_the_mixture():
    _, targets = waveforms()
    targets[..., 1] = 0
    loss = MultiResolutionSTFTLoss(permutation_invariant=False, **RESOLUTIONS)
    costs = {}
    for level in (0.0, 0.01, 1.0):
        estimates = targets.clone()
        estimates[..., 1] = level * targets[..., 0]
        # in silence all magnitudes are taken for sqrt(1e-7)
        logs = [
            np.mean(
                np.log(
                    magnitudes(level * targets.numpy()[item][:, 0], *resolution) / math.sqrt(1e-7)
                )
            )
            for resolution in zip(*RESOLUTIONS.values(), strict=True)
            for item in np.ndindex(2, 2)
        ]
        costs[level] = loss.paired(estimates, targets)
        assert not costs[level][:, 0].any()
        assert costs[level][:, 1].mean().item() == pytest.approx(level + np.mean(logs), rel=1e-3)
    assert costs[0.0].sum() == 0


@pytest.mark.parametrize("samples", [1, 10, 1023])
def test_sounds_shorter_than_a_window_have_levels(samples):
    estimates, targets = waveforms(samples=samples)
    assert MultiResolutionSTFTLoss()(targets, targets).item() == 0
    assert MultiResolutionSTFTLoss()(estimates, targets).item() > 0.1


def test_resolutions_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match=r"one number for each resolution, found \[64\], \[16, 8"):
        MultiResolutionSTFTLoss(window_lengths=[64], hop_lengths=[16, 8], fft_lengths=[64])
    with pytest.raises(ValueError, match="one number for each resolution"):
        MultiResolutionSTFTLoss(window_lengths=[], hop_lengths=[], fft_lengths=[])
    for window, hop, fft in ((64, 0, 64), (64, 65, 64), (128, 16, 64)):
        with pytest.raises(ValueError, match=f"found hop {hop}, window {window}, FFT {fft}"):
            MultiResolutionSTFTLoss(window_lengths=[window], hop_lengths=[hop], fft_lengths=[fft])


def test_complex_spectra_made_frame_by_frame_differ_by_the_loss():
    estimates, targets = waveforms(samples=500)
    loss = ComplexSTFTLoss(False, window_lengths=[64, 128], hop_length=32, waveform_weight=0.5)
    expected = 0.5 * (estimates - targets).abs().mean().item()
    for window in (64, 128):
        weights = scipy.signal.get_window("hann", window)
        weights = weights / np.sqrt(np.sum(weights**2))
        for item in np.ndindex(2, 2, 2):
            error = (estimates - targets).numpy()[item[0], item[1], :, item[2]]
            padded = np.pad(error, window // 2)
            starts = range(0, 500 // 32 * 32 + 1, 32)
            spectra = np.fft.rfft([padded[start : start + window] * weights for start in starts])
            parts = np.abs(spectra.real).mean() / 2 + np.abs(spectra.imag).mean() / 2
            expected += parts / 8 / 2
    assert loss(estimates, targets).item() == pytest.approx(expected)


def test_a_hop_longer_than_a_window_is_refused_by_complex_spectra():
    with pytest.raises(ValueError, match="hop_length must be above 0 and at most"):
        ComplexSTFTLoss(window_lengths=[64, 100], hop_length=65)
