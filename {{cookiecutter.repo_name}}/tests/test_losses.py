"""The losses of embeddings against what they stand for, in float64."""

import numpy as np
import pytest
import torch

from compat import nussl
from training.losses import LOSSES, DeepClusteringLoss, WhitenedKMeansLoss, inner_products

nussl_loss = nussl.ml.train.loss.DeepClusteringLoss()
ours = DeepClusteringLoss()
whitened, nussl_whitened = WhitenedKMeansLoss(), nussl.ml.train.loss.WhitenedKMeansLoss()
both = pytest.mark.parametrize("loss", [ours, whitened], ids=["affinities", "whitened"])


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


def whitened_brute_force(embedding, assignments, weights):
    """The mean over items of dims + sources - 2 <P, Q>, with the whole matrices P and Q (bins x
    bins) that project on embeddings and on assignments, each row of I below W^(1/2) V and
    W^(1/2) Y a bin that is theirs alone."""
    losses = []
    for v, y, w in zip(embedding, assignments, weights, strict=True):
        projections = []
        for rows in (v, y):
            rows = rows.reshape(-1, rows.shape[-1]).double().numpy()
            rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            rows = rows * w.reshape(-1, 1).double().numpy()
            basis, _ = np.linalg.qr(np.vstack([rows, np.eye(rows.shape[1])]))
            projections.append((basis @ basis.T)[: len(rows), : len(rows)])
        dims = v.shape[-1] + y.shape[-1]
        losses.append(dims - 2 * np.sum(projections[0] * projections[1]))
    return np.mean(losses)


shapes = pytest.mark.parametrize("shape", [(1, 7, 1, 1), (2, 4, 5, 2), (3, 12, 9, 1), (2, 40)])


@shapes
@pytest.mark.parametrize("sources", [1, 2, 4])
def test_it_is_the_distance_of_the_whole_affinity_matrices(shape, sources):
    given = problem(shape, sources=sources)
    assert ours(*given).item() == pytest.approx(brute_force(*given), rel=1e-7)


@shapes
@pytest.mark.parametrize("sources", [1, 2, 4])
def test_whitened_it_is_that_of_the_projections(shape, sources):
    given = problem(shape, sources=sources)
    assert whitened(*given).item() == pytest.approx(whitened_brute_force(*given), rel=1e-9)


def test_by_hand_two_bins_of_two_sources_with_one_embedding_cost_a_half():
    embedding = torch.tensor([[[1.0, 0.0], [3.0, 0.0]]])  # affinity 1 throughout
    assignments = torch.eye(2)[None]  # affinity 1 on the diagonal: 2 of 4 are wrong
    assert ours(embedding, assignments, torch.ones(1, 2)).item() == pytest.approx(2 / 4)
    # weights^2 are 1 and 4: 2 wrong pairs of weight 4, over (1 + 4)^2
    assert ours(embedding, assignments, torch.tensor([[1.0, 2.0]])).item() == pytest.approx(8 / 25)


def test_by_hand_whitened_a_bin_of_weight_1_is_a_half_of_a_projection():
    embedding, assignments = torch.tensor([[[5.0, 0.0]]]), torch.tensor([[[1.0]]])
    # V'WV + I = diag(2, 1), Y'WY + I = 2, Y'WV = (1, 0): 2 + 1 - 2 / (2 * 2)
    assert whitened(embedding, assignments, torch.ones(1, 1)).item() == pytest.approx(2.5)
    # of weight 2, 4 squared: 2 + 1 - 2 * 4 * 4 / (5 * 5)
    assert whitened(embedding, assignments, 2 * torch.ones(1, 1)).item() == pytest.approx(1.72)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(2, 4, 5, 2), (4, 50, 33, 1)])
@pytest.mark.parametrize(
    ("loss", "theirs"),
    [(ours, nussl_loss), (whitened, nussl_whitened)],
    ids=["affinities", "whitened"],
)
def test_value_and_gradient_are_those_of_nussl(loss, theirs, shape, dtype):
    embedding, assignments, weights = problem(shape, dtype=dtype)
    results = []
    for each in (loss, theirs):
        v = embedding.clone().requires_grad_()
        value = each(v, assignments, weights)
        value.backward()
        results.append((value.item(), v.grad))
    (value, gradient), (their_value, their_gradient) = results
    assert value == pytest.approx(their_value, rel=1e-5)
    assert torch.allclose(gradient, their_gradient, rtol=0, atol=1e-5 * their_gradient.abs().max())


@both
def test_the_gradient_is_that_of_finite_differences(loss):
    embedding, assignments, weights = problem((2, 3, 2, 1), dims=3, sources=2)
    assert torch.autograd.gradcheck(
        lambda v: loss(v, assignments, weights), embedding.requires_grad_()
    )


@both
def test_a_factor_on_the_loss_is_a_factor_on_its_gradient(loss):
    embedding, assignments, weights = problem()
    once, thrice = (embedding.clone().requires_grad_() for _ in range(2))
    loss(once, assignments, weights).backward()
    (3 * loss(thrice, assignments, weights)).backward()
    assert torch.allclose(thrice.grad, 3 * once.grad, rtol=1e-12)


def test_whitened_an_embedding_that_separates_the_sources_costs_its_dims_less_its_sources():
    _, assignments, weights = problem((2, 40), dims=6, sources=3)
    perfect = torch.nn.functional.pad(assignments, (0, 3))
    # weights so large that the I beside them vanishes
    assert whitened(perfect, assignments, 1e5 * weights).item() == pytest.approx(6 - 3, abs=1e-6)


def test_an_embedding_that_separates_the_sources_costs_nothing():
    _, assignments, weights = problem(dims=6, sources=3)
    perfect = 7.0 * torch.nn.functional.pad(assignments, (0, 3))  # orthogonal, of any length
    perfect.requires_grad_()
    loss = ours(perfect, assignments, weights)
    loss.backward()
    assert abs(loss.item()) < 1e-12
    assert perfect.grad.abs().max() < 1e-12


@both
def test_the_length_of_an_embedding_means_nothing(loss):
    embedding, assignments, weights = problem()
    scale = torch.rand(*embedding.shape[:-1], 1, dtype=torch.float64) + 0.1
    assert loss(scale * embedding, assignments, weights).item() == pytest.approx(
        loss(embedding, assignments, weights).item(), rel=1e-10
    )


@both
def test_a_bin_without_weight_means_nothing(loss):
    embedding, assignments, weights = problem((1, 30))
    weights[:, 20:] = 0
    short = loss(embedding[:, :20], assignments[:, :20], weights[:, :20])
    assert loss(embedding, assignments, weights).item() == pytest.approx(short.item(), rel=1e-10)


@both
@pytest.mark.parametrize("rows", [1, 7, 40, 41])
def test_the_size_of_a_block_changes_nothing(monkeypatch, loss, rows):
    embedding, assignments, weights = problem((3, 4, 5, 2))

    def run():
        v = embedding.clone().requires_grad_()
        value = loss(v, assignments, weights)
        value.backward()
        return value.item(), v.grad

    value, gradient = run()
    monkeypatch.setattr(inner_products, "ROWS", rows)
    blocked_value, blocked_gradient = run()
    assert blocked_value == pytest.approx(value, rel=1e-12)
    assert torch.allclose(blocked_gradient, gradient, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize(
    ("loss", "theirs"),
    [(ours, nussl_loss), (whitened, nussl_whitened)],
    ids=["affinities", "whitened"],
)
def test_silent_bins_and_embeddings_of_zeros_give_finite_numbers_as_in_nussl(loss, theirs):
    embedding, assignments, weights = problem((2, 30), dtype=torch.float32)
    embedding[:, 3:6] = 0
    weights[:, 10:15] = 0
    assignments[:, 12:18] = 0  # no source, or none alone
    embedding.requires_grad_()
    value = loss(embedding, assignments, weights)
    value.backward()
    expected = theirs(embedding, assignments, weights).item()
    assert value.item() == pytest.approx(expected, rel=1e-5)
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


@both
def test_one_item_after_the_other_gives_the_mean(loss):
    given = problem((4, 30))
    singly = [loss(*(part[i : i + 1] for part in given)).item() for i in range(4)]
    assert loss(*given).item() == pytest.approx(np.mean(singly), rel=1e-12)


@both
def test_another_memory_layout_gives_the_same(loss):
    embedding, assignments, weights = problem((2, 6, 5, 1))
    turned = embedding.transpose(1, 2).contiguous().transpose(1, 2)
    assert not turned.is_contiguous()
    turned.requires_grad_()
    straight = embedding.clone().requires_grad_()
    loss(turned, assignments, weights).backward()
    loss(straight, assignments, weights).backward()
    assert torch.allclose(turned.grad, straight.grad, rtol=1e-12)


@both
def test_it_runs_without_numbers_on_the_meta_device(loss):
    embedding, assignments, weights = (part.to("meta") for part in problem())
    value = loss(embedding.requires_grad_(), assignments, weights)
    value.backward()
    assert value.shape == ()
    assert value.device.type == embedding.grad.device.type == "meta"
    assert embedding.grad.shape == embedding.shape


@both
def test_half_precision_is_computed_with_in_single_precision(loss):
    given = [part.bfloat16() for part in problem()]
    expected = loss(*(part.float() for part in given)).item()
    given[0].requires_grad_()
    value = loss(*given)
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected, rel=1e-6)
    assert given[0].grad.dtype == torch.bfloat16


@both
def test_single_precision_is_enough_for_400_frames_of_257_bins(loss):
    given = problem((1, 400, 257, 1), dims=20, sources=2, dtype=torch.float32)
    gradients = []
    for dtype in (torch.float32, torch.float64):
        v, assignments, weights = (part.detach().to(dtype) for part in given)
        value = loss(v.requires_grad_(), assignments, weights)
        value.backward()
        gradients.append((value.item(), v.grad.double()))
    (single, of_single), (double, of_double) = gradients
    assert single == pytest.approx(double, rel=1e-5)
    assert (of_single - of_double).abs().max() < 1e-4 * of_double.abs().max()


def test_a_file_that_names_them_gets_them_with_the_keys_of_nussl():
    assert LOSSES["DeepClusteringLoss"] is DeepClusteringLoss
    assert DeepClusteringLoss.DEFAULT_KEYS == nussl_loss.DEFAULT_KEYS
    assert LOSSES["WhitenedKMeansLoss"] is WhitenedKMeansLoss
    assert WhitenedKMeansLoss.DEFAULT_KEYS == nussl_whitened.DEFAULT_KEYS
