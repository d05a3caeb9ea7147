"""SI-SDR and SNR as losses: their values, limits, and what silence costs."""

import math

import pytest
import torch
from test_losses_of_sources import every_loss, problem

from training.losses import SISDRLoss, SNRLoss


def tones(*frequencies, samples=8000):
    """Sines that are orthogonal to each other, of energy samples / 2: (1, 1, samples, number)."""
    time = torch.arange(samples, dtype=torch.float64) / samples
    waves = [torch.sin(2 * math.pi * f * time) for f in frequencies]
    return torch.stack(waves, dim=-1)[None, None]


@pytest.mark.parametrize("loss", [SISDRLoss, SNRLoss])
@pytest.mark.parametrize("db", [-20, -3, 0, 10, 40, 60, 70])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("invariant", [True, False])
def test_orthogonal_noise_of_a_known_level_is_that_many_db(loss, db, dtype, invariant):
    targets = tones(100, 300)
    estimates = (targets + 10 ** (-db / 20) * tones(500, 700)).to(dtype)
    if invariant:
        estimates = estimates.flip(-1)
    value = loss(permutation_invariant=invariant)(estimates, targets.to(dtype)).item()
    assert value == pytest.approx(-db, abs=0.001 if dtype == torch.float32 else 1e-4)


@pytest.mark.parametrize("gain", [1e-3, -0.5, 20.0])
@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_a_gain_and_an_offset_mean_nothing_to_si_sdr(gain, offset):
    targets = tones(100, 300)
    estimates = gain * (targets + 0.1 * tones(500, 700)) + offset
    value = SISDRLoss()(estimates.float(), targets.float()).item()
    assert value == pytest.approx(-20, abs=0.01)


def test_half_a_source_is_6_db_of_snr():
    targets = tones(100, 300)
    assert SNRLoss()(targets / 2, targets).item() == pytest.approx(-20 * math.log10(2))


@pytest.mark.parametrize("loss", [SISDRLoss, SNRLoss])
def test_the_mean_is_over_channels_of_their_own_ratios(loss):
    targets = torch.cat([tones(100, 300), 0.01 * tones(100, 300)], dim=1)
    noise = torch.cat([0.1 * tones(500, 700), 0.01 * tones(500, 700)], dim=1)
    assert loss()(targets + noise, targets).item() == pytest.approx(-(20 + 0) / 2, abs=1e-6)


@pytest.mark.parametrize("loss", [SISDRLoss, SNRLoss])
def test_a_soft_limit_is_reached_by_a_perfect_estimate_and_halved_by_noise_of_its_size(loss):
    targets = tones(100, 300)
    assert loss(max_db=30.0)(targets, targets).item() == pytest.approx(-30, abs=1e-5)
    noisy = targets + 10 ** (-30 / 20) * tones(500, 700)
    assert loss(max_db=30.0)(noisy, targets).item() == pytest.approx(
        -30 + 10 * math.log10(2), abs=1e-5
    )


@pytest.mark.parametrize("loss", [SISDRLoss, SNRLoss])
@pytest.mark.parametrize("limit", [-30.0, 0.0, 121.0, math.inf, math.nan])
def test_a_limit_that_limits_nothing_is_refused(loss, limit):
    with pytest.raises(ValueError, match="max_db must be above 0 and at most 120"):
        loss(max_db=limit)


@pytest.mark.parametrize("loss", [SISDRLoss, SNRLoss])
@pytest.mark.parametrize("invariant", [True, False])
def test_the_estimate_of_a_silent_source_is_measured_by_the_mixture(loss, invariant):
    targets = tones(100, 300)
    targets[..., 1] = 0
    for level, expected in ((1.0, 0.0), (0.1, -20.0), (0.0, -math.inf)):
        estimates = targets + torch.tensor([0.1, level]) * tones(500, 700)
        value = loss(permutation_invariant=invariant)(estimates, targets).item()
        silent = 10 * math.log10(10 ** (expected / 10) + 1e-3)  # 30 dB down is quiet enough
        assert value == pytest.approx((-20 + silent) / 2, abs=1e-4)


@pytest.mark.parametrize("loss", [SISDRLoss, SNRLoss])
def test_a_source_silent_in_one_channel_is_audible_in_the_other(loss):
    targets = torch.cat([tones(100, 300), tones(100, 300)], dim=1)
    targets[:, 1, :, 1] = 0
    estimates = targets + 0.1 * torch.cat([tones(500, 700)] * 2, dim=1)
    silent = 10 * math.log10(0.01 + 1e-3)
    expected = (-20 + (-20 + silent) / 2) / 2
    assert loss()(estimates, targets).item() == pytest.approx(expected, abs=1e-4)


@every_loss
@pytest.mark.parametrize("quiet", ["estimates", "targets", "both", "one of each", "an utterance"])
@pytest.mark.parametrize("sources", [2, 4])
@pytest.mark.parametrize("invariant", [True, False])
def test_silence_gives_finite_values_and_gradients(loss, quiet, sources, invariant):
    estimates, targets = problem(loss, sources, dtype=torch.float32)
    if quiet in ("estimates", "both"):
        estimates.zero_()
    if quiet in ("targets", "both"):
        targets.zero_()
    if quiet == "one of each":
        estimates[..., 0], targets[..., 1] = 0, 0
    if quiet == "an utterance":
        estimates[0], targets[0] = 0, 0
    estimates.requires_grad_()
    value = loss(permutation_invariant=invariant)(estimates, targets)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(estimates.grad).all()


@every_loss
@pytest.mark.parametrize("level", [1e-30, 1e-20, 1e-12, 1e-8, 1e12])
def test_levels_out_of_the_ordinary_give_finite_values_and_gradients(loss, level):
    estimates, targets = problem(loss, 2, dtype=torch.float32)
    for e, s in (
        (estimates, level * targets),
        (level * estimates, targets),
        (level * estimates, level * targets),
    ):
        given = e.clone().requires_grad_()
        value = loss()(given, s)
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(given.grad).all()


@pytest.mark.parametrize("loss", [SISDRLoss, SNRLoss])
def test_a_silent_utterance_costs_nothing(loss):
    estimates, targets = problem(loss)
    targets[0] = 0
    estimates.requires_grad_()
    value = loss()(estimates, targets)
    value.backward()
    alone = loss()(estimates[1:], targets[1:])
    assert value.item() == pytest.approx(alone.item() / 2)
    assert not estimates.grad[0].any()
