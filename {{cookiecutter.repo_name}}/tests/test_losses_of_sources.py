"""Losses between estimates and sources: orders, closed forms, and the values of nussl."""

import inspect
import itertools
import math

import numpy as np
import pytest
import torch

from compat import nussl
from training.losses import LOSSES, L1Loss, MSELoss, SISDRLoss, SNRLoss, SourceLoss
from training.losses.sources import cheapest_permutation

theirs = nussl.ml.train.loss


def _required(loss):
    """The arguments without which a loss cannot be made."""
    parameters = inspect.signature(loss).parameters.values()
    return [p for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]


OF_SOURCES = {  # those that say how they are made without arguments, yours too
    name: loss
    for name, loss in LOSSES.items()
    if issubclass(loss, SourceLoss) and not _required(loss)
}
every_loss = pytest.mark.parametrize("loss", OF_SOURCES.values(), ids=OF_SOURCES)
SPECTRA = (2, 6, 5, 2)  # batch, frames, bins, channels
AUDIO = (2, 2, 1200)  # batch, channels, samples


def problem(loss, sources=2, estimates=None, dtype=torch.float64, seed=0, utterances=2):
    """(estimates, targets) of the shapes that the loss takes."""
    draw = torch.Generator().manual_seed(seed)
    shape = (utterances, *(AUDIO if "audio" in loss.DEFAULT_KEYS else SPECTRA)[1:])
    sounds = [
        torch.randn(*shape, n, generator=draw, dtype=torch.float64) * 0.1
        for n in (estimates or sources, sources)
    ]
    if "audio" not in loss.DEFAULT_KEYS:
        sounds = [sound.abs() for sound in sounds]
    sounds[0][..., :sources] += sounds[1] / 3  # an order that is better than others
    return [sound.to(dtype) for sound in sounds]


def l1(estimate, target):
    return np.abs(estimate - target).mean()


def mse(estimate, target):
    return ((estimate - target) ** 2).mean()


def snr(estimate, target):
    return -np.mean(
        [
            10 * np.log10(np.dot(s, s) / np.dot(e - s, e - s))
            for e, s in zip(estimate, target, strict=True)
        ]
    )


def l1_snr(estimate, target):
    return np.mean(10 * np.log10(np.abs(estimate - target).sum(-1) / np.abs(target).sum(-1)))


def si_sdr(estimate, target):
    """By the angle between the two, not by projecting one on the other."""
    costs = []
    for e, s in zip(estimate, target, strict=True):
        e, s = e - e.mean(), s - s.mean()
        cosine = np.dot(e, s) / np.linalg.norm(e) / np.linalg.norm(s)
        costs.append(-20 * np.log10(abs(cosine) / np.sin(np.arccos(abs(cosine)))))
    return np.mean(costs)


PLAIN = {"L1Loss": l1, "MSELoss": mse, "SNRLoss": snr, "L1SNRLoss": l1_snr, "SISDRLoss": si_sdr}


def brute_force(cost, estimates, targets, orders):
    """Each utterance by itself, in the best of the orders (indices of estimates)."""
    losses = []
    for e, s in zip(estimates.numpy(), targets.numpy(), strict=True):
        losses.append(
            min(
                np.mean([cost(e[..., i], s[..., n]) for n, i in enumerate(order)])
                for order in orders
            )
        )
    return np.mean(losses)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize(
    ("sources", "estimates"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (2, 3), (1, 3), (3, 5)]
)
def test_the_best_permutation_of_each_utterance_counts(name, sources, estimates):
    given = problem(LOSSES[name], sources, estimates, utterances=3)
    orders = list(itertools.permutations(range(estimates), sources))
    expected = brute_force(PLAIN[name], *given, orders)
    assert LOSSES[name]()(*given).item() == pytest.approx(expected, rel=1e-10, abs=1e-7)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("sources", [1, 2, 4])
def test_in_fixed_order_estimates_are_held_to_their_own_source(name, sources):
    given = problem(LOSSES[name], sources)
    expected = brute_force(PLAIN[name], *given, [range(sources)])
    loss = LOSSES[name](permutation_invariant=False)
    assert loss(*given).item() == pytest.approx(expected, rel=1e-10, abs=1e-7)


@every_loss
@pytest.mark.parametrize("sources", [2, 3, 4])
def test_estimates_in_another_order_cost_the_same(loss, sources):
    estimates, targets = problem(loss, sources)
    straight = loss()(estimates, targets).item()
    for order in itertools.permutations(range(sources)):
        assert loss()(estimates[..., list(order)], targets).item() == pytest.approx(
            straight, rel=1e-12
        )
        assert loss()(estimates, targets[..., list(order)]).item() == pytest.approx(
            straight, rel=1e-12
        )


@every_loss
def test_utterances_may_differ_in_their_order_but_bins_may_not(loss):
    _, targets = problem(loss, sources=2)
    perfect = loss(permutation_invariant=False)(targets, targets).item()
    by_utterance, by_bin = targets.clone(), targets.clone()
    by_utterance[1] = targets[1].flip(-1)
    by_bin[:, :, ::2] = targets[:, :, ::2].flip(-1)  # every other bin or sample
    assert loss()(by_utterance, targets).item() == pytest.approx(perfect, abs=1e-12)
    assert loss()(by_bin, targets).item() > perfect + 0.001
    # by hand: two bins in which the sources are 1 and 0, swapped in one of them
    if loss is L1Loss:
        ones = torch.tensor([1.0, 0.0]).expand(1, 2, 1, 1, 2)
        half = torch.stack([ones[:, 0], ones[:, 1].flip(-1)], dim=1)
        assert loss()(half, ones).item() == pytest.approx(0.5)


@every_loss
def test_pairs_cost_what_they_cost_one_by_one(loss):
    given = problem(loss, sources=3, estimates=4)
    expected = SourceLoss.pairwise(loss(), *given)
    assert expected.shape == (2, 4, 3)
    assert torch.allclose(loss().pairwise(*given), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "shape",
    [(5, 4, 4), (5, 5, 5), (5, 6, 4), (5, 5, 1), (5, 3, 3), (5, 3, 2), (5, 1, 1), (5, 2, 1)],
)
def test_the_assignment_is_the_cheapest_of_all(shape):
    costs = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    order = cheapest_permutation(costs)
    assert order.shape == (shape[0], shape[2])
    for matrix, row in zip(costs, order.tolist(), strict=True):
        assert len(set(row)) == shape[2]
        cheapest = min(
            sum(matrix[i, n].item() for n, i in enumerate(tried))
            for tried in itertools.permutations(range(shape[1]), shape[2])
        )
        assert sum(matrix[i, n].item() for n, i in enumerate(row)) == pytest.approx(cheapest)


@pytest.mark.parametrize("shape", [(4, 2, 2), (4, 3, 3), (4, 3, 2)])
def test_trying_all_orders_and_the_hungarian_algorithm_agree(monkeypatch, shape):
    costs = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    tried = cheapest_permutation(costs)
    monkeypatch.setattr("training.losses.sources.EXHAUSTIVE", 0)
    assert torch.equal(cheapest_permutation(costs), tried)


@every_loss
@pytest.mark.parametrize(("sources", "estimates"), [(1, 1), (2, 2), (4, 4), (2, 3), (2, 5)])
@pytest.mark.parametrize("invariant", [True, False])
def test_the_gradient_is_that_of_finite_differences(loss, sources, estimates, invariant):
    if estimates > sources and not invariant:
        return
    given, targets = problem(loss, sources, estimates)
    loss = loss(permutation_invariant=invariant)
    assert torch.autograd.gradcheck(
        lambda e: loss(e, targets), given.requires_grad_(), fast_mode=True
    )


@every_loss
def test_estimates_left_over_are_free(loss):
    estimates, targets = problem(loss, sources=2, estimates=3)
    estimates[..., [0, 2]] = targets + 0.01 * estimates[..., [0, 2]]
    estimates.requires_grad_()
    value = loss()(estimates, targets)
    value.backward()
    alone = loss()(estimates[..., [2, 0]], targets)
    assert value.item() == pytest.approx(alone.item(), rel=1e-12)
    assert not estimates.grad[..., 1].any()
    assert estimates.grad[..., [0, 2]].any()


@pytest.mark.parametrize(
    ("name", "inner"), [("L1Loss", theirs.L1Loss), ("MSELoss", theirs.MSELoss)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_value_and_gradient_are_those_of_nussl(name, inner, dtype):
    estimates, targets = problem(LOSSES[name], 3, dtype=dtype)
    more, _ = problem(LOSSES[name], 3, 4, dtype=dtype, seed=1)
    pairs = [
        (LOSSES[name](), theirs.PermutationInvariantLoss(inner()), estimates),
        (LOSSES[name](), theirs.CombinationInvariantLoss(inner()), more),
        (LOSSES[name](permutation_invariant=False), inner(), estimates),
    ]
    for ours, nussls, given in pairs:
        assert_same(ours, nussls, given, targets)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ratios_and_gradients_are_those_of_nussl(dtype):
    estimates, targets = problem(SISDRLoss, 2, dtype=dtype)
    estimates = estimates + targets
    mean = {"permutation_invariant": False}
    assert_same(SISDRLoss(**mean), theirs.SISDRLoss(), estimates, targets)
    assert_same(
        SNRLoss(**mean), theirs.SISDRLoss(scaling=False, zero_mean=False), estimates, targets
    )
    mono = estimates[:, :1], targets[:, :1]  # nussl's PIT takes channels for samples
    assert_same(SISDRLoss(), theirs.PermutationInvariantLoss(theirs.SISDRLoss()), *mono)


def assert_same(ours, nussls, estimates, targets):
    results = []
    for loss in (ours, nussls):
        given = estimates.clone().requires_grad_()
        value = loss(given, targets)
        value.backward()
        results.append((value.item(), given.grad))
    (value, gradient), (their_value, their_gradient) = results
    assert value == pytest.approx(their_value, rel=1e-5, abs=1e-6)
    assert torch.allclose(gradient, their_gradient, rtol=0, atol=1e-5 * their_gradient.abs().max())


@every_loss
@pytest.mark.parametrize(("sources", "estimates"), [(2, 2), (2, 3), (4, 4), (4, 5)])
@pytest.mark.parametrize("invariant", [True, False])
def test_it_runs_without_numbers_on_the_meta_device(loss, sources, estimates, invariant):
    if estimates > sources and not invariant:
        return
    given, targets = (part.to("meta") for part in problem(loss, sources, estimates))
    value = loss(permutation_invariant=invariant)(given.requires_grad_(), targets)
    value.backward()
    assert value.shape == ()
    assert value.device.type == given.grad.device.type == "meta"


@every_loss
@pytest.mark.parametrize("sources", [2, 4])
def test_half_precision_is_computed_with_in_single_precision(loss, sources):
    given, targets = problem(loss, sources, dtype=torch.bfloat16)
    value = loss()(given.requires_grad_(), targets)
    value.backward()
    assert value.dtype == torch.float32
    assert given.grad.dtype == torch.bfloat16
    assert value.item() == pytest.approx(loss()(given.float(), targets.float()).item(), rel=1e-6)


@every_loss
def test_another_memory_layout_gives_the_same(loss):
    estimates, targets = problem(loss, 3)
    turned = targets.movedim(-1, 1).contiguous().movedim(1, -1)
    assert not turned.is_contiguous()
    assert loss()(estimates, turned).item() == pytest.approx(loss()(estimates, targets).item())


@every_loss
@pytest.mark.parametrize("sources", [2, 4])
def test_a_nan_goes_through_to_the_one_who_trains(loss, sources):
    estimates, targets = problem(loss, sources)
    estimates[0, 0, 0] = math.nan
    assert loss()(estimates, targets).isnan()


@every_loss
def test_shapes_that_do_not_fit_are_refused(loss):
    estimates, targets = problem(loss, sources=3)
    with pytest.raises(ValueError, match="needs an estimate for each of 3 sources"):
        loss()(estimates[..., :2], targets)
    with pytest.raises(ValueError, match="permutation_invariant: true"):
        loss(permutation_invariant=False)(estimates, targets[..., :2])
    with pytest.raises(ValueError, match="may differ only in the number of sources"):
        loss()(estimates[:, :, 1:], targets)
    with pytest.raises(ValueError, match="may differ only in the number of sources"):
        loss()(estimates[0], targets)


@pytest.mark.parametrize("loss", [L1Loss, MSELoss])
def test_complex_spectra_are_compared_in_both_parts(loss):
    torch.manual_seed(0)
    estimates, targets = (torch.randn(2, 6, 5, 1, 2, 3, dtype=torch.float64) for _ in range(2))
    expected = brute_force(
        PLAIN[loss.__name__], estimates, targets, list(itertools.permutations(range(3)))
    )
    assert loss()(estimates, targets).item() == pytest.approx(expected)


def test_a_file_that_names_them_gets_them_with_typed_arguments_and_the_keys_of_nussl():
    assert {"L1Loss", "MSELoss", "SISDRLoss", "SNRLoss"} <= {*OF_SOURCES}
    for name, loss in OF_SOURCES.items():
        assert loss.__name__ == name
        assert [*loss.DEFAULT_KEYS.values()] == ["estimates", "targets"]
        parameters = inspect.signature(loss).parameters.values()
        assert all(parameter.annotation is not inspect.Parameter.empty for parameter in parameters)
    magnitudes = theirs.PermutationInvariantLoss.DEFAULT_KEYS
    assert L1Loss.DEFAULT_KEYS == MSELoss.DEFAULT_KEYS == magnitudes
    for loss in (SISDRLoss, SNRLoss):
        assert loss.DEFAULT_KEYS.keys() == theirs.SISDRLoss.DEFAULT_KEYS.keys()
