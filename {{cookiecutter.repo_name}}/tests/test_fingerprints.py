"""Recordings are recognised by their fingerprints after compression, cuts and changes of level."""

import functools
import io

import numpy as np
import pytest
import soundfile

import audio
from auditing import fingerprint, matches
from songs import SAMPLE_RATE, Song


@functools.cache
def song(number, seconds=6.0):
    """(channels, samples) at 44.1 kHz."""
    sound = sum(Song("test", number).render(20.0, seconds).values()).T
    return (0.9 * sound / np.abs(sound).max()).astype(np.float32)


def coded(sound, suffix):
    buffer = io.BytesIO()
    soundfile.write(buffer, sound.T, SAMPLE_RATE, format=suffix)
    buffer.seek(0)
    return soundfile.read(buffer, dtype="float32", always_2d=True)[0].T


CHANGES = {
    "softer": lambda s: (0.05 * s, SAMPLE_RATE),
    "mp3": lambda s: (coded(s, "MP3"), SAMPLE_RATE),
    "ogg": lambda s: (coded(0.5 * s, "OGG"), SAMPLE_RATE),
    "another rate": lambda s: (audio.convert(s, SAMPLE_RATE, 16000), 16000),
    "mono": lambda s: (s.mean(axis=0, keepdims=True), SAMPLE_RATE),
    "cut out": lambda s: (s[:, 54321:-33333], SAMPLE_RATE),
    "noisy": lambda s: (
        s + 0.05 * s.std() * np.random.default_rng(0).standard_normal(s.shape).astype(np.float32),
        SAMPLE_RATE,
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_recording_is_known_again(change):
    sound, rate = CHANGES[change](song(0))
    prints = [
        fingerprint(song(0), SAMPLE_RATE),
        fingerprint(song(1), SAMPLE_RATE),
        fingerprint(sound, rate),
    ]
    assert [(i, j) for i, j, _ in matches(prints, 0.25)] == [(0, 2)]


def test_silence_and_very_short_sounds_have_no_fingerprint():
    for sound in (np.zeros((1, 16000), np.float32), np.ones((1, 500), np.float32)):
        assert len(fingerprint(sound, 8000).hashes) == 0
    assert matches([fingerprint(np.zeros((1, 9000), np.float32), 8000)] * 2, 0.1) == []
