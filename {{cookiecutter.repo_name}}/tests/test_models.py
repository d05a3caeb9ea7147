"""The networks: sizes of the papers, exact lengths, and gradients that reach everything."""

import inspect

import pytest
import torch
from torch import nn

from compat import nussl
from model import BUILDERS
from model.extras import (
    ComplexMask,
    ConvolutionalStack,
    Decoder,
    DualPathStack,
    Embedding,
    Encoder,
    ResidualRecurrentStack,
)
from model.extras.sequences import chunks_of, overlap_add

SPECTROGRAM = ("mask_inference", "deep_clustering", "chimera")
FILTERS = ("tasnet", "conv_tasnet", "dual_path", "sepformer")
SPECTRUM = ("band_split_rnn", "band_split_roformer", "tf_gridnet")
WAVEFORM = FILTERS + SPECTRUM
STFT = {"window_length": 64, "hop_length": 20, "num_channels": 8, "num_layers": 2}
SMALL = {
    "mask_inference": {"num_layers": 2, "hidden_size": 6, "dropout": 0.0},
    "deep_clustering": {"num_layers": 2, "hidden_size": 6, "dropout": 0.0},
    "chimera": {"num_layers": 2, "hidden_size": 6, "dropout": 0.0},
    "tasnet": {"num_filters": 12, "num_layers": 2, "hidden_size": 6},
    "conv_tasnet": {
        "num_filters": 12,
        "num_channels": 6,
        "hidden_size": 8,
        "num_layers": 2,
        "num_repeats": 2,
    },
    "dual_path": {
        "num_filters": 12,
        "num_channels": 6,
        "hidden_size": 4,
        "num_layers": 2,
        "chunk_size": 6,
    },
    "sepformer": {
        "num_filters": 12,
        "num_channels": 8,
        "hidden_size": 16,
        "num_layers": 1,
        "depth": 2,
        "num_heads": 2,
        "chunk_size": 6,
    },
    "band_split_rnn": {**STFT, "hidden_size": 6},
    "band_split_roformer": {**STFT, "num_heads": 2, "head_size": 4},
    "tf_gridnet": {**STFT, "hidden_size": 6, "num_heads": 2, "attention_size": 66},
}


def build(name, bins=33, channels=1, **args):
    """A nussl model of the builder's own (published) sizes, but for `args`."""
    given = {"num_audio_channels": channels, "num_features": bins, "sample_rate": 8000}
    takes = inspect.signature(BUILDERS[name]).parameters
    given = {key: value for key, value in given.items() if key in takes}
    return nussl.ml.SeparationModel(BUILDERS[name](**given, **args))


def batch_for(model, batch=2, frames=9, bins=33, channels=1, samples=403, device="cpu"):
    """Random input of the kinds that the model reads."""
    spectrum = torch.randn(batch, frames, bins, channels, 2, device=device)
    there = {
        "mix_spectrum": spectrum,
        "mix_magnitude": spectrum.norm(dim=-1),
        "mix_audio": torch.randn(batch, channels, samples, device=device),
    }
    return {key: there[key] for key in model.input}


def size(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    "name, args, millions",
    [
        # Table VI of Luo and Mesgarani 2019 has the sizes of the first three
        ("conv_tasnet", {}, 5.1),
        ("tasnet", {}, 23.6),
        ("chimera", {"hidden_size": 600}, 32.9),
        ("dual_path", {}, 2.6),  # Table 2 of Luo, Chen and Yoshioka 2020
        ("sepformer", {}, 26.0),  # Table 1 of Subakan et al. 2021
        ("tf_gridnet", {}, 14.5),  # of Wang et al. 2023
        # uPIT-BLSTM-ST, 92.7 million, is two of these one after the other
        ("mask_inference", {"num_layers": 3, "hidden_size": 896}, 92.7 / 2),
    ],
)
def test_a_network_of_published_sizes_has_the_published_number_of_parameters(name, args, millions):
    assert size(build(name, bins=129, **args)) == pytest.approx(1e6 * millions, rel=0.025)


@pytest.mark.parametrize("name", FILTERS)
def test_the_stride_of_an_encoder_is_half_a_filter_unless_it_is_given(name):
    for args, stride in (({"filter_length": 32}, 16), ({"filter_length": 32, "stride": 8}, 8)):
        layers = build(name, **{**SMALL[name], **args}).layers
        assert layers["encoder"].filters.stride == layers["audio"].filters.stride == (stride,)


def test_conv_tasnet_sees_as_far_as_its_paper_says():
    """1.53 s at 8 kHz, with filters of 16 samples every 8."""
    stack = build("conv_tasnet").layers["separator"]
    assert ((stack.receptive_field - 1) * 8 + 16) / 8000 == pytest.approx(1.53, abs=0.005)


@pytest.mark.parametrize("layers, repeats, kernel", [(1, 1, 3), (3, 1, 3), (2, 3, 3), (2, 2, 5)])
def test_the_receptive_field_is_what_changes_an_output(layers, repeats, kernel):
    stack = ConvolutionalStack(3, 4, 5, layers, repeats, kernel).double()
    for module in stack.modules():  # global norms let every frame see all others
        for name, child in module.named_children():
            if isinstance(child, nn.GroupNorm):
                setattr(module, name, nn.Identity())
    data = torch.randn(1, 201, 3, dtype=torch.float64, requires_grad=True)
    stack(data)[0, 100].sum().backward()
    seen = data.grad[0].abs().sum(dim=-1).nonzero().flatten()
    assert len(seen) <= stack.receptive_field
    assert (seen[0], seen[-1]) == (
        100 - stack.receptive_field // 2,
        100 + stack.receptive_field // 2,
    )


@pytest.mark.parametrize("name", WAVEFORM)
@pytest.mark.parametrize("samples", [1, 7, 39, 40, 41, 160, 403])
def test_a_waveform_comes_out_as_long_as_it_went_in(name, samples):
    model = build(name, **SMALL[name])
    out = model(batch_for(model, samples=samples))["audio"]
    assert out.shape == (2, 1, samples, 2)
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("sources", [2, 3, 4, 5])
@pytest.mark.parametrize("name", SMALL)
def test_every_network_takes_mono_and_stereo_and_two_to_five_sources(name, channels, sources):
    named = {} if name == "deep_clustering" else {"num_sources": sources}
    model = build(name, channels=channels, **SMALL[name], **named)
    out = model(batch_for(model, channels=channels))
    if name in WAVEFORM:
        assert out["audio"].shape == (2, channels, 403, sources)
    if name in ("mask_inference", "chimera"):
        assert out["mask"].shape == out["estimates"].shape == (2, 9, 33, channels, sources)
    if name in ("deep_clustering", "chimera"):
        assert out["embedding"].shape == (2, 9, 33, channels, 20)


@pytest.mark.parametrize("body", ["recurrent", "convolutional", "band_split"])
@pytest.mark.parametrize("name", SPECTROGRAM)
def test_every_body_carries_any_head_and_learns_as_a_whole(name, body):
    model = build(name, body=body, **{**SMALL[name], "hidden_size": 24})
    outputs = model(batch_for(model))
    sum((value * torch.randn_like(value)).sum() for value in outputs.values()).backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


WITH_DROPOUT = [
    *((name, {}) for name in SMALL if "dropout" in inspect.signature(BUILDERS[name]).parameters),
    ("chimera", {"body": "convolutional"}),
    ("chimera", {"body": "band_split"}),
]


@pytest.mark.parametrize("name, args", WITH_DROPOUT)
def test_dropout_leaves_out_a_share_in_training_and_nothing_after(name, args):
    plain, dropping = (build(name, **{**SMALL[name], **args, "dropout": p}) for p in (0.0, 0.5))
    dropping.load_state_dict(plain.state_dict())
    data, key = batch_for(plain), plain.output_keys[0]
    assert torch.equal(dropping.eval()(data)[key], plain.eval()(data)[key])
    dropping.train()
    assert not torch.allclose(dropping(data)[key], dropping(data)[key])


@pytest.mark.parametrize("name", SMALL)
def test_a_step_on_the_meta_device_stays_there_and_reaches_every_parameter(name):
    with torch.device("meta"):
        model = build(name, **SMALL[name])
    outputs = model(batch_for(model, device="meta"))
    sum(value.sum() for value in outputs.values()).backward()
    assert all(value.device.type == "meta" for value in outputs.values())
    assert all(p.grad is not None and p.grad.device.type == "meta" for p in model.parameters())


@pytest.mark.parametrize("name", FILTERS)
def test_the_encoder_learns_from_the_waveforms_not_through_the_mask_alone(name):
    """nussl's own Mask detaches what it masks."""
    model = build(name, **SMALL[name])
    data = batch_for(model)
    gradients = []
    for through_mask_alone in (False, True):
        model.zero_grad()
        layers = model.layers
        weights = layers["encoder"](data["mix_audio"])
        mask = layers["mask"](layers["separator"](weights))
        masked = weights.detach() if through_mask_alone else weights
        audio = layers["audio"](layers["estimates"](mask, masked), data["mix_audio"])
        audio.square().sum().backward()
        gradients.append(layers["encoder"].filters.weight.grad.clone())
    model.zero_grad()
    model(data)["audio"].square().sum().backward()
    learned = model.layers["encoder"].filters.weight.grad
    assert torch.allclose(learned, gradients[0])
    assert not torch.allclose(learned, gradients[1], rtol=0.1)


@pytest.mark.parametrize("samples", [5, 16, 100, 101])
@pytest.mark.parametrize("length, hop", [(8, 8), (8, 4), (8, 2)])
def test_frames_and_their_overlap_give_the_waveform_back(samples, length, hop):
    """With the positive and the negative part of each sample as filters, at 1 / overlap."""
    encoder = Encoder(2 * length, length, hop)
    decoder = Decoder(2 * length, length, hop)
    both = torch.cat([torch.eye(length), -torch.eye(length)])[:, None]
    encoder.filters.weight.data = both.clone()
    decoder.filters.weight.data = both * hop / length
    audio = torch.randn(3, 1, samples)
    out = decoder(encoder(audio)[..., None], audio)
    assert out.shape == (3, 1, samples, 1)
    assert torch.allclose(out[..., 0], audio, atol=1e-6)


def test_each_source_is_decoded_by_itself():
    decoder = Decoder(6, 8, 4, 2)
    data, audio = torch.randn(2, 30, 6, 1, 3), torch.randn(2, 2, 113)
    together = decoder(data, audio)
    for number in range(3):
        alone = decoder(data[..., number : number + 1], audio)
        assert torch.allclose(together[..., number], alone[..., 0], atol=1e-6)


def test_a_gate_only_takes_away():
    torch.manual_seed(0)
    gated = Encoder(6, 8, 4, gated=True)
    plain = Encoder(6, 8, 4)
    plain.filters.load_state_dict(gated.filters.state_dict())
    audio = torch.randn(2, 1, 100)
    assert (gated(audio) <= plain(audio)).all() and (gated(audio) >= 0).all()


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 6, 7, 30])
def test_chunks_hold_every_frame_twice_and_add_up_to_twice_the_sequence(frames):
    data = torch.randn(2, frames, 4)
    chunks = chunks_of(data, 6)
    assert chunks.shape[2] == 6
    assert torch.allclose(overlap_add(chunks)[:, :frames], 2 * data)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("frames", [1, 5, 17])
def test_the_dual_path_hears_the_whole_sequence_at_every_frame(frames, kind):
    stack = DualPathStack(3, 4, 5, num_layers=1, chunk_size=4, rnn_type=kind)
    data = torch.randn(1, frames, 3, requires_grad=True)
    out = stack(data)
    assert out.shape == (1, frames, 4)
    out[0, 0].square().sum().backward()
    assert (data.grad[0].abs().sum(dim=-1) > 0).all()


@pytest.mark.parametrize("activation", [["tanh", "unit_norm"], ["unit_norm"], ["sigmoid"]])
def test_the_embedding_is_nussls_in_value_and_gradient(activation):
    theirs = Embedding.__mro__[1](5, 6, 4, activation, 2).double()
    ours = Embedding(5, 6, 4, activation, 2).double()
    ours.load_state_dict(theirs.state_dict())
    data, weights = torch.randn(2, 3, 6).double(), torch.randn(2, 3, 5, 2, 4).double()
    found = []
    for module in (ours, theirs):
        leaf = data.clone().requires_grad_()
        out = module(leaf)
        (out * weights).sum().backward()
        found.append((out, leaf.grad, *(p.grad for p in module.parameters())))
    assert all(torch.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in zip(*found, strict=True))
    assert ours.activation == activation


def test_complex_masks_multiply_as_complex_numbers():
    mask = ComplexMask(num_sources=3, bound=2.0)
    data, spectrum = torch.randn(2, 4, 5, 1, 6), torch.randn(2, 4, 5, 1, 2)
    out = mask(data, spectrum)
    assert out["mask"].shape == out["estimates"].shape == (2, 4, 5, 1, 2, 3)
    assert torch.allclose(out["mask"].flatten(-2), 2 * torch.tanh(data / 2))
    assert torch.equal(ComplexMask(3, bound=None)(data, spectrum)["mask"].flatten(-2), data)

    def as_complex(pairs):
        return torch.complex(*pairs.unbind(-2))

    expected = as_complex(out["mask"]) * torch.view_as_complex(spectrum)[..., None]
    assert torch.allclose(as_complex(out["estimates"]), expected, atol=1e-6)


def test_complex_mask_inference_estimates_spectra():
    model = build("mask_inference", mask="complex", num_sources=3, **SMALL["mask_inference"])
    data = batch_for(model)
    out = model(data)
    assert set(model.input) == {"mix_magnitude", "mix_spectrum"}
    assert out["estimates"].shape == (2, 9, 33, 1, 2, 3)


def test_shortcuts_lead_from_pair_to_pair_of_recurrent_layers():
    stack = ResidualRecurrentStack(5, 3, num_layers=4)
    for parameter in stack.pairs[1].parameters():
        nn.init.zeros_(parameter)  # the second pair adds nothing
    data = torch.randn(2, 7, 5)
    assert torch.equal(stack(data), stack.pairs[0](stack.normalization(data))[0])


@pytest.mark.parametrize(
    "name, wrong, message",
    [
        ("chimera", {"mask_activation": ["softmux"]}, "mask_activation holds 'softmux'"),
        ("mask_inference", {"num_sources": 0}, "num_sources is 0; at least 1"),
        ("deep_clustering", {"dropout": 1.0}, "dropout is 1.0; it is a probability"),
        ("deep_clustering", {"body": "convolutional", "num_repeats": 0}, "num_repeats is 0"),
        ("chimera", {"body": "band_split", "bands": [[1000, -1]]}, "bands holds \\[1000, -1\\]"),
        ("chimera", {"body": "band_split", "num_channels": 0}, "num_channels is 0; at least 1"),
        ("chimera", {"body": "band_split", "rnn_type": "gru"}, "has bidirectional LSTMs"),
        ("tasnet", {"num_layers": 3}, "num_layers is 3; an even number"),
        ("tasnet", {"stride": 30}, "stride is 30; it must divide filter_length 40"),
        ("conv_tasnet", {"filter_length": 15}, "stride is 7; it must divide filter_length 15"),
        ("conv_tasnet", {"kernel_size": 4}, "kernel_size is 4; an odd number"),
        ("dual_path", {"chunk_size": 7}, "chunk_size is 7; an even number"),
        ("sepformer", {"chunk_size": 7}, "chunk_size is 7; an even number"),
        ("sepformer", {"num_heads": 7}, "an even number that num_heads 7 divides"),
        (
            "band_split_rnn",
            {"hop_length": 1500},
            "hop_length 1500; an even window and at most half",
        ),
        ("band_split_rnn", {"bands": [[1000, 0]]}, "bands holds \\[1000, 0\\]"),
        ("band_split_rnn", {"bands": [[2000, 9], [1000, 9]]}, "in the order of frequencies"),
        ("band_split_roformer", {"head_size": 5}, "head_size is 5; an even number"),
        ("tf_gridnet", {"num_heads": 3}, "num_heads is 3; it must divide num_channels 64"),
        ("tf_gridnet", {"stride": 5}, "stride is 5; from 1 to kernel_size 4"),
    ],
)
def test_sizes_that_make_no_network_are_refused_by_name(name, wrong, message):
    with pytest.raises(ValueError, match=message):
        build(name, **wrong)
