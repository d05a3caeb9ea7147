"""Mixtures far softer or louder than what networks are trained on are separated like others."""

import numpy as np
import pytest
import torch
from small_networks import RATE, SMALL, separator

import checkpoints
import streams
from algorithms import Streamed
from algorithms.model_input import LEVELS_DB, level_range
from compat import nussl

torch.set_num_threads(1)


@pytest.fixture(scope="module", params=SMALL)
def make(request, tmp_path_factory):
    """A function(mixture) -> algorithm, by a network of random weights."""
    return separator(request.param, tmp_path_factory.mktemp("models"))


def mixture(seconds, level_db):
    """A wavering tone in noise, at this RMS level in dB of full scale: (1, samples)."""
    time = np.arange(int(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * 330 * time + 3 * np.sin(5 * time))
    sound = tone + 0.2 * np.random.default_rng(0).standard_normal(len(time))
    # that of the loudest chunk, which is a little above the mean
    loudest = max(
        np.square(sound[start : start + 10 * RATE]).mean() for start in range(0, len(sound), RATE)
    )
    return (10 ** (level_db / 20) / np.sqrt(loudest) * sound)[None].astype(np.float32)


def separated(make, mix, streamed):
    if streamed:
        return np.concatenate(
            list(Streamed(make, streams.ArrayRecording(mix, RATE)).pieces()), axis=-1
        )
    signal = nussl.AudioSignal(audio_data_array=mix, sample_rate=RATE)
    return np.stack([estimate.audio_data for estimate in make(signal)()])


@pytest.mark.parametrize(("level", "border"), [(-70, 0), (-100, 0), (14, 1)])
@pytest.mark.parametrize("streamed", [False, True])
def test_the_sources_of_a_soft_or_loud_mixture_are_those_of_an_ordinary_one(
    make, level, border, streamed
):
    near = LEVELS_DB[border]
    ordinary = separated(make, mixture(2, near), streamed)
    extreme = separated(make, mixture(2, level), streamed)
    scaled = 10 ** ((near - level) / 20) * extreme
    assert np.abs(scaled - ordinary).max() < 1e-3 * np.abs(ordinary).max()
    assert np.abs(extreme.sum(axis=0) - mixture(2, level)).max() < 1e-4 * np.abs(extreme).max()


def test_long_audio_has_one_gain(make):
    ordinary = separated(make, mixture(24, LEVELS_DB[0] + 0.5), True)
    soft = separated(make, mixture(24, -80), True)
    scaled = 10 ** ((LEVELS_DB[0] + 80) / 20) * soft
    ratio = np.abs(scaled).std() / np.abs(ordinary).std()
    assert 20 * np.log10(ratio) == pytest.approx(-0.5, abs=0.3)
    both = scaled / scaled.std() - ordinary / ordinary.std()
    assert both.std() < 0.1


@pytest.mark.parametrize("level", [-34, -20, -7])
def test_an_ordinary_mixture_is_read_as_it_is(make, level):
    signal = nussl.AudioSignal(audio_data_array=mixture(2, level), sample_rate=RATE)
    assert make(signal).input.gain == 1.0


def test_a_model_that_knows_the_levels_of_its_training_data_is_given_them(make):
    """Between 3 dB below and above their mean, recordings are read as they are."""
    model, metadata = checkpoints.load_model(make.keywords["model_path"])
    known = checkpoints.InMemory(model, {**metadata, "level_db": {"mean": -30.0, "std": 3.0}})
    assert level_range(known.metadata) == (-33.0, -27.0) and level_range(metadata) == LEVELS_DB

    def gain_db(level):
        signal = nussl.AudioSignal(audio_data_array=mixture(2, level), sample_rate=RATE)
        algorithm = make.func(signal, **{**make.keywords, "model_path": known})
        return 20 * np.log10(algorithm.input.gain)

    assert gain_db(-32.9) == gain_db(-27.1) == 0
    assert gain_db(-43) == pytest.approx(10, abs=0.1)
    assert gain_db(-17) == pytest.approx(-10, abs=0.1)


def test_the_level_of_a_recording_is_that_of_its_loudest_chunk(make):
    """Soft passages before and after leave the gain of a loud one as it is."""
    loud, soft = mixture(20, LEVELS_DB[0] - 3), mixture(20, LEVELS_DB[0] - 43)
    mix = np.concatenate([soft, loud, soft], axis=-1)
    signal = nussl.AudioSignal(audio_data_array=mix, sample_rate=RATE)
    assert 20 * np.log10(make(signal).input.gain) == pytest.approx(3, abs=0.5)
