"""separator.stream(): the sources of a whole recording from blocks of any size."""

import numpy as np
import pytest
import torch
from test_models import SMALL, build
from trainings import write

import checkpoints
from algorithms import DeepAudioEstimation, DeepClustering, DeepMaskEstimation
from compat import nussl
from errors import UserError
from model import BUILDERS
from realtime import Stream
from separation import load

torch.set_num_threads(1)
RATE = 8000
CAUSAL = {
    "causal conv_tasnet": ("conv_tasnet", {"causal": True, "num_layers": 3}, DeepAudioEstimation),
    "one-way tasnet": ("tasnet", {"bidirectional": False, "num_layers": 4}, DeepAudioEstimation),
    "one-way masks": ("mask_inference", {"bidirectional": False}, DeepMaskEstimation),
    "one-way GRUs": (
        "mask_inference",
        {"bidirectional": False, "rnn_type": "gru"},
        DeepMaskEstimation,
    ),
    "one-way complex masks": (
        "mask_inference",
        {"bidirectional": False, "mask": "complex"},
        DeepMaskEstimation,
    ),
    "masks of a chimera": ("chimera", {"bidirectional": False}, DeepMaskEstimation),
}


def model_of(name, changes, channels=1):
    torch.manual_seed(0)
    model = build(name, channels=channels, **{**SMALL[name], **changes}).eval()
    params = nussl.STFTParams(64, 16, "sqrt_hann")
    return model, {"stft_params": params, "sample_rate": RATE, "num_channels": channels}


def whole(model, kind, mixture, args):
    signal = nussl.AudioSignal(audio_data_array=mixture, sample_rate=RATE)
    estimates = kind(signal, model_path=checkpoints.InMemory(*model), **args)()
    return np.stack([estimate.audio_data for estimate in estimates])


def blocks_of(mixture, sizes):
    first = 0
    while first < mixture.shape[1]:
        for size in sizes:
            yield mixture[:, first : first + size]
            first += size


@pytest.mark.parametrize("sizes", [[1, 700, 0, 33], [16], [9_000]])
@pytest.mark.parametrize("name", CAUSAL)
def test_blocks_of_any_size_give_what_the_whole_recording_gives(name, sizes):
    builder, changes, kind = CAUSAL[name]
    model, args = model_of(builder, changes), {}
    mixture = 0.1 * np.random.default_rng(0).standard_normal((1, 4_011)).astype(np.float32)
    expected = whole(model, kind, mixture, args)
    stream = Stream(kind, model, args)
    given, pieces = 0, []
    for block in blocks_of(mixture, sizes):
        pieces.append(stream(block))
        given += block.shape[1]
        ready = sum(piece["source0"].shape[1] for piece in pieces)
        assert given - stream.latency <= ready <= given
    pieces.append(stream.finish())
    found = np.stack(
        [np.concatenate([piece[one] for piece in pieces], axis=1) for one in pieces[0]]
    )
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5


def test_masks_of_mono_serve_every_channel_and_one_channel_needs_no_axis():
    model = model_of("mask_inference", {"bidirectional": False})
    mixture = 0.1 * np.random.default_rng(0).standard_normal((2, 5000)).astype(np.float32)
    expected = whole(model, DeepMaskEstimation, mixture, {})
    stream = Stream(DeepMaskEstimation, model, {}, channels=2)
    parts = [stream(mixture), stream.finish()]
    found = np.concatenate([part["source1"] for part in parts], axis=1)
    assert np.abs(found - expected[1]).max() < 1e-5
    flat = Stream(DeepMaskEstimation, model, {})(mixture[0])
    assert flat["source0"].ndim == 1


@pytest.mark.parametrize("name", sorted({*BUILDERS} - {"deep_clustering"}))
def test_networks_that_see_later_frames_are_refused_with_the_reason(name):
    model = model_of(name, {})
    kind = DeepAudioEstimation if "audio" in model[0].output_keys else DeepMaskEstimation
    with pytest.raises(UserError, match=r"cannot separate a stream: .* a whole recording"):
        Stream(kind, model, {})


def test_what_cannot_be_streamed_is_one_clear_error():
    model = model_of("deep_clustering", {"bidirectional": False})
    with pytest.raises(UserError, match="DeepClustering needs the whole recording"):
        Stream(DeepClustering, model, {"num_sources": 2})
    model = model_of("tasnet", {"bidirectional": False})
    with pytest.raises(UserError, match="channels is 2; the network separates 1"):
        Stream(DeepAudioEstimation, model, {}, channels=2)
    for channels in (0, -1, 1.0, "1"):
        with pytest.raises(UserError, match="expected a whole number, 1 or more"):
            Stream(DeepAudioEstimation, model, {}, channels)
    for args, message in (
        ({"shifts": 2}, "shifts is 2"),
        ({"tuning": 440.0}, "tuning is measured on a whole recording"),
        ({"mask_type": "binary"}, "complex masks"),
    ):
        with pytest.raises(UserError, match=message):
            masks = model_of("mask_inference", {"bidirectional": False, "mask": "complex"})
            Stream(DeepMaskEstimation, masks, args)(np.zeros(5000))
    stream = Stream(DeepAudioEstimation, model, {})
    with pytest.raises(UserError, match=r"has the shape \(2, 5\), expected \(1, samples\)"):
        stream(np.zeros((2, 5)))
    with pytest.raises(UserError, match="NaN or infinite"):
        stream(np.full(5, np.nan))
    with pytest.raises(UserError, match=r"a block reaches 1e\+30, full scale being 1; divide it"):
        stream(np.full(5, 1e30))
    with pytest.raises(UserError, match="a block has dtype int16, expected floats; divide 16-bit"):
        stream(np.zeros(5, np.int16))
    stream.finish()
    with pytest.raises(UserError, match="the stream is finished"):
        stream(np.zeros(5))


def test_a_loaded_separator_streams(tmp_path):
    model, about = model_of("mask_inference", {"bidirectional": False})
    about |= {"labels": ["bass", "drums"], "ordered": True}
    checkpoints.save_model(tmp_path / "masks.pth", model, about)
    args = {"model_path": str(tmp_path / "masks.pth")}
    plain = {"info": {"name": "a", "output_folder": "output"}}
    plain["algorithm"] = {"class": "DeepMaskEstimation", "args": args}
    separator = load(write(tmp_path / "a.yml", plain), "cpu")
    mixture = 0.1 * np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    stream = separator.stream()
    assert (stream.names, stream.sample_rate, stream.latency) == (["bass", "drums"], RATE, 64)
    ready, rest = stream(mixture), stream.finish()
    for name, expected in separator(mixture, RATE).items():
        found = np.concatenate([ready[name], rest[name]])  # as long as the blocks have no channels
        assert np.abs(found - expected).max() < 1e-5
