"""The front end against nussl's transforms, item by item."""

import numpy as np
import pytest
import torch

from compat import nussl
from features import FrontEnd, ideal_binary_mask

RATE = 8000
WINDOWS = ("sqrt_hann", "hann", "hamming", "blackman", "rectangular")
transforms = nussl.datasets.transforms


def batch_of(batch=2, sources=2, channels=1, samples=2000, seed=0):
    """{"mix", "sources"} of noise that comes and goes, so that sources differ from bin to bin."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / samples
    loudness = np.abs(
        np.sin(
            rng.uniform(3, 30, (batch, sources, 1, 1)) * time
            + rng.uniform(0, 6, (batch, sources, 1, 1))
        )
    )
    sound = loudness * rng.uniform(-0.4, 0.4, (batch, sources, channels, samples))
    sound = torch.from_numpy(sound.astype(np.float32))
    return {"mix": sound.sum(dim=1), "sources": sound}


def as_in_nussl(batch, window, hop, kind, target="phase_sensitive"):
    """What nussl's own transforms make of each item, with the item's axis put back in front."""
    params = nussl.STFTParams(window, hop, kind)

    def signal(data):
        return nussl.AudioSignal(
            audio_data_array=data.double().numpy(), sample_rate=RATE, stft_params=params
        )

    def parts(spectrum):
        # complex (bins, frames, channels, ...) -> (frames, bins, channels, 2, ...)
        return torch.from_numpy(np.stack([spectrum.real, spectrum.imag], 3).swapaxes(0, 1))

    approximation = {
        "phase_sensitive": transforms.PhaseSensitiveSpectrumApproximation,
        "magnitude": transforms.MagnitudeSpectrumApproximation,
    }[target]
    pipeline = transforms.Compose(
        [
            transforms.GetAudio(),
            approximation(),
            transforms.MagnitudeWeights(),
            transforms.ToSeparationModel(),
        ]
    )
    items = []
    for mix, sources in zip(batch["mix"], batch["sources"], strict=True):
        mix = signal(mix)
        sources = {f"source {n}": signal(source) for n, source in enumerate(sources)}
        spectra = np.stack([source.stft() for source in sources.values()], axis=-1)
        spectra = {"mix_spectrum": parts(mix.stft()), "source_spectra": parts(spectra)}
        items.append(pipeline({"mix": mix, "sources": sources}) | spectra)
    return {key: torch.stack([item[key] for item in items]) for key in FrontEnd.features}


def assert_equal(ours, theirs):
    for key in FrontEnd.features:
        assert ours[key].shape == theirs[key].shape, key
        assert ours[key].dtype == torch.float32, key
        if key not in ("weights", "ideal_binary_mask"):
            assert (ours[key] - theirs[key]).abs().max() < 1e-5, key
    assert (ours["weights"] ** 2 - theirs["weights"] ** 2).abs().max() < 1e-5 * max(
        1.0, theirs["weights"].max().item() ** 2
    )
    # single precision may see two sources as equally loud where double precision does not
    top = theirs["source_magnitudes"].topk(2, dim=-1).values
    tied = top[..., 0] - top[..., 1] < 1e-6
    differ = (ours["ideal_binary_mask"] != theirs["ideal_binary_mask"]).any(dim=-1)
    assert not (differ & ~tied).any()
    assert differ.float().mean() < 0.02


@pytest.mark.parametrize("kind", WINDOWS)
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("samples", [2000, 2048, 2001, 257, 3333])
def test_features_are_those_of_nussl(kind, channels, samples):
    batch = batch_of(channels=channels, samples=samples)
    assert_equal(FrontEnd(256, 64, kind)(batch), as_in_nussl(batch, 256, 64, kind))


@pytest.mark.parametrize("kind", WINDOWS)
@pytest.mark.parametrize("channels", [1, 2])
def test_magnitudes_as_targets_are_those_of_nussl(kind, channels):
    batch = batch_of(channels=channels, sources=3)
    expected = as_in_nussl(batch, 256, 64, kind, "magnitude")
    assert_equal(FrontEnd(256, 64, kind, target="magnitude")(batch), expected)


@pytest.mark.parametrize(
    ("window", "hop"),
    [
        (256, 128),
        (256, 100),
        (200, 50),
        (256, 255),
        (250, 77),
        (255, 64),
        (201, 100),
        (3, 1),
        (2, 1),
    ],
)
def test_features_are_those_of_nussl_for_any_window_and_hop(window, hop):
    batch = batch_of(sources=3, samples=1500)
    expected = as_in_nussl(batch, window, hop, "hamming")
    assert_equal(FrontEnd(window, hop, "hamming")(batch), expected)


@pytest.mark.parametrize("sources", [1, 2, 5])
def test_the_shapes_are_those_of_the_docstring(sources):
    batch = batch_of(batch=3, sources=sources, channels=2)
    features = FrontEnd(256, 64, "sqrt_hann")(batch)
    frames = 2000 // 64 + 2
    assert features["mix_audio"].shape == (3, 2, 2000)
    assert features["source_audio"].shape == (3, 2, 2000, sources)
    assert features["mix_spectrum"].shape == (3, frames, 129, 2, 2)
    assert features["source_spectra"].shape == (3, frames, 129, 2, 2, sources)
    assert features["mix_magnitude"].shape == (3, frames, 129, 2)
    assert features["weights"].shape == (3, frames, 129, 2)
    assert features["source_magnitudes"].shape == (3, frames, 129, 2, sources)
    assert features["ideal_binary_mask"].shape == (3, frames, 129, 2, sources)
    assert set(features) == {*batch, *FrontEnd.features}
    assert features["mix"] is batch["mix"]


def test_a_batch_is_its_items_one_by_one():
    front_end, batch = FrontEnd(256, 64, "sqrt_hann"), batch_of(batch=4, channels=2)
    together = front_end(batch)
    for i in range(4):
        alone = front_end({key: value[i : i + 1] for key, value in batch.items()})
        for key in FrontEnd.features:
            assert torch.allclose(together[key][i : i + 1], alone[key], atol=1e-7), key


def test_a_sine_has_half_its_amplitude_at_its_bin():
    # nussl's (scipy's) scale: the window's sum is taken out
    time = torch.arange(2048) / RATE
    sine = 0.6 * torch.sin(2 * torch.pi * 1000 * time)  # bin 32 of 256 / 8000 Hz
    magnitude = FrontEnd(256, 64, "hann").stft(sine[None]).abs()[0]
    assert magnitude[:, 8].argmax() == 32
    assert magnitude[32, 8].item() == pytest.approx(0.3, abs=1e-5)


@pytest.mark.parametrize("kind", WINDOWS)
@pytest.mark.parametrize("shape", [(1, 2048), (2, 3, 2, 1999), (700,), (1, 65)])
def test_the_inverse_gives_the_signal_back(kind, shape):
    front_end = FrontEnd(256, 64, kind)
    audio = torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 0.5
    back = front_end.istft(front_end.stft(audio), shape[-1])
    assert back.shape == shape
    assert (back - audio).abs().max() < 1e-5


@pytest.mark.parametrize(("window", "hop"), [(512, 128), (256, 100), (250, 77), (255, 64)])
@pytest.mark.parametrize("frames", [1, 2, 3, 100, 400])
def test_samples_have_just_the_frames_asked_for(window, hop, frames):
    front_end = FrontEnd(window, hop, "sqrt_hann")
    samples = front_end.num_samples(frames)
    if frames > 1:  # one frame is of padding alone
        assert front_end.stft(torch.zeros(1, samples)).shape == (1, window // 2 + 1, frames)


def test_a_silent_mixture_has_features_of_zeros():
    batch = {key: torch.zeros_like(value) for key, value in batch_of().items()}
    for target in ("phase_sensitive", "magnitude"):
        for key, value in FrontEnd(256, 64, "sqrt_hann", target)(batch).items():
            assert not value.any(), key  # a NaN would be true


def test_a_silent_item_beside_a_loud_one_stays_silent():
    batch = batch_of()
    batch["mix"][0] = 0
    batch["sources"][0] = 0
    features = FrontEnd(256, 64, "sqrt_hann")(batch)
    for key in FrontEnd.features:
        assert torch.isfinite(features[key]).all()
        assert not features[key][0].any()
        assert features[key][1].any()


def test_sources_that_cancel_out_leave_no_nan():
    batch = batch_of()
    batch["sources"][:, 1] = -batch["sources"][:, 0]
    batch["mix"] = batch["sources"].sum(dim=1)
    for value in FrontEnd(256, 64, "sqrt_hann")(batch).values():
        assert torch.isfinite(value).all()


def test_a_mixture_without_sources_has_no_targets():
    features = FrontEnd(256, 64, "sqrt_hann")({"mix": batch_of()["mix"]})
    assert set(features) == {"mix", "mix_audio", "mix_spectrum", "mix_magnitude", "weights"}


def test_targets_lie_between_nothing_and_the_mixture():
    features = FrontEnd(256, 64, "sqrt_hann")(batch_of(sources=4))
    assert (features["source_magnitudes"] >= 0).all()
    assert (features["source_magnitudes"] <= features["mix_magnitude"][..., None]).all()


def test_weights_squared_have_a_mean_of_one():
    features = FrontEnd(256, 64, "sqrt_hann")(batch_of())
    assert torch.allclose((features["weights"] ** 2).mean(dim=(1, 2, 3)), torch.ones(2), atol=1e-3)


def test_the_loudest_source_has_the_bin_and_a_tie_has_none():
    magnitudes = torch.tensor([[0.2, 0.5], [0.5, 0.2], [0.3, 0.3], [0.0, 0.0]])
    assert ideal_binary_mask(magnitudes).tolist() == [[0, 1], [1, 0], [0, 0], [0, 0]]
    assert ideal_binary_mask(torch.tensor([[1.0, 3.0, 3.0], [1.0, 3.0, 2.0]])).tolist() == [
        [0, 0, 0],
        [0, 1, 0],
    ]


def test_it_runs_without_numbers_on_the_meta_device():
    front_end = FrontEnd(256, 64, "sqrt_hann").to("meta")
    batch = {key: value.to("meta") for key, value in batch_of(batch=3).items()}
    real = FrontEnd(256, 64, "sqrt_hann")(batch_of(batch=3))
    for key, value in front_end(batch).items():
        assert value.device.type == "meta"
        assert value.shape == real[key].shape, key


def test_the_window_moves_with_the_model_and_is_no_weight():
    front_end = FrontEnd(256, 64, "sqrt_hann")
    assert list(front_end.parameters()) == []
    assert front_end.to(torch.float64).window.dtype == torch.float64


@pytest.mark.parametrize(
    "names",
    [
        *[(name,) for name in FrontEnd.features],
        (),
        ("mix_magnitude", "weights", "ideal_binary_mask"),
        ("mix_audio", "source_audio"),
        FrontEnd.features,
    ],
)
def test_only_the_requested_features_are_made_and_they_equal_those_made_with_all(names):
    batch = batch_of()
    everything = FrontEnd(256, 64, "sqrt_hann")(batch)
    features = FrontEnd(256, 64, "sqrt_hann", names=names)(batch)
    assert set(features) == {*batch, *names}
    for key in names:
        assert torch.equal(features[key], everything[key]), key


def test_waveforms_alone_need_no_spectrum(monkeypatch):
    counted = []
    monkeypatch.setattr(torch, "stft", lambda *args, **kwargs: counted.append(args))
    features = FrontEnd(256, 64, "hann", names=["mix_audio", "source_audio"])(batch_of())
    assert counted == []
    assert set(features) == {"mix", "sources", "mix_audio", "source_audio"}


def test_the_mixture_alone_needs_no_spectra_of_the_sources(monkeypatch):
    shapes, stft = [], torch.stft
    monkeypatch.setattr(
        torch,
        "stft",
        lambda audio, *args, **kwargs: (shapes.append(audio.shape), stft(audio, *args, **kwargs))[
            1
        ],
    )
    FrontEnd(256, 64, "hann", names=["mix_magnitude", "source_audio"])(batch_of())
    assert [tuple(shape) for shape in shapes] == [(2, 2304)]  # two mixtures, in whole hops, padded


def test_an_unknown_feature_or_target_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="no feature phase; known are mix_audio, mix_spectrum"):
        FrontEnd(256, 64, "hann", names=["phase"])
    with pytest.raises(ValueError, match="one of phase_sensitive, magnitude, found 'complex'"):
        FrontEnd(256, 64, "hann", target="complex")


def test_features_stay_single_precision_where_the_network_does_not():
    batch = batch_of()
    plain = FrontEnd(256, 64, "sqrt_hann")(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = FrontEnd(256, 64, "sqrt_hann")(batch)
    for key in FrontEnd.features:
        assert features[key].dtype == torch.float32
        assert torch.equal(features[key], plain[key]), key


def test_a_source_at_a_right_angle_to_the_mixture_has_no_phase_sensitive_magnitude():
    # the mixture is a sine; one source is that sine, the others cancel out, a cosine twice
    time = torch.arange(2048) / RATE
    sine, cosine = (f(2 * torch.pi * 1000 * time) for f in (torch.sin, torch.cos))
    sources = torch.stack([sine, 2 * cosine, -2 * cosine])[None, :, None]
    batch = {"mix": sources.sum(dim=1), "sources": sources}
    at = (0, 16, 32, 0)  # a frame in the middle, the sine's bin
    aligned = FrontEnd(256, 64, "hann")(batch)["source_magnitudes"][at]
    whole = FrontEnd(256, 64, "hann", "magnitude")(batch)["source_magnitudes"][at]
    assert aligned.tolist() == pytest.approx([0.5, 0, 0], abs=1e-5)
    assert whole.tolist() == pytest.approx([0.5, 1, 1], abs=1e-5)


@pytest.mark.parametrize(
    ("window", "hop", "rate", "seconds", "samples"),
    [
        (256, 64, 8000, 4.0, 32000),
        (256, 64, 8000, 1.592, 199 * 64),  # 200 frames
        (512, 128, 16000, 1.592, 199 * 128),
        (512, 128, 16000, 0.792, 99 * 128),
        (2048, 512, 44100, 3.0, 258 * 512),  # 258.4 hops
        (2048, 512, 44100, 3.003, 259 * 512),  # 258.7
        (511, 128, 16000, 3.2, 400 * 128 + 1),  # the window's odd sample
        (512, 128, 16000, 0.0001, 128),  # one hop at least
    ],
)
def test_an_excerpt_of_so_many_seconds_is_a_whole_number_of_hops(
    window, hop, rate, seconds, samples
):
    front_end = FrontEnd(window, hop, "sqrt_hann")
    assert front_end.segment_length(seconds, rate) == samples
    assert front_end.stft(torch.zeros(1, samples)).shape[-1] == samples // hop + 1
