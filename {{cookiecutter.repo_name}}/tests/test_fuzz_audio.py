"""Audio files of random formats, whole and damaged: read, or refused by one error."""

import io

import numpy as np
import soundfile
from fuzzing import fuzzed
from hypothesis import given
from hypothesis import strategies as st

import audio
from errors import UserError

FORMATS = [
    ("WAV", "PCM_16"),
    ("WAV", "PCM_24"),
    ("WAV", "PCM_U8"),
    ("WAV", "FLOAT"),
    ("WAV", "ULAW"),
    ("WAV", "IMA_ADPCM"),
    ("WAVEX", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
    ("AIFF", "PCM_16"),
    ("AU", "PCM_16"),
    ("CAF", "ALAC_16"),
    ("W64", "DOUBLE"),
    ("RF64", "PCM_32"),
]
LOSSLESS = ("PCM_16", "PCM_24", "FLOAT", "ALAC_16", "DOUBLE", "PCM_32")
RATES = [8000, 16000, 44100, 48000]


@st.composite
def files(draw):
    """(format and subtype, rate, samples of (channels, length), the file's bytes)."""
    form, subtype = draw(st.sampled_from(FORMATS))
    rate, channels = draw(st.sampled_from(RATES)), draw(st.integers(1, 3 - (form == "MP3")))
    if subtype == "OPUS":
        rate = draw(st.sampled_from([8000, 48000]))
    if subtype == "IMA_ADPCM":
        channels = min(2, channels)
    length = draw(st.one_of(st.integers(1, 40), st.integers(1000, 6000)))
    random = np.random.default_rng(draw(st.integers(0, 9)))
    samples = random.uniform(-0.5, 0.5, (channels, length))
    content = io.BytesIO()
    soundfile.write(content, samples.T, rate, subtype, format=form)
    return (form, subtype), rate, samples, content.getvalue()


def refused_or_read(path, content):
    """What is read of a file, and of an excerpt of it, or the message of the error."""
    path.write_bytes(content)
    try:
        rate, channels, length = audio.info(path)
        whole = audio.read(path)
        assert whole.dtype == np.float32 and whole.shape == (channels, length)
        assert np.isfinite(whole).all()
        excerpt = audio.read_excerpt(path, rate, channels, start=length // 2, length=100)
        assert excerpt.shape == (channels, 100)
    except UserError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
        assert len(str(error)) < 600
        return str(error)
    return whole


@fuzzed(60)
@given(file=files())
def test_a_file_of_any_format_has_the_length_and_samples_that_were_written(file, tmp_path):
    (_, subtype), _, samples, content = file
    read = refused_or_read(tmp_path / "whole", content)
    assert not isinstance(read, str), read
    assert read.shape[0] == samples.shape[0]
    if subtype in LOSSLESS:
        assert read.shape == samples.shape
        assert np.abs(read - samples).max() <= 1.01 / 32768


@fuzzed(60)
@given(file=files(), data=st.data())
def test_a_damaged_header_is_read_or_reported(file, data, tmp_path):
    content = bytearray(file[-1])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, min(120, len(content) - 1)))
        content[place] = data.draw(st.integers(0, 255))
    refused_or_read(tmp_path / "damaged", bytes(content))


@fuzzed(60)
@given(file=files(), data=st.data())
def test_a_file_that_is_cut_anywhere_is_read_or_reported(file, data, tmp_path):
    content = file[-1]
    start = data.draw(st.sampled_from([0, 0, 0, 1, 40]))
    end = data.draw(st.integers(start, len(content)))
    refused_or_read(tmp_path / "cut", content[start:end])
