"""Any algorithm of nussl's base classes in every script, and what it returns."""

import json
import re

import numpy as np
import pytest
import soundfile
import torch
from algorithm_runs import SCRIPTS, Halves

import audio
from algorithms import ALGORITHMS, Result, baselines, separate
from compat import nussl
from errors import UserError, WrongArgument

torch.set_num_threads(1)


class Wrong(Halves):
    """Returns what it should not; `kind` says what."""

    def __init__(self, input_audio_signal, kind: str):
        self.kind = kind
        super().__init__(input_audio_signal)

    def make_audio_signals(self):
        data, rate = 0.5 * self.audio_signal.audio_data, self.audio_signal.sample_rate
        signal = lambda data, rate=rate: nussl.AudioSignal(  # noqa: E731
            audio_data_array=data, sample_rate=rate
        )
        return {
            "short": lambda: [signal(data[:, :-300])] * 2,
            "stereo": lambda: [signal(np.repeat(data, 2, axis=0))] * 2,
            "rate": lambda: [signal(data, 2 * rate)] * 2,
            "arrays": lambda: [data, data],
            "nothing": lambda: None,
            "mapping": lambda: {"vocals": signal(data)},
            "empty": list,
            "nan": lambda: [signal(data * np.nan)] * 2,
        }[self.kind]()


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            "short",
            "Wrong returns {short} samples in 1 channel at 8000 Hz as an estimate; each "
            "has to be an AudioSignal like the mixture, {long} samples in 1 channel at",
        ),
        ("stereo", "in 2 channels at 8000 Hz as an estimate"),
        ("rate", "at 16000 Hz as an estimate"),
        ("arrays", "Wrong returns a ndarray as an estimate; each has to be an AudioSignal"),
        ("nothing", "Wrong returns a NoneType; it has to return a list of AudioSignals"),
        ("mapping", "Wrong returns a dict; it has to return a list of AudioSignals"),
        ("empty", "Wrong returns 0 estimates; at least 1 is needed"),
        ("nan", "Wrong failed: Not all values of audio_data are finite"),
    ],
)
def test_what_an_algorithm_should_not_return_is_one_clear_error(
    run_algorithm, tmp_path, monkeypatch, script, kind, message
):
    monkeypatch.setitem(ALGORITHMS, "Wrong", Wrong)
    soundfile.write(tmp_path / "song.wav", np.random.default_rng(0).uniform(-0.1, 0.1, 9000), 8000)
    files = {"separate": {"files": [str(tmp_path / "song.wav")], "output_folder": str(tmp_path)}}
    viz = {"visualize": {"seed": 0, "output_folder": str(tmp_path / "viz")}}
    signal = {"signal": {"sample_rate": 8000, "window_length": 256, "hop_length": 64}}
    evaluate = {"evaluate": {"num_items": 1}}
    section = {"separate": files, "visualize": viz, "evaluate": evaluate}[script]
    status, said = run_algorithm(script, "Wrong", {"kind": kind}, **section, **signal)
    lengths = re.findall(r"([0-9]+) samples in", str(status)) or ["", ""]
    assert message.format(short=lengths[0], long=lengths[-1]) in str(status)
    assert "Traceback" not in said and not list(tmp_path.rglob("source*"))
    if kind == "short":
        assert int(lengths[1]) - int(lengths[0]) == 300


def test_an_algorithm_without_masks_is_scored_and_has_a_page(run_algorithm, tmp_path):
    status, said = run_algorithm("evaluate", "Halves", evaluate={"num_items": 3, "page_items": 2})
    assert status == 0 and "3 of 10 items of test scored" in said
    folder = tmp_path / "out/evaluation/test"
    rows = json.loads((folder / "summary.json").read_text())["table"]
    (own,) = (r for r in rows if (r["method"], r["source"]) == ("Halves", "vocals"))
    # half of the mixture is the mixture at another gain
    assert own["si_sdr_improvement"]["mean"] == pytest.approx(0, abs=1e-6)
    page = json.loads((folder / "index.html").read_text().split('id="data">')[1].split("</")[0])
    assert [len(item["tracks"]) for item in page["items"]] == [5, 5]
    assert page["items"][0]["plane"] is None


def test_an_algorithm_without_masks_is_drawn(run_algorithm, tmp_path):
    status, _ = run_algorithm(
        "visualize", "Halves", visualize={"output_folder": str(tmp_path), "seed": 0}
    )
    (folder,) = (tmp_path / "test").iterdir()
    assert status == 0 and (folder / "viz.png").read_bytes().startswith(b"\x89PNG")
    mix, source = (audio.read(folder / f"{name}.wav") for name in ("mixture", "source1"))
    assert np.abs(2 * source - mix).max() < 1e-6


def test_sources_with_an_order_are_scored_and_called_by_their_labels(run_algorithm, tmp_path):
    """The first estimate is the vocals, whichever order would score higher."""
    assert (
        run_algorithm("evaluate", "Backwards", evaluate={"num_items": 4, "page_items": 0})[0] == 0
    )
    rows = (tmp_path / "out/evaluation/test/scores.csv").read_text().splitlines()
    head = rows[0].split(",")
    own = [dict(zip(head, row.split(","), strict=True)) for row in rows if ",Backwards," in row]
    mixture = [dict(zip(head, row.split(","), strict=True)) for row in rows if ",mixture," in row]
    for row, mix in zip(own, mixture, strict=True):
        # 3/4 or 1/4 of the mixture: the distance |s - g m|^2 differs from |s - m|^2 by the gain
        gain = {"vocals": 0.75, "accompaniment": 0.25}[row["source"]]
        before, scale = 10 ** (-float(mix["snr"]) / 10), 10 ** (float(mix["sd_sdr"]) / 20)
        scale = scale / 10 ** (float(mix["snr"]) / 20)  # <m, s> / <s, s>
        energy = before - 1 + 2 * scale  # |m|^2 / |s|^2
        distance = 1 - 2 * gain * scale + gain**2 * energy
        assert float(row["snr"]) == pytest.approx(-10 * np.log10(distance), abs=1e-6)
    folder = tmp_path / "viz"
    assert run_algorithm("visualize", "Backwards", visualize={"output_folder": str(folder)})[0] == 0
    names = {path.name for path in folder.glob("test/*/*")}
    assert names == {"mixture.wav", "vocals.wav", "accompaniment.wav", "viz.png", "index.html"}


def test_a_file_is_separated_into_sources_by_name_and_drawn(run_algorithm, tmp_path):
    soundfile.write(tmp_path / "song.wav", 0.1 * np.random.default_rng(0).normal(size=30000), 8000)
    files = {
        "files": [str(tmp_path / "song.wav")],
        "output_folder": str(tmp_path / "sep"),
        "picture": True,
    }
    for algorithm, names in (
        ("Backwards", ["vocals.wav", "accompaniment.wav"]),
        ("Halves", ["source0.wav", "source1.wav"]),
    ):
        assert run_algorithm("separate", algorithm, separate=files)[0] == 0
        there = {path.name for path in (tmp_path / "sep" / "song").iterdir()}
        assert there == {*names, "separation.json", "viz.png"}


def test_an_algorithm_with_fewer_estimates_than_sources_is_refused_before_scoring(
    run_algorithm, tmp_path
):
    rng = np.random.default_rng(0)
    for label in ("bass", "drums", "vocals"):
        (tmp_path / "three" / label).mkdir(parents=True)
        soundfile.write(tmp_path / "three" / label / "a.wav", 0.1 * rng.normal(size=9000), 16000)
    data = {
        "test": {
            "class": "StemFolder",
            "args": {"folder": str(tmp_path / "three"), "split": "test"},
        }
    }
    for script in ("evaluate", "visualize"):
        status, _ = run_algorithm(script, "HPSS", datasets=data)
        assert "HPSS gives 2 estimates, and there are 3 sources (bass, drums, vocals)" in status
    assert not list((tmp_path / "out").rglob("scores.csv"))
    status, _ = run_algorithm("evaluate", "Backwards", datasets=data)
    assert "Backwards gives vocals, accompaniment, and test has bass, drums, vocals" in status


def test_every_algorithm_that_needs_only_the_mixture_is_a_baseline(monkeypatch):
    assert set(baselines()) >= {"FT2D", "HPSS", "Repet", "RepetSim"}
    monkeypatch.setitem(ALGORITHMS, "Halves", Halves)
    assert "Halves" in baselines()


@pytest.mark.parametrize("name", ["HPSS", "FT2D", "Repet"])
def test_masks_of_nussls_own_algorithms_are_part_of_the_result(name):
    data = 0.1 * np.random.default_rng(0).normal(size=(2, 48000))
    mix = nussl.AudioSignal(audio_data_array=data, sample_rate=8000)
    result = separate(ALGORITHMS[name](mix), mix)
    assert isinstance(result, Result) and result.embedding is None and result.labels is None
    assert result.masks.shape == (2, *mix.stft().shape[:2])
    assert 0 <= result.masks.min() <= result.masks.max() <= 1


def test_a_recording_without_room_for_a_repetition_is_told_what_repet_needs():
    data = 0.1 * np.random.default_rng(0).normal(size=(1, 4000))
    mix = nussl.AudioSignal(audio_data_array=data, sample_rate=16000)
    with pytest.raises(UserError, match=r"has 0.25 s, and Repet needs 2.4\d* s.*lower min_period"):
        ALGORITHMS["Repet"](mix)()
    assert len(ALGORITHMS["Repet"](mix, min_period=0.05)()) == 2
    with pytest.raises(WrongArgument, match="max_period is below min_period"):
        ALGORITHMS["Repet"](mix, min_period=0.07, max_period=0.02)()


@pytest.mark.parametrize("name", ["HPSS", "Repet", "FT2D"])
def test_a_recording_shorter_than_a_frame_is_one_message(name):
    mix = nussl.AudioSignal(audio_data_array=np.full((1, 2), 0.1), sample_rate=16000)
    with pytest.raises(UserError, match="has 2 samples, at least 512 are needed, one frame of"):
        separate(ALGORITHMS[name](mix), mix)
