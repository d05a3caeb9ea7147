"""Masks made at one rate, applied at another."""

import numpy as np
import pytest

from algorithms.masks import apply_masks
from algorithms.traits import mean_of_channels
from compat import nussl

MODEL_RATE = 16000
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
BINS = 257
RATES = (8000, 16000, 22050, 44100, 48000)


def signal(data, rate):
    return nussl.AudioSignal(audio_data_array=np.atleast_2d(data), sample_rate=rate)


def noise(rate, channels=1, samples=None):
    samples = samples or rate // 2
    return signal(np.random.default_rng(0).uniform(-0.5, 0.5, (channels, samples)), rate)


def frames_of(audio):
    """STFT frames of the model for the same time."""
    length = -(-audio.signal_length * MODEL_RATE // audio.sample_rate)
    return -(-length // PARAMS.hop_length) + 1


def random_masks(audio, sources=3, channels=1):
    masks = np.random.default_rng(1).uniform(0, 1, (sources, BINS, frames_of(audio), channels))
    return (masks / masks.sum(axis=0)).astype(np.float32)


def apply(audio, masks):
    return apply_masks(audio, masks, MODEL_RATE, PARAMS)


@pytest.mark.parametrize("samples", [8000, 8001, 8127, 513])
@pytest.mark.parametrize("channels", [1, 2])
def test_at_the_models_own_rate_it_is_what_nussl_does(samples, channels):
    audio = noise(MODEL_RATE, channels, samples)
    masks = random_masks(audio, channels=channels)
    estimates = apply(audio, masks)
    for mask, estimate in zip(masks, estimates, strict=True):
        theirs = nussl.AudioSignal(
            audio_data_array=audio.audio_data, sample_rate=MODEL_RATE, stft_params=PARAMS
        )
        theirs.stft()
        theirs = theirs.apply_mask(nussl.core.masks.SoftMask(mask))
        theirs.istft()
        assert estimate.audio_data.shape == audio.audio_data.shape
        assert np.abs(estimate.audio_data - theirs.audio_data[:, :samples]).max() < 1e-6


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("odd", [0, 1, 77])
def test_where_masks_add_up_to_one_the_sources_add_up_to_the_signal(rate, channels, odd):
    audio = noise(rate, channels, rate // 2 + odd)
    estimates = apply(audio, random_masks(audio))
    assert np.abs(sum(e.audio_data for e in estimates) - audio.audio_data).max() < 1e-5
    for estimate in estimates:
        assert estimate.sample_rate == rate
        assert estimate.audio_data.shape == audio.audio_data.shape
        assert estimate.signal_length == audio.signal_length


@pytest.mark.parametrize("kind", ["sqrt_hann", "hann", "hamming", "blackman", "rectangular"])
@pytest.mark.parametrize("rate", [22050, 44100])
def test_they_do_for_every_window(kind, rate):
    audio = noise(rate)
    estimates = apply_masks(
        audio, random_masks(audio), MODEL_RATE, nussl.STFTParams(512, 128, kind)
    )
    assert np.abs(sum(e.audio_data for e in estimates) - audio.audio_data).max() < 1e-5


@pytest.mark.parametrize("rate", RATES)
def test_a_mask_of_half_everywhere_halves_the_signal(rate):
    audio = noise(rate)
    masks = np.full((1, BINS, frames_of(audio), 1), 0.5, np.float32)
    assert np.abs(apply(audio, masks)[0].audio_data - audio.audio_data / 2).max() < 1e-5


@pytest.mark.parametrize("rate", RATES)
def test_low_frequencies_of_the_model_are_low_frequencies_of_the_signal(rate):
    time = np.arange(rate) / rate
    low, high = np.sin(2 * np.pi * 500 * time), np.sin(2 * np.pi * 3000 * time)
    audio = signal(0.3 * (low + high), rate)
    masks = np.zeros((2, BINS, frames_of(audio), 1), np.float32)
    border = round(1500 / (MODEL_RATE / 2) * (BINS - 1))
    masks[0, :border] = masks[1, border:] = 1
    inside = slice(rate // 10, -rate // 10)
    for estimate, tone in zip(apply(audio, masks), (low, high), strict=True):
        assert np.abs(estimate.audio_data[0] - 0.3 * tone)[inside].max() < 1e-3


@pytest.mark.parametrize("rate", RATES)
def test_the_first_half_of_the_model_is_the_first_half_of_the_signal(rate):
    audio = noise(rate, samples=2 * rate)
    masks = np.zeros((2, BINS, frames_of(audio), 1), np.float32)
    half = masks.shape[2] // 2
    masks[0, :, :half] = masks[1, :, half:] = 1
    first, second = (estimate.audio_data for estimate in apply(audio, masks))
    before, after = slice(0, int(0.95 * rate)), slice(int(1.05 * rate), None)
    assert np.abs(first - audio.audio_data)[:, before].max() < 1e-5
    assert np.abs(first[:, after]).max() < 1e-5
    assert np.abs(second - audio.audio_data)[:, after].max() < 1e-5


@pytest.mark.parametrize("rate", RATES)
def test_a_mask_that_rises_with_frequency_is_followed_between_its_bins(rate):
    time = np.arange(rate) / rate
    for hertz in (311.0, 1003.0, 2503.0, 3710.0):
        audio = signal(np.sin(2 * np.pi * hertz * time), rate)
        ramp = np.arange(BINS) / (BINS - 1)  # from 0 to 1 at the model's highest frequency
        masks = np.tile(ramp[None, :, None, None], (1, 1, frames_of(audio), 1)).astype(np.float32)
        inside = slice(rate // 10, -rate // 10)
        expected = hertz / (MODEL_RATE / 2) * audio.audio_data[0, inside]
        assert np.abs(apply(audio, masks)[0].audio_data[0, inside] - expected).max() < 1e-3


@pytest.mark.parametrize("rate", RATES)
def test_a_mask_that_rises_over_time_is_followed_between_its_frames(rate):
    seconds = 4
    time = np.arange(seconds * rate) / rate
    audio = signal(np.sin(2 * np.pi * 1000 * time), rate)
    ramp = np.arange(frames_of(audio)) * PARAMS.hop_length / MODEL_RATE / seconds
    masks = np.tile(ramp[None, None, :, None], (1, BINS, 1, 1)).astype(np.float32)
    inside = slice(rate // 10, -rate // 10)
    expected = (time / seconds * audio.audio_data[0])[inside]
    assert np.abs(apply(audio, masks)[0].audio_data[0, inside] - expected).max() < 5e-4


def test_above_the_models_bandwidth_the_mean_of_its_highest_octave_holds():
    rate = 44100
    time = np.arange(rate) / rate
    audio = signal(0.3 * np.sin(2 * np.pi * 15000 * time), rate)
    masks = np.zeros((2, BINS, frames_of(audio), 1), np.float32)
    masks[0, 192:], masks[1] = 1, 0.25  # the upper half of the octave from bin 128 to 256
    first, second = (estimate.audio_data[0, 5000:-5000] for estimate in apply(audio, masks))
    sine = audio.audio_data[0, 5000:-5000]
    assert np.abs(first - 65 / 129 * sine).max() < 1e-4
    assert np.abs(second - 0.25 * sine).max() < 1e-4


def test_a_mask_of_each_channel_goes_to_its_channel():
    audio = noise(44100, channels=2)
    masks = np.zeros((1, BINS, frames_of(audio), 2), np.float32)
    masks[..., 1] = 1
    estimate = apply(audio, masks)[0].audio_data
    assert not estimate[0].any()
    assert np.abs(estimate[1] - audio.audio_data[1]).max() < 1e-5


@pytest.mark.parametrize("rate", RATES)
def test_a_mono_signal_takes_the_mean_of_the_masks_of_two_channels(rate):
    audio = noise(rate)
    masks = random_masks(audio, channels=2)
    estimates = apply(audio, masks)
    for one, other in zip(estimates, apply(audio, masks.mean(axis=-1, keepdims=True)), strict=True):
        assert one.audio_data.shape == audio.audio_data.shape
        assert np.array_equal(one.audio_data, other.audio_data)
    assert np.abs(sum(e.audio_data for e in estimates) - audio.audio_data).max() < 1e-5


def test_the_signal_itself_is_left_as_it_is():
    audio = noise(44100)
    before = audio.audio_data.copy()
    apply(audio, random_masks(audio))
    assert np.array_equal(audio.audio_data, before)
    assert audio.stft_data is None


def test_a_mask_a_frame_short_serves_to_the_end():
    audio = noise(44100)
    masks = random_masks(audio)[:, :, :-2]
    assert np.abs(sum(e.audio_data for e in apply(audio, masks)) - audio.audio_data).max() < 1e-5


def test_a_mask_that_is_drawn_is_the_mean_of_its_channels_magnitudes():
    real = np.array([[[0.2, 0.6], [0.9, 1.5]]])  # (bins, frames, channels)
    assert np.allclose(mean_of_channels(real), [[0.4, 1.0]])
    assert np.allclose(mean_of_channels(real * np.array([1j, -1])), [[0.4, 1.0]])
    assert np.allclose(mean_of_channels(real > 0.5), [[0.5, 1.0]])
