"""separate.py of an exported model, with a session that gives the mixture twice."""

import runpy
import sys
import types

import numpy as np
import pytest
import soundfile

from audio import resampled_length

separate = pytest.importorskip("exporting.separate", reason="needs onnxruntime")
RATE = 8000


@pytest.fixture
def pretended(monkeypatch):
    """pretended(channels): of a model of one channel, which reads the mean of any number if they
    are "any". It returns the list of the mixtures that the session will be given."""

    def pretend(channels):
        read = []
        facts = {"sample_rate": str(RATE), "num_channels": channels}
        facts |= {"chunk": "0", "sources": "a\nb"}
        session = types.SimpleNamespace(
            get_modelmeta=lambda: types.SimpleNamespace(custom_metadata_map=facts),
            run=lambda names, inputs: [read.append(inputs["mixture"]) or np.stack([read[-1]] * 2)],
        )
        monkeypatch.setattr(separate.onnxruntime, "InferenceSession", lambda *_, **__: session)
        return read

    return pretend


@pytest.mark.parametrize("channels", ["any", "1"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data * [[1.0], [-1.0]], "its 2 channels cancel each other in mono"),
        (lambda data: np.where(np.arange(500) == 9, np.nan, data), "NaN or infinite"),
        (lambda data: data.T, "more channels than samples"),
    ],
)
def test_audio_that_cannot_be_separated_is_refused(pretended, channels, spoil, message):
    pretended(channels)
    data = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 500)).repeat(2, axis=0)
    assert separate.load()(data, RATE)["a"].shape[-1] == 500
    with pytest.raises(ValueError, match=message):
        separate.load()(spoil(data), RATE)


@pytest.mark.parametrize("channels", ["1", "2", "any"])
def test_silence_and_what_the_model_reads_as_it_is_are_not_refused(pretended, channels):
    pretended(channels)
    assert not separate.load()(np.zeros((2, 500)), RATE)["a"].any()
    if channels == "2":
        assert separate.load()(np.ones((2, 500)) * [[1], [-1]], RATE)["a"].any()


def test_channels_that_nearly_cancel_each_other_are_not_refused(pretended):
    """Their mean is 26 dB below them."""
    pretended("any")
    data = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 500)) * [[1.0], [-0.9]]
    assert separate.load()(data, RATE)["a"].shape == (2, 500)


@pytest.mark.parametrize(("rate", "samples"), [(44100, 4411), (48000, 4804), (11025, 1001)])
def test_the_graph_is_given_the_recording_at_its_own_rate_and_level(pretended, rate, samples):
    read = pretended("1")
    tone = 0.5 * np.sin(2 * np.pi * 500 * np.arange(samples) / rate)
    found = separate.load()(tone, rate)["a"]
    (mixture,) = read
    assert mixture.shape == (1, resampled_length(samples, rate, RATE))
    assert np.abs(mixture[0, 100:-100]).max() == pytest.approx(0.5, abs=0.02)
    assert found.shape == (1, samples) and np.abs(found - tone)[:, 500:-500].max() < 0.02


@pytest.mark.parametrize("channels", ["1", "2", "any"])
def test_several_channels_of_one_sample_are_no_transposed_audio(pretended, channels):
    pretended(channels)
    for count in (2, 6):
        assert separate.load()(np.full((count, 1), 0.5), RATE)["a"].shape[-1] == 1
    with pytest.raises(ValueError, match="audio has no samples"):
        separate.load()(np.zeros((2, 0)), RATE)


def test_a_file_of_one_sample_is_separated_and_a_bad_one_is_one_message(
    pretended, tmp_path, monkeypatch, capsys
):
    pretended("any")
    monkeypatch.chdir(tmp_path)
    soundfile.write("one.wav", np.full(1, 0.5), 6 * RATE, subtype="FLOAT")
    soundfile.write("bad.wav", np.full(9, np.nan), RATE, subtype="FLOAT")
    monkeypatch.setattr(sys, "argv", ["separate.py", "bad.wav", "one.wav"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(separate.__file__, run_name="__main__")
    assert ended.value.code == 1
    assert "error: bad.wav: cannot be separated (audio has samples" in capsys.readouterr().err
    assert soundfile.info("one.a.wav").frames == 1


def test_two_files_of_one_name_keep_their_sources_apart(pretended, tmp_path, monkeypatch):
    pretended("any")
    monkeypatch.chdir(tmp_path)
    for length, name in ((400, "a.b.wav"), (500, "a.b.flac")):
        soundfile.write(name, np.full(length, 0.5), RATE)
    monkeypatch.setattr(sys, "argv", ["separate.py", "a.b.wav", "a.b.flac", "a.b.wav"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(separate.__file__, run_name="__main__")
    assert ended.value.code == 0
    lengths = {path.name: soundfile.info(path).frames for path in tmp_path.glob("*.[ab].wav")}
    lengths.pop("a.b.wav")
    expected = {"a.b.a.wav": 400, "a.b.b.wav": 400, "a.b.flac.a.wav": 500, "a.b.flac.b.wav": 500}
    assert lengths == expected


def run(monkeypatch, *names):
    """The exit status of `python separate.py NAMES`."""
    monkeypatch.setattr(sys, "argv", ["separate.py", *names])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(separate.__file__, run_name="__main__")
    return ended.value.code


def test_a_file_that_is_to_be_separated_too_is_not_replaced(
    pretended, tmp_path, monkeypatch, capsys
):
    pretended("any")
    monkeypatch.chdir(tmp_path)
    for name in ("song.wav", "song.b.wav"):
        soundfile.write(name, np.full(400, 0.5), RATE)
    stem = (tmp_path / "song.b.wav").read_bytes()
    assert run(monkeypatch, "song.wav", "song.b.wav") == 1
    assert "error: song.wav: cannot be separated (it would replace song.b.wav" in (
        capsys.readouterr().err
    )
    assert (tmp_path / "song.b.wav").read_bytes() == stem
    assert not (tmp_path / "song.a.wav").exists() and (tmp_path / "song.b.a.wav").exists()


def test_sources_that_cannot_be_written_are_one_message_and_the_next_file_is_separated(
    pretended, tmp_path, monkeypatch, capsys
):
    pretended("any")
    monkeypatch.chdir(tmp_path)
    for name in (f"{'x' * 250}.wav", "short.wav"):
        soundfile.write(name, np.full(400, 0.5), RATE)
    assert run(monkeypatch, f"{'x' * 250}.wav", "short.wav") == 1
    assert "xxx.wav: cannot be separated ([Errno 36] File name too long" in capsys.readouterr().err
    assert (tmp_path / "short.a.wav").exists() and not list(tmp_path.glob(".*"))


def test_a_model_that_cannot_be_loaded_and_audio_far_too_loud_are_one_message(
    pretended, tmp_path, monkeypatch
):
    monkeypatch.setattr(separate.onnxruntime, "InferenceSession", lambda *_, **__: 1 / 0)
    code = run(monkeypatch, "song.wav")
    assert "model.onnx: cannot be loaded (division by zero); copy it again" in code
    pretended("any")
    with pytest.raises(ValueError, match=r"its peak is 1e\+20, full scale being 1"):
        separate.load()(np.full((1, 500), 1e20), RATE)


def test_a_mono_recording_has_mono_sources_by_a_stereo_model_too(pretended):
    pretended("2")
    mono = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 500)).astype(np.float32)
    assert np.allclose(separate.load()(mono, RATE)["a"], mono)
    assert separate.load()(mono.repeat(2, axis=0), RATE)["a"].shape == (2, 500)
