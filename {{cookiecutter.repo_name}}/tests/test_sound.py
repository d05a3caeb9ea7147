"""What sounds are made with: saws, levels, panning, equalisers and rooms."""

import numpy as np
import pytest

from songs.sound import (
    SAMPLE_RATE,
    amplitude,
    channel_strip,
    convolve,
    hertz,
    num_samples,
    pan,
    saw,
    unit_power,
)


def test_a_saw_aliases_far_less_than_a_naive_one():
    frequency = 1234.5
    phase = frequency * np.arange(SAMPLE_RATE) / SAMPLE_RATE
    hz = np.fft.rfftfreq(SAMPLE_RATE, 1 / SAMPLE_RATE)
    # below 10 kHz, where it is audible, and away from the harmonics
    between = (hz > 20) & (hz < 10000) & (np.abs(hz / frequency - np.round(hz / frequency)) > 0.05)

    def aliased(wave):
        power = np.abs(np.fft.rfft(wave * np.blackman(len(wave)))) ** 2
        return 10 * np.log10(power[between].sum() / power.sum())

    assert aliased(saw(phase)) < aliased(2 * (phase % 1) - 1) - 15
    assert np.abs(saw(phase) - (2 * (phase % 1) - 1)).max() < 1.01  # at its jumps alone
    assert np.abs(saw(phase)).max() <= 1.0


def test_unit_power_is_unit_power_and_silence_stays():
    sound = 3 * np.random.default_rng(0).standard_normal(1000)
    assert np.mean(unit_power(sound) ** 2) == pytest.approx(1)
    assert np.mean(unit_power(sound, over=100)[:100] ** 2) == pytest.approx(1)
    assert not unit_power(np.zeros(10)).any()


def test_pitch_and_decibels_are_what_they_are_everywhere():
    assert hertz(69) == 440
    assert hertz(81) == pytest.approx(880)
    assert amplitude(0) == 1
    assert amplitude(-20) == pytest.approx(0.1)


@pytest.mark.parametrize("position", [-1, -0.3, 0, 1])
def test_panning_keeps_the_power(position):
    stereo = pan(np.ones(10), position)
    assert np.allclose((stereo**2).sum(axis=1), 2)
    assert np.allclose(stereo[:, 0], stereo[:, 1]) == (position == 0)


class Flat:
    """A random generator that draws an equaliser without bumps."""

    def __init__(self):
        self.rng = np.random.default_rng(0)
        self.standard_normal, self.uniform = self.rng.standard_normal, self.rng.uniform

    def normal(self, mean, deviation, size):
        return np.zeros(size)


def decibels(response, frequency):
    turn = np.exp(-2j * np.pi * frequency / SAMPLE_RATE * np.arange(len(response)))
    return 20 * np.log10(np.abs(turn @ response))


@pytest.mark.parametrize("tilt", [-3.0, 0.0, 3.0])
def test_the_equaliser_of_a_strip_tilts_around_1_khz(tilt):
    response = channel_strip(Flat(), 0.3, -300, tilt)[:513, 0]
    for octaves in (-1, 0, 1, 2, 3):
        assert decibels(response, 1000 * 2.0**octaves) == pytest.approx(tilt * octaves, abs=1.0)


def test_the_room_of_a_strip_has_the_level_and_the_decay_asked_for():
    room = channel_strip(Flat(), 1.0, -10, 0.0) - channel_strip(Flat(), 1.0, -300, 0.0)
    assert 10 * np.log10(np.mean(np.sum(room**2, axis=0))) == pytest.approx(-10, abs=1e-6)
    begin = np.flatnonzero(np.abs(room).max(axis=1) > 1e-9)[0]
    early, late = (
        np.mean(room[begin + num_samples(t) :][: num_samples(0.1)] ** 2) for t in (0.1, 0.6)
    )
    assert 10 * np.log10(early / late) == pytest.approx(30, abs=2)  # 60 dB a second


def test_the_echo_of_a_strip_comes_when_and_as_loud_as_asked_for():
    echo = channel_strip(Flat(), 0.2, -300, 0.0, echo=(0.5, -12.0))[:, 0]
    assert not echo[num_samples(0.25) : num_samples(0.5)].any()
    assert decibels(echo[num_samples(0.5) :], 500) == pytest.approx(-12, abs=0.5)


def test_a_sound_through_a_strip_stays_as_long_as_it_was():
    sound, response = np.zeros((1000, 2)), np.zeros((400, 2))
    sound[700], response[100] = (1, 2), (3, 5)
    expected = np.zeros((1000, 2))
    expected[800] = 3, 10
    assert np.allclose(convolve(sound, response), expected)
