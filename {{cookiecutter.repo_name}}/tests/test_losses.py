"""The deep clustering loss against the affinities that it stands for, in float64."""

import numpy as np
import pytest
import torch

from compat import nussl
from training.losses import LOSSES, DeepClusteringLoss, deep_clustering

nussl_loss = nussl.ml.train.loss.DeepClusteringLoss()
ours = DeepClusteringLoss()


def problem(shape=(2, 4, 5, 2), dims=6, sources=3, dtype=torch.float64, seed=0):
    """(embedding, assignments, weights) as networks and the front end give them."""
    draw = torch.Generator().manual_seed(seed)
    embedding = torch.randn(*shape, dims, generator=draw, dtype=dtype)
    loudest = torch.randint(sources, shape, generator=draw)
    assignments = torch.nn.functional.one_hot(loudest, sources).to(dtype)
    weights = torch.rand(shape, generator=draw, dtype=dtype)
    return embedding, assignments, weights


def brute_force(embedding, assignments, weights):
    """The mean over items of |W^(1/2) (VV' - YY') W^(1/2)|^2 / (sum of weights^2)^2, with the whole
    affinity matrices (bins x bins), in numpy."""
    losses = []
    for v, y, w in zip(embedding, assignments, weights, strict=True):
        v = v.reshape(-1, v.shape[-1]).double().numpy()
        y = y.reshape(-1, y.shape[-1]).double().numpy()
        w = w.reshape(-1).double().numpy()
        v = v / np.linalg.norm(v, axis=1, keepdims=True)
        difference = v @ v.T - y @ y.T
        losses.append(np.sum(np.outer(w**2, w**2) * difference**2) / np.sum(w**2) ** 2)
    return np.mean(losses)


@pytest.mark.parametrize("shape", [(1, 7, 1, 1), (2, 4, 5, 2), (3, 12, 9, 1), (2, 40)])
@pytest.mark.parametrize("sources", [1, 2, 4])
def test_it_is_the_distance_of_the_whole_affinity_matrices(shape, sources):
    given = problem(shape, sources=sources)
    assert ours(*given).item() == pytest.approx(brute_force(*given), rel=1e-7)


def test_by_hand_two_bins_of_two_sources_with_one_embedding_cost_a_half():
    embedding = torch.tensor([[[1.0, 0.0], [3.0, 0.0]]])  # affinity 1 throughout
    assignments = torch.eye(2)[None]  # affinity 1 on the diagonal: 2 of 4 are wrong
    assert ours(embedding, assignments, torch.ones(1, 2)).item() == pytest.approx(2 / 4)
    # weights^2 are 1 and 4: 2 wrong pairs of weight 4, over (1 + 4)^2
    assert ours(embedding, assignments, torch.tensor([[1.0, 2.0]])).item() == pytest.approx(8 / 25)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(2, 4, 5, 2), (4, 50, 33, 1)])
def test_value_and_gradient_are_those_of_nussl(shape, dtype):
    embedding, assignments, weights = problem(shape, dtype=dtype)
    results = []
    for loss in (ours, nussl_loss):
        v = embedding.clone().requires_grad_()
        value = loss(v, assignments, weights)
        value.backward()
        results.append((value.item(), v.grad))
    (value, gradient), (their_value, their_gradient) = results
    assert value == pytest.approx(their_value, rel=1e-5)
    assert torch.allclose(gradient, their_gradient, rtol=0, atol=1e-5 * their_gradient.abs().max())


def test_the_gradient_is_that_of_finite_differences():
    embedding, assignments, weights = problem((2, 3, 2, 1), dims=3, sources=2)
    assert torch.autograd.gradcheck(lambda v: ours(v, assignments, weights),
                                    embedding.requires_grad_())


def test_a_factor_on_the_loss_is_a_factor_on_its_gradient():
    embedding, assignments, weights = problem()
    once, thrice = (embedding.clone().requires_grad_() for _ in range(2))
    ours(once, assignments, weights).backward()
    (3 * ours(thrice, assignments, weights)).backward()
    assert torch.allclose(thrice.grad, 3 * once.grad, rtol=1e-12)


def test_an_embedding_that_separates_the_sources_costs_nothing():
    _, assignments, weights = problem(dims=6, sources=3)
    perfect = 7.0 * torch.nn.functional.pad(assignments, (0, 3))  # orthogonal, of any length
    perfect.requires_grad_()
    loss = ours(perfect, assignments, weights)
    loss.backward()
    assert abs(loss.item()) < 1e-12
    assert perfect.grad.abs().max() < 1e-12


def test_the_length_of_an_embedding_means_nothing():
    embedding, assignments, weights = problem()
    scale = torch.rand(*embedding.shape[:-1], 1, dtype=torch.float64) + 0.1
    assert ours(scale * embedding, assignments, weights).item() == pytest.approx(
        ours(embedding, assignments, weights).item(), rel=1e-10)


def test_a_bin_without_weight_means_nothing():
    embedding, assignments, weights = problem((1, 30))
    weights[:, 20:] = 0
    short = ours(embedding[:, :20], assignments[:, :20], weights[:, :20])
    assert ours(embedding, assignments, weights).item() == pytest.approx(short.item(), rel=1e-10)


@pytest.mark.parametrize("rows", [1, 7, 40, 41])
def test_the_size_of_a_block_changes_nothing(monkeypatch, rows):
    embedding, assignments, weights = problem((3, 4, 5, 2))

    def run():
        v = embedding.clone().requires_grad_()
        loss = ours(v, assignments, weights)
        loss.backward()
        return loss.item(), v.grad

    value, gradient = run()
    monkeypatch.setattr(deep_clustering, "ROWS", rows)
    blocked_value, blocked_gradient = run()
    assert blocked_value == pytest.approx(value, rel=1e-12)
    assert torch.allclose(blocked_gradient, gradient, rtol=1e-10, atol=1e-15)


def test_silent_bins_and_embeddings_of_zeros_give_finite_numbers_as_in_nussl():
    embedding, assignments, weights = problem((2, 30), dtype=torch.float32)
    embedding[:, 3:6] = 0
    weights[:, 10:15] = 0
    assignments[:, 12:18] = 0  # no source, or none alone
    embedding.requires_grad_()
    loss = ours(embedding, assignments, weights)
    loss.backward()
    expected = nussl_loss(embedding, assignments, weights).item()
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert torch.isfinite(embedding.grad).all()
    assert not embedding.grad[:, 10:15].any()


def test_a_silent_item_costs_nothing_and_is_no_nan():
    embedding, assignments, weights = problem((2, 30))
    weights[0], assignments[0] = 0, 0
    alone = ours(embedding[1:], assignments[1:], weights[1:])
    embedding.requires_grad_()
    loss = ours(embedding, assignments, weights)
    loss.backward()
    assert loss.item() == pytest.approx(alone.item() / 2, rel=1e-6)
    assert torch.isfinite(embedding.grad).all()
    assert not embedding.grad[0].any()


def test_one_item_after_the_other_gives_the_mean():
    given = problem((4, 30))
    singly = [ours(*(part[i : i + 1] for part in given)).item() for i in range(4)]
    assert ours(*given).item() == pytest.approx(np.mean(singly), rel=1e-12)


def test_memory_that_lies_otherwise_gives_the_same():
    embedding, assignments, weights = problem((2, 6, 5, 1))
    turned = embedding.transpose(1, 2).contiguous().transpose(1, 2)
    assert not turned.is_contiguous()
    turned.requires_grad_()
    straight = embedding.clone().requires_grad_()
    ours(turned, assignments, weights).backward()
    ours(straight, assignments, weights).backward()
    assert torch.allclose(turned.grad, straight.grad, rtol=1e-12)


def test_it_runs_without_numbers_on_the_meta_device():
    embedding, assignments, weights = (part.to("meta") for part in problem())
    loss = ours(embedding.requires_grad_(), assignments, weights)
    assert loss.shape == ()
    assert loss.device.type == "meta"


def test_a_file_that_names_it_gets_it_with_the_keys_of_nussl():
    assert LOSSES["DeepClusteringLoss"] is DeepClusteringLoss
    assert DeepClusteringLoss.DEFAULT_KEYS == nussl_loss.DEFAULT_KEYS
