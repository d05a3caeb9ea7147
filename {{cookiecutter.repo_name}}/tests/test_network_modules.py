"""Modules of the networks of today: what each computes, against a plain computation of the same."""

import itertools
import math

import pytest
import torch
from torch import nn

from model.extras import (
    BandEmbedding,
    BandMasks,
    BandRecurrentStack,
    BandSplit,
    BandTransformerStack,
    ConvolutionalStack,
    DualPathStack,
    GridStack,
    SepFormerStack,
    STFTDecoder,
    STFTEncoder,
    cpu,
)
from model.extras.bands import band_widths
from model.extras.norms import CumulativeLayerNorm, GlobalLayerNorm, _GlobalLayerNorm
from model.extras.sepformer import _positions, _Transformer
from model.extras.transformer import RotaryTransformerLayer, rotated
from model.graphs import SPLIT_RNN
from model.stft import SPLIT_TRANSFORMER


@pytest.mark.parametrize("samples", [1, 5, 63, 64, 65, 400])
@pytest.mark.parametrize("window, hop", [(64, 32), (64, 20), (64, 9)])
def test_a_waveform_is_the_inverse_of_its_spectrum(samples, window, hop):
    audio = torch.randn(2, 2, samples)
    spectrum = STFTEncoder(window, hop)(audio)
    assert spectrum.shape == (2, 1 + math.ceil(samples / hop), window // 2 + 1, 2, 2)
    sources = torch.stack([spectrum, 2 * spectrum], dim=-1)
    out = STFTDecoder(window, hop)(sources, audio)
    assert torch.allclose(out[..., 0], audio, atol=1e-5)
    assert torch.allclose(out[..., 1], 2 * audio, atol=1e-5)


def test_the_inverse_of_a_changed_spectrum_is_that_of_torch():
    audio = torch.randn(1, 1, 1000)
    spectrum = torch.randn_like(STFTEncoder(128, 48)(audio))
    window = torch.hann_window(128)
    expected = torch.istft(
        torch.view_as_complex(spectrum[0, :, :, 0].transpose(0, 1).contiguous()),
        128,
        48,
        window=window,
        length=1000,
    )
    out = STFTDecoder(128, 48)(spectrum[..., None], audio)[0, 0, :, 0]
    assert torch.allclose(out[:960] / window.sum().sqrt(), expected[:960], atol=1e-5)


def test_the_bands_are_those_of_the_papers():
    """Luo and Yu 2023: 41 bands; Lu et al. 2024: 62, here as they give them, in bins."""
    widths = band_widths(1025, 44100, SPLIT_TRANSFORMER)
    assert widths == [2] * 24 + [4] * 12 + [12] * 8 + [24] * 8 + [48] * 8 + [128, 129]
    widths = band_widths(1025, 44100, SPLIT_RNN)
    assert widths == [5] * 10 + [12] * 12 + [23] * 8 + [46] * 8 + [93] * 3


@pytest.mark.parametrize("bins, rate", [(129, 8000), (257, 16000), (33, 8000), (2049, 48000)])
def test_bands_cover_the_spectrum_of_any_signal(bins, rate):
    for bands in (SPLIT_RNN, SPLIT_TRANSFORMER):
        widths = band_widths(bins, rate, bands)
        assert sum(widths) == bins and min(widths) >= 1


@pytest.mark.parametrize(
    "bins, widths",
    [
        (8, [2, 2, 4]),
        (9, [2, 2, 5]),  # a rest of less than half a band is part of the band below
        (10, [2, 2, 4, 2]),
        (11, [2, 2, 4, 3]),
        (13, [2, 2, 4, 5]),
    ],
)
def test_a_band_is_as_wide_as_its_first_frequency_says(bins, widths):
    """Bins of 1 Hz: bands of 2 Hz below 4 Hz, of 4 Hz from there on."""
    assert band_widths(bins, 2 * (bins - 1), [[4, 2], [8, 4]]) == widths


def test_a_width_in_hertz_is_rounded_to_bins():
    """Bins of 3 Hz: 8 Hz are nearly three of them, 10 Hz hardly more."""
    assert band_widths(12, 66, [[9, 8], [100, 10]]) == [3] * 4


def test_bands_begin_with_weights_as_large_as_those_of_a_linear_layer():
    split, masks = BandSplit([64] * 3, 4), BandMasks([3] * 40, 4, 2, hidden_size=100)
    linear = [*split.layers, *masks.hidden, *masks.out]
    assert [layer.weight.shape[1] for layer in linear] == [128, 4, 100]
    for layer in linear:
        bound = layer.weight.shape[1] ** -0.5  # as torch.nn.Linear's
        for values in (layer.weight, layer.bias):
            assert 0.9 * bound < values.abs().max() <= bound


def test_layers_of_masks_are_four_times_as_wide_as_their_bands_unless_it_is_said():
    for args, size in (({}, 24), ({"hidden_size": 5}, 5)):
        masks = BandMasks([3, 2], 6, num_sources=2, **args)
        assert [layer.weight.shape[-1] for layer in masks.hidden] == [size, size]


def test_each_band_has_a_norm_and_a_layer_of_its_own():
    split = BandSplit([3, 3, 2, 5, 5], 4, num_audio_channels=2)
    for parameter in split.parameters():
        nn.init.normal_(parameter)
    data = torch.randn(2, 7, 18, 2, 2)
    out = split(data)
    first = 0
    for number, width in enumerate([3, 3, 2, 5, 5]):
        group = [0, 0, 1, 2, 2][number]
        layer, within = split.layers[group], number - [0, 0, 2, 3, 3][number]
        band = data[:, :, first : first + width].reshape(2, 7, -1)
        band = band / band.square().mean(-1, keepdim=True).sqrt() * layer.scale[within]
        expected = band @ layer.weight[within] + layer.bias[within]
        assert torch.allclose(out[:, :, number], expected, atol=1e-5)
        first += width


def test_the_masks_of_a_band_follow_from_its_features_alone():
    masks = BandMasks([3, 3, 2], 4, num_sources=2, num_audio_channels=2, hidden_size=6)
    data = torch.randn(1, 5, 3, 4, requires_grad=True)
    out = masks(data)
    assert out.shape == (1, 5, 8, 2, 4)
    out[:, 2, 3:6].sum().backward()
    assert data.grad.abs().sum(dim=-1)[0].nonzero().tolist() == [[2, 1]]


def test_an_embedding_of_a_band_follows_from_its_features_and_has_length_one():
    head = BandEmbedding([3, 3, 2], 4, 5, ["tanh", "unit_norm"], num_audio_channels=2)
    data = torch.randn(1, 6, 3, 4, requires_grad=True)
    out = head(data)
    assert out.shape == (1, 6, 8, 2, 5)
    assert torch.allclose(out.norm(dim=-1), torch.ones(1, 6, 8, 2), atol=1e-5)
    out[:, 4, 6:].sum().backward()
    assert data.grad.abs().sum(dim=-1)[0].nonzero().tolist() == [[4, 2]]


def test_bands_of_magnitudes_without_a_norm_keep_their_level():
    split = BandSplit([3, 3, 2], 4, num_audio_channels=2, num_values=1, norm=False)
    data = torch.rand(2, 7, 8, 2)
    bias = split(torch.zeros_like(data))
    assert torch.allclose(split(3 * data) - bias, 3 * (split(data) - bias), atol=1e-5)


def test_rotated_products_depend_on_distances_alone():
    torch.manual_seed(0)
    layer = RotaryTransformerLayer(8, 1, 8)
    query, key = torch.randn(8), torch.randn(8)
    turn = layer._rotation(40)
    queries, keys = rotated(query.expand(40, 8), *turn), rotated(key.expand(40, 8), *turn)
    products = queries @ keys.T
    for distance in (0, 3, 17):
        diagonal = products.diagonal(distance)
        assert torch.allclose(diagonal, diagonal[0].expand_as(diagonal), atol=1e-5)
    assert torch.allclose(products[0, 0], query @ key, atol=1e-5)
    assert products[0].std() > 0.1


def test_attention_is_its_equation():
    """Each head by itself, by a softmax of scaled products."""
    torch.manual_seed(0)
    layer = RotaryTransformerLayer(6, 2, 4).double()
    data = torch.randn(1, 5, 6, dtype=torch.float64)
    queries, keys, values = layer.queries_keys_values(layer.attention_norm(data)).chunk(3, dim=-1)
    heads = []
    for head in range(2):
        q, k, v = (part[0, :, 4 * head : 4 * head + 4] for part in (queries, keys, values))
        turn = [part.double() for part in layer._rotation(5)]
        weights = (rotated(q, *turn) @ rotated(k, *turn).T / math.sqrt(4)).softmax(dim=-1)
        heads.append(weights @ v)
    expected = data + layer.attention_out(torch.cat(heads, dim=-1))
    expected = expected + layer.hidden(expected)
    assert torch.allclose(layer(data), expected, atol=1e-6)


@pytest.mark.parametrize(
    "bins, size, features", [(129, 512, 4), (128, 512, 4), (65, 512, 8), (9, 1, 1)]
)
def test_a_query_of_a_grid_has_at_least_as_many_features_as_asked(bins, size, features):
    """A whole number for each bin: E of Wang et al. 2023 is ceil(512 / bins)."""
    stack = GridStack(bins, num_layers=1, hidden_size=4, attention_size=size)
    attention = stack.blocks[0]["attention"]
    data = torch.randn(1, 2, bins, 64)
    assert attention.queries(data).shape == attention.keys(data).shape == (1, 4, 2, bins * features)


def test_the_level_of_the_mixture_is_that_of_a_grids_sources():
    torch.manual_seed(0)
    stack = GridStack(9, num_channels=8, hidden_size=4, num_layers=1, attention_size=18)
    data = torch.randn(2, 6, 9, 1, 2)
    assert torch.allclose(stack(100 * data), 100 * stack(data), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("frames, bins", [(1, 3), (2, 9), (30, 9)])
@pytest.mark.parametrize("kernel, stride", [(4, 1), (4, 3), (1, 1), (8, 8)])
def test_a_grid_of_any_size_stays_as_large(frames, bins, kernel, stride):
    stack = GridStack(bins, 2, 1, 8, 4, 1, kernel, stride, 2, 2 * bins)
    assert stack(torch.randn(2, frames, bins, 1, 2)).shape == (2, frames, bins, 1, 2, 2)


def test_layers_of_a_sepformer_begin_with_weights_of_their_own():
    stack = SepFormerStack(3, 4, 8, num_layers=2, depth=3, num_heads=2, chunk_size=4)
    weights = [value for value in stack.state_dict().values() if value.shape == (8, 4)]
    assert len(weights) == 2 * 2 * 3  # the first linear layer of each
    assert all(not torch.equal(a, b) for a, b in itertools.combinations(weights, 2))


def test_a_transformer_of_a_sepformer_tells_equal_frames_apart_by_their_positions():
    """A plain computation: layers of data and positions, the norm of all, the shortcut around."""
    transformer = _Transformer(6, 8, depth=2, num_heads=2, dropout=0.0)
    data = torch.randn(6).expand(2, 3, 5, 6)
    sequences = (data + _positions(5, 6, data)).flatten(0, 1)
    out = transformer.layers(sequences).unflatten(0, (2, 3))
    items = out.flatten(1)
    deviation = items.std(dim=1, correction=0)[:, None, None, None]
    out = (out - items.mean(dim=1)[:, None, None, None]) / deviation
    found = transformer(data)
    assert torch.allclose(found, data + out, atol=1e-5)
    assert (found[0, 0, 1:] - found[0, 0, :-1]).abs().amax(dim=1).min() > 0.01


def test_positions_are_sines_and_cosines_of_their_paper():
    """Vaswani et al. 2017: sin(p / 10000^(2 i / d)) at feature 2 i, the cosine after it."""
    found = _positions(30, 6, torch.zeros(1))
    for place, feature in itertools.product(range(30), range(6)):
        angle = place / 10000 ** (2 * (feature // 2) / 6)
        expected = math.cos(angle) if feature % 2 else math.sin(angle)
        assert found[place, feature] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("frames", [1, 5, 17])
def test_a_sepformer_sees_the_whole_sequence_at_every_frame(frames):
    stack = SepFormerStack(3, 4, 8, num_layers=1, depth=1, num_heads=2, chunk_size=4)
    data = torch.randn(1, frames, 3, requires_grad=True)
    out = stack(data)
    assert out.shape == (1, frames, 4)
    out[0, 0].square().sum().backward()
    assert (data.grad[0].abs().sum(dim=-1) > 0).all()


def test_a_causal_frame_sees_none_that_come_later():
    stack = ConvolutionalStack(3, 4, 6, 3, 2, causal=True).double()
    data = torch.randn(1, 60, 3, dtype=torch.float64)
    whole = stack(data)
    for frames in (1, 20, 59):
        assert torch.allclose(stack(data[:, :frames]), whole[:, :frames], atol=1e-10)
    data.requires_grad_()
    stack(data)[0, 40].square().sum().backward()
    assert data.grad[0, :41].abs().sum(dim=-1).all() and not data.grad[0, 41:].any()


def results_of(stack, data):
    """What a stack computes of `data`, and the gradients of its input and its parameters."""
    data = data.requires_grad_()
    out = stack(data)
    weights = torch.arange(out.numel(), dtype=out.dtype).reshape(out.shape).cos()
    return [out, *torch.autograd.grad((out * weights).sum(), [data, *stack.parameters()])]


def compare_with_torch(monkeypatch, stack, data):
    """What a stack computes on a CPU is what it computes with torch's layers."""
    torch.manual_seed(0)
    for parameter in stack.parameters():  # slopes, scales and shifts that leave nothing as it is
        nn.init.uniform_(parameter, -1, 1)
    with monkeypatch.context() as patch:
        patch.setattr(cpu, "applies_to", lambda data: False)
        expected = results_of(stack, data.clone())
    for found, one in zip(results_of(stack, data.clone()), expected, strict=True):
        torch.testing.assert_close(found, one, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("batch", "frames"), [(1, 1), (2, 7), (3, 40)])  # dilations up to 8
def test_convolutions_on_a_cpu_are_those_of_torch(monkeypatch, causal, batch, frames):
    stack = ConvolutionalStack(6, 4, 8, num_layers=4, num_repeats=2, causal=causal).double()
    compare_with_torch(monkeypatch, stack, torch.randn(batch, frames, 6, dtype=torch.float64))


@pytest.mark.parametrize(
    "make",
    [
        lambda: DualPathStack(6, 4, 5, 2, 4),
        lambda: DualPathStack(6, 4, 5, 2, 4, rnn_type="gru"),
        lambda: BandRecurrentStack(6, 5, 2),
        lambda: GridStack(6, 2, 1, 4, 5, 1, 4, 1, 2, 12),
        lambda: GridStack(6, 2, 1, 4, 5, 1, 4, 3, 2, 12),
        lambda: GridStack(6, 2, 1, 4, 5, 1, 2, 2, 2, 12),
    ],
)
@pytest.mark.parametrize(("batch", "frames"), [(1, 1), (3, 9)])
def test_recurrent_layers_on_a_cpu_are_those_of_torch(monkeypatch, make, batch, frames):
    stack = make().double()
    size = {BandRecurrentStack: (3, 6), GridStack: (6, 1, 2)}.get(type(stack), (6,))
    data = torch.randn(batch, frames, *size, dtype=torch.float64)
    compare_with_torch(monkeypatch, stack, data)


def test_gradients_of_convolutions_on_a_cpu_are_slopes():
    torch.manual_seed(0)
    stack = ConvolutionalStack(3, 2, 4, num_layers=2, num_repeats=1).double()
    assert torch.autograd.gradcheck(stack, torch.randn(2, 5, 3).double().requires_grad_())


@pytest.mark.parametrize(
    ("make", "size", "ratio"),
    [
        (lambda: ConvolutionalStack(4, 4, 64, num_layers=4, num_repeats=1), (4,), 0.75),
        (lambda: DualPathStack(4, 8, 16, 1, 20), (4,), 0.97),
        (lambda: BandRecurrentStack(8, 16, 1), (4, 8), 0.97),
    ],
)
def test_a_stack_keeps_less_on_a_cpu(monkeypatch, make, size, ratio):
    def bytes_kept():
        kept = {}  # tensors that share their memory count once
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: kept.update({tensor.untyped_storage().data_ptr(): tensor}),
            lambda _: None,
        ):
            stack(data)
        return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())

    stack, data = make(), torch.randn(1, 500, *size)
    by_hand = bytes_kept()
    monkeypatch.setattr(cpu, "applies_to", lambda data: False)
    assert by_hand < ratio * bytes_kept()


@pytest.mark.parametrize("shape", [(1, 3, 1), (2, 3, 20), (2, 4, 5, 6)])
def test_the_global_norm_of_a_gpu_is_that_of_torch(shape):
    """What runs on a GPU, run on the CPU; test_gpu.py has whole networks on both."""
    norm = GlobalLayerNorm(shape[1], eps=1e-5).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    data = (3 + torch.randn(shape, dtype=torch.float64)).transpose(0, -1).contiguous()
    data = data.transpose(0, -1).requires_grad_()  # not contiguous
    inputs = data, norm.weight, norm.bias
    assert torch.allclose(_GlobalLayerNorm.apply(*inputs, norm.eps), norm(data), atol=1e-12)
    assert torch.autograd.gradcheck(lambda *given: _GlobalLayerNorm.apply(*given, 1e-5), inputs)


def test_a_cumulative_norm_uses_the_mean_and_variance_so_far():
    norm = CumulativeLayerNorm(3)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    data = torch.randn(2, 3, 20)
    out = norm(data)
    for frame in (0, 7, 19):
        so_far = data[:, :, : frame + 1].flatten(1)
        normal = data[:, :, frame] - so_far.mean(dim=1, keepdim=True)
        normal = normal / so_far.std(dim=1, keepdim=True, correction=0)
        expected = normal * norm.weight[:, 0] + norm.bias[:, 0]
        assert torch.allclose(out[:, :, frame], expected, atol=1e-4)


def test_a_cumulative_norm_adds_up_half_precision_in_single():
    norm = CumulativeLayerNorm(16)
    data = (3 + torch.randn(1, 16, 3000)).bfloat16()
    assert torch.equal(norm(data), norm(data.float()))


STACKS = {  # six blocks each
    "convolution": (lambda: ConvolutionalStack(8, 8, 16, 3, 2, dropout=0.2), (2, 50, 8)),
    "dual path": (lambda: DualPathStack(8, 8, 8, 6, 10, dropout=0.2), (2, 50, 8)),
    "sepformer": (lambda: SepFormerStack(8, 8, 16, 6, 1, 2, 10, dropout=0.2), (2, 50, 8)),
    "bands, recurrent": (lambda: BandRecurrentStack(8, 8, 6, dropout=0.2), (2, 20, 5, 8)),
    "bands, attention": (lambda: BandTransformerStack(8, 6, 2, 4, dropout=0.2), (2, 20, 5, 8)),
    "grid": (lambda: GridStack(9, 2, 1, 8, 8, 6, attention_size=18), (2, 20, 9, 1, 2)),
}


@pytest.mark.parametrize("name", STACKS)
def test_checkpointing_keeps_less_and_gives_the_same_gradients(name):
    make, shape = STACKS[name]
    stack, data = make(), torch.randn(shape, requires_grad=True)
    found = []
    for checkpointing in (False, True):
        for module in stack.modules():
            if hasattr(module, "checkpointing"):
                module.checkpointing = checkpointing
        kept = {}

        def keep(tensor, kept=kept):
            kept[tensor.data_ptr()] = tensor.numel()
            return tensor

        torch.manual_seed(1)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            out = stack(data)
        gradients = torch.autograd.grad(out.square().sum(), [data, *stack.parameters()])
        found.append((out, gradients, sum(kept.values())))
    (plain, gradients, everything), (other, again, kept) = found
    assert torch.equal(plain, other)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(gradients, again, strict=True))
    assert kept < 0.6 * everything
