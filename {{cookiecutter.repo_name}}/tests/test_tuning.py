"""Music that is not tuned to 440 Hz, read at the pitches of the training data: `tuning`."""

import functools

import numpy as np
import pytest
import torch
from small_networks import PARAMS, RATE, separator

import streams
from algorithms import Streamed
from algorithms.tuning import rate_in_tune, tuning_of
from compat import nussl
from errors import UserError

torch.set_num_threads(1)
HARP = (110.0, 164.8138, 220.0, 277.1826, 329.6276, 440.0, 554.3653, 659.2551)  # in tune


def music(cents=0.0, sample_rate=RATE, seconds=6.0, channels=1):
    """Plucked notes of an A major chord, `cents` higher than at 440 Hz: (channels, samples)."""
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    rng = np.random.default_rng(0)
    sound = 0.001 * rng.standard_normal(len(time))
    for start, hertz in zip(np.arange(0, seconds, 0.25), 3 * HARP, strict=False):
        since = np.maximum(time - start, 0)
        envelope = np.exp(-4 * since) * (time >= start)
        for overtone in (1, 2, 3):
            turns = overtone * hertz * 2 ** (cents / 1200) * since
            sound += 0.1 / overtone * envelope * np.sin(2 * np.pi * turns)
    return np.stack([sound * (1 - 0.2 * channel) for channel in range(channels)]).astype(np.float32)


@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100])
@pytest.mark.parametrize("cents", [-48, -20, 0, 7, 33, 49])
def test_the_tuning_of_notes_is_found_to_two_cents(cents, sample_rate):
    found, share = tuning_of(music(cents, sample_rate), sample_rate)
    assert found == pytest.approx(cents, abs=2) and share > 0.6


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    "sound", [1e-30 * music(), np.array([[0.5, -0.5]])], ids=["faint", "click"]
)
def test_spectra_whose_logarithms_round_to_the_same_have_a_tuning(sound):
    cents, share = tuning_of(sound.astype(np.float32), RATE)
    assert abs(cents) <= 50 and 0 <= share <= 1


def test_another_reference_shifts_what_is_found():
    sound = music(0)
    expected = 1200 * np.log2(440 / 442)
    assert tuning_of(sound, RATE, 442.0)[0] == pytest.approx(expected, abs=2)


def test_what_is_in_tune_or_has_no_tuning_is_read_as_it_is():
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 5 * RATE)).astype(np.float32)
    sounds = (music(0), music(5), music(-5), noise, *(np.zeros((1, n)) for n in (RATE, 100, 0)))
    for sound in sounds:
        assert rate_in_tune(streams.ArrayRecording(sound, RATE), 440.0, RATE) == RATE
    rate = rate_in_tune(streams.ArrayRecording(music(9), RATE), 440.0, RATE)
    assert rate == pytest.approx(RATE * 2 ** (9 / 1200), abs=15)
    assert rate_in_tune(streams.ArrayRecording(music(-45, 44100), 44100), 440.0, RATE) == 15590


@pytest.mark.parametrize("builder", ["deep_clustering", "mask_inference"])
def test_detuned_music_is_separated_as_the_same_in_tune(tmp_path, builder):
    """Samples that are played 30 cents too fast are those in tune once they are read at the rate
    at which they would be."""
    data, how = music(0), separator(builder, tmp_path)

    def separated(sample_rate, **args):
        mixture = nussl.AudioSignal(audio_data_array=data, sample_rate=sample_rate)
        return np.stack([one.audio_data for one in how(mixture, **args)()])

    expected = separated(RATE)
    fast = round(RATE * 2 ** (30 / 1200))
    assert fast == 16280
    assert np.array_equal(separated(fast, tuning=440.0), expected)
    assert np.array_equal(separated(RATE, tuning=440.0), expected)  # in tune: nothing changes
    assert np.abs(separated(fast) - expected).max() > 1e-3


@pytest.mark.parametrize("builder", ["deep_clustering", "mask_inference"])
def test_a_detuned_file_gives_what_it_gives_in_memory(tmp_path, builder):
    data = music(-40, 22050, 4.7, channels=2)
    how = functools.partial(separator(builder, tmp_path), chunk=1.0, tuning=440.0)
    pieces = list(Streamed(how, streams.ArrayRecording(data, 22050)).pieces())
    algorithm = how(nussl.AudioSignal(audio_data_array=data, sample_rate=22050))
    assert algorithm.input.audio.sample_rate == pytest.approx(RATE * 2 ** (-40 / 1200), abs=20)
    estimates = np.stack([estimate.audio_data for estimate in algorithm()])
    assert np.abs(np.concatenate(pieces, axis=-1) - estimates).max() < 1e-3
    assert np.abs(estimates.sum(axis=0) - data).max() < 1e-5


def test_audio_of_one_frame_is_read_at_the_rate_of_the_model(tmp_path):
    frame = music(-40)[:, : PARAMS.window_length]
    mixture = nussl.AudioSignal(audio_data_array=frame, sample_rate=RATE)
    algorithm = separator("mask_inference", tmp_path)(mixture, tuning=440.0)
    assert algorithm.input.audio.sample_rate == RATE
    assert {estimate.audio_data.shape for estimate in algorithm()} == {frame.shape}


def test_a_tuning_that_no_music_has_is_refused_for_every_file(tmp_path):
    mixture = nussl.AudioSignal(audio_data_array=music(0), sample_rate=RATE)
    with pytest.raises(UserError, match="tuning is 44; it is the frequency of A4") as error:
        separator("mask_inference", tmp_path)(mixture, tuning=44)
    assert error.value.general


def test_the_tuning_of_a_tone_is_to_either_side_of_the_truth_alike():
    """A histogram of whole cents: an error of a quarter, up or down."""
    time, errors = np.arange(16000) / 16000, []
    for cents in (-30.25, -9.75, 0.25, 8.75, 21.25, 40.75):
        tone = np.sin(2 * np.pi * 1760 * 2 ** (cents / 1200) * time)
        errors.append(tuning_of([tone], 16000)[0] - cents)
    assert np.abs(errors).max() < 0.4 and abs(np.mean(errors)) < 0.1
