"""Places in files of every format: an excerpt is a slice of the whole."""

import io

import numpy as np
import pytest
import soundfile
from audio_files import ogg, save, written
from mp3_surgery import decoded, encoded, song

import audio

FILES = {
    "pcm.wav": None,
    "float.wav": None,
    "a.flac": None,
    "a.aiff": None,
    "loud.ogg": lambda: ogg(level=0.0),
    "soft.ogg": lambda: ogg(level=1.0),
    "low.ogg": lambda: ogg(rate=16000),
    "a.opus": lambda: ogg(rate=48000, subtype="OPUS", level=0.0),
    "variable.mp3": lambda: encoded(song(6.0)),
    "low.mp3": lambda: encoded(song(6.0), bitrate_mode="CONSTANT", compression_level=0.999),
    "high.mp3": lambda: encoded(song(6.0), bitrate_mode="CONSTANT", compression_level=0.0),
}


@pytest.mark.parametrize("name", FILES)
def test_an_excerpt_is_the_slice_of_the_whole_to_the_bit_at_random_places_and_at_both_ends(
    tmp_path, name
):
    if FILES[name] is None:
        kind = {"pcm.wav": "PCM_16", "float.wav": "FLOAT"}.get(name, "PCM_24")
        path = written(tmp_path, name, song(6.0), subtype=kind)
    else:
        path = save(tmp_path, FILES[name](), name)
    whole, rate = soundfile.read(path, dtype="float32", always_2d=True)
    whole = whole.T
    rng, size = np.random.default_rng(0), whole.shape[1]
    places = [(0, 1), (0, 5000), (1, 4000), (size - 1, 1), (size - 10, 10), (size - 5000, 5000)]
    places += [(int(start), 3000) for start in rng.integers(size - 60_000, size, 60)]
    places += [(int(start), 3000) for start in rng.integers(0, size, 60)]
    for start, length in places:
        expected = whole[:, start : start + length]
        part = audio.read_excerpt(path, rate, 2, start, length)
        assert np.array_equal(part[:, : expected.shape[1]], expected), (start, length)
        assert not part[:, expected.shape[1] :].any()


def test_low_rates_of_mp3_are_found_too(tmp_path):
    """Frames of 8 kbit/s hold less than what later ones need of them."""
    buffer = io.BytesIO()
    soundfile.write(
        buffer,
        song(6.0)[::3, 0],
        16000,
        format="MP3",
        bitrate_mode="CONSTANT",
        compression_level=0.999,
    )
    path = save(tmp_path, buffer.getvalue())
    whole = audio.read(path)
    assert np.abs(whole - decoded(buffer.getvalue())).max() < 1e-6
    for start in np.random.default_rng(1).integers(0, whole.shape[1] - 900, 100):
        part = audio.read_excerpt(path, 16000, 1, int(start), 900)
        assert np.array_equal(part, whole[:, start : start + 900]), start


def test_speech_in_opus_is_found_where_it_is(tmp_path):
    """Its decoder remembers for seconds: small differences, but no shift."""
    path = save(tmp_path, ogg(rate=48000, subtype="OPUS", level=1.0), "a.opus")
    whole = audio.read(path)
    for start in np.random.default_rng(1).integers(0, whole.shape[1] - 900, 100):
        part = audio.read_excerpt(path, 48000, 2, int(start), 900)
        assert np.abs(part - whole[:, start : start + 900]).max() < 0.01, start
