"""Clusters of a chimera are called by the masks that they agree with, if these have an order."""

import functools

import numpy as np
import pytest
import torch
import yaml
from trainings import write

import checkpoints
import config
import experiment
import streams
from algorithms import DeepClustering, Streamed, count_sources, labels_of
from algorithms.presence import weight_of_masks
from compat import nussl
from errors import UserError
from model import chimera

PARAMS = nussl.STFTParams(256, 64, "sqrt_hann")
RATE = 8000
BORDER = 64  # bins below: the low tone
torch.set_num_threads(1)


@pytest.fixture
def model_path(tmp_path, monkeypatch, request):
    """A chimera that separates tones below and above 2 kHz; its masks are in that order."""
    labels, ordered = getattr(request, "param", (["high", "low"], True))
    about = {"stft_params": PARAMS, "sample_rate": RATE, "num_channels": 1}
    metadata = {**about, "labels": labels, "ordered": ordered, "train_dataset": about}
    model = nussl.ml.SeparationModel(chimera(129, 1, num_layers=1, hidden_size=4))
    checkpoints.save_model(tmp_path / "best.model.pth", model, metadata)

    def outputs(self, features):
        magnitude = features["mix_magnitude"]
        low = (torch.arange(129) < BORDER).float()[:, None].expand_as(magnitude)
        kinds = {"low": low, "high": 1 - low}
        masks = torch.stack([0.2 + 0.6 * kinds[label] for label in labels], dim=-1)
        return {"embedding": torch.stack([low, 1 - low], dim=-1), "mask": masks}

    monkeypatch.setattr(DeepClustering, "_outputs", outputs)
    return str(tmp_path / "best.model.pth")


def tones(seconds):
    time = np.arange(int(seconds * RATE)) / RATE
    return {"low": np.sin(2 * np.pi * 500 * time), "high": 0.5 * np.sin(2 * np.pi * 3000 * time)}


def energy_of(label, sound):
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    low = np.fft.rfftfreq(len(sound), 1 / RATE) < 2000
    return spectrum[low if label == "low" else ~low].sum() / spectrum.sum()


BOTH = [(["high", "low"], True), (["low", "high"], True)]


@pytest.mark.parametrize("model_path", BOTH, indirect=True)
@pytest.mark.parametrize("seconds", [2, 25])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_cluster_is_the_source_of_its_mask(model_path, seconds, seed):
    mix = sum(tones(seconds).values())[None].astype(np.float32)
    signal = nussl.AudioSignal(audio_data_array=mix, sample_rate=RATE)
    work = DeepClustering(signal, None, model_path, random_state=seed)
    for label, estimate in zip(work.source_labels, work(), strict=True):
        assert energy_of(label, estimate.audio_data[0]) > 0.99
    make = functools.partial(DeepClustering, num_sources=2, model_path=model_path)
    streamed = Streamed(make, streams.ArrayRecording(mix, RATE))
    sources = np.concatenate(list(streamed.pieces()), axis=-1)
    for label, source in zip(streamed.labels, sources, strict=True):
        assert energy_of(label, source[0]) > 0.99


@pytest.mark.parametrize("seconds", [2, 25])
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_the_networks_masks_enter_the_result_with_their_weight(model_path, seconds, weight):
    sounds = tones(seconds)
    mix = sum(sounds.values())[None].astype(np.float32)
    signal = nussl.AudioSignal(audio_data_array=mix, sample_rate=RATE)
    work = DeepClustering(signal, 2, model_path, mask_weight=weight, beta=50.0)
    estimates = [estimate.audio_data[0] for estimate in work()]
    middle = slice(RATE // 2, RATE)
    assert np.abs(sum(estimates) - mix[0]).max() < 1e-4
    for label, estimate in zip(work.source_labels, estimates, strict=True):
        own = sounds[label][middle]
        gain = estimate[middle] @ own / (own @ own)
        # clusters give a tone to its source alone, the masks of `model_path` 0.8 of it
        assert gain == pytest.approx(1 - 0.2 * weight, abs=0.01)


@pytest.mark.parametrize("seconds", [4, 25])
def test_where_a_source_is_absent_the_masks_decide(model_path, seconds):
    sounds = tones(seconds)
    half = int(seconds * RATE / 2)
    sounds["high"][half:] = 0
    mix = sum(sounds.values())[None].astype(np.float32)
    signal = nussl.AudioSignal(audio_data_array=mix, sample_rate=RATE)
    work = DeepClustering(signal, 2, model_path, beta=50.0, absent_db=-9.0)
    low = work()[work.source_labels.index("low")].audio_data[0]
    # the masks give the high tone -8 dB of the energy while it sounds, and -14 dB where it does
    # not, 5 of the 10 dB over which their weight rises; of the low tone they leave 0.8
    for start, gain in ((half - RATE, 1.0), (half + RATE, 0.9)):
        own, there = (sound[start : start + RATE // 4] for sound in (sounds["low"], low))
        assert there @ own / (own @ own) == pytest.approx(gain, abs=0.01)


def test_the_weight_of_masks_is_that_of_a_plain_loop():
    rng = np.random.default_rng(0)
    masks = rng.random((9, 5, 2, 3)) ** 6  # frames, bins, channels, sources
    masks /= masks.sum(axis=-1, keepdims=True)
    magnitude = rng.random((9, 5, 2))
    found = weight_of_masks(*map(torch.from_numpy, (masks, magnitude)), 0.3, -3.0, reach=2)
    for frame in range(9):
        near = slice(max(0, frame - 2), frame + 3)
        power = magnitude[near] ** 2
        parts = [(masks[near, ..., source] ** 2 * power).sum() for source in range(3)]
        absence = np.clip((-3 - 10 * np.log10(min(parts) / power.sum())) / 10, 0, 1)
        assert found[frame].item() == pytest.approx(0.3 + 0.7 * absence)
    assert found.max() - found.min() > 0.05


@pytest.mark.parametrize("model_path", [(["high", "low"], False)], indirect=True)
def test_masks_without_an_order_cannot_be_weighed(model_path):
    mix = nussl.AudioSignal(audio_data_array=sum(tones(1).values())[None], sample_rate=RATE)
    with pytest.raises(UserError, match="mask_weight is 0.5, and it has no masks"):
        DeepClustering(mix, 2, model_path, mask_weight=0.5)
    with pytest.raises(UserError, match="absent_db is -10, and it has no masks .*; write null"):
        DeepClustering(mix, 2, model_path, absent_db=-10)
    with pytest.raises(UserError, match="absent_db is 3; expected dB below 0, or null"):
        DeepClustering(mix, 2, model_path, absent_db=3)
    with pytest.raises(UserError, match="mask_weight is 2; expected a weight, from 0 to 1"):
        DeepClustering(mix, 2, model_path, mask_weight=2)


@pytest.mark.parametrize(
    "masks, args, refused",
    [
        ({"permutation_invariant": False}, {"mask_weight": 0.5}, False),
        ({"permutation_invariant": True}, {"mask_weight": 0.5}, True),
        ({}, {"mask_weight": 0.5}, True),  # the default is true
        ({}, {"mask_weight": 0.0}, False),
        ({}, {"mask_weight": 0.5, "model_path": "another.model.pth"}, False),
        (None, {"mask_weight": 0.5}, True),  # clusters alone
        (None, {"absent_db": -10}, True),
        (None, {"absent_db": None}, False),
    ],
)
def test_masks_that_will_have_no_order_are_refused_before_training(
    write_config, masks, args, refused
):
    loss = {"clusters": {"class": "WhitenedKMeansLoss"}}
    loss |= {} if masks is None else {"masks": {"class": "MSELoss", "args": masks}}
    path = write_config(builder="chimera", loss=loss)
    separator = {"class": "DeepClustering", "args": {"num_sources": 2, **args}}
    write(path, yaml.safe_load(path.read_text()) | {"algorithm": separator})
    if not refused:
        experiment.check(config.load(path))
        return
    with pytest.raises(config.ConfigError, match=r"args.\w+: is (0.5|-10), and train.loss trains"):
        experiment.check(config.load(path))


def test_other_scripts_learn_the_labels_from_the_checkpoint(model_path):
    model = DeepClustering.load(model_path, "cpu")
    assert labels_of(DeepClustering, model) == ["high", "low"]
    assert count_sources(DeepClustering, {"num_sources": None}, model) == 2


@pytest.mark.parametrize("model_path", [(["high", "low"], False)], indirect=True)
def test_masks_without_an_order_name_nothing(model_path):
    assert labels_of(DeepClustering, DeepClustering.load(model_path, "cpu")) is None


def test_another_number_of_sources_than_masks_is_refused(model_path):
    mix = nussl.AudioSignal(audio_data_array=sum(tones(1).values())[None], sample_rate=RATE)
    with pytest.raises(UserError, match=r"its masks name 2 sources \(high, low\), and") as error:
        DeepClustering(mix, 3, model_path)
    assert error.value.general  # said once, not of every file
