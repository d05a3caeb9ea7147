"""Any algorithm of nussl's base classes in every script, and one front end for all of them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from trainings import fit, plain_config, write

import audio
import scripts.common
from algorithms import ALGORITHMS, DeepMaskEstimation, Result, SeparationBase, baselines, separate
from compat import nussl
from errors import UserError
from features import FrontEnd
from scripts import evaluate, train, visualize
from scripts import separate as separate_files

torch.set_num_threads(1)
SCRIPTS = {"evaluate": evaluate, "visualize": visualize, "separate": separate_files}


class Halves(SeparationBase):
    """Each source is half of the mixture: no masks, no embedding."""

    def run(self):
        return []

    def make_audio_signals(self):
        data = self.audio_signal.audio_data
        return [
            self.audio_signal.make_copy_with_audio_data(0.5 * data, verbose=False) for _ in range(2)
        ]


class Backwards(Halves):
    """The same, its sources in an order that it states: the first louder."""

    source_labels = ["vocals", "accompaniment"]

    def make_audio_signals(self):
        first, second = super().make_audio_signals()
        first.audio_data, second.audio_data = first.audio_data * 1.5, second.audio_data * 0.5
        return [first, second]


@pytest.fixture
def run(tmp_path, sample_folder, monkeypatch, caplog, capsys):
    """run(script, class, ...) -> (exit status, what was printed) of the sample's test split."""
    for one in (Halves, Backwards):
        monkeypatch.setitem(ALGORITHMS, one.__name__, one)

    def call(script, algorithm, args=None, path="out", **sections):
        args_of_data = {"folder": str(sample_folder), "split": "test", "num_songs": 1}
        plain = {
            "info": {"name": algorithm, "output_folder": str(tmp_path / path)},
            "datasets": {"test": {"class": "Sample", "args": args_of_data}},
            "algorithm": {"class": algorithm, "args": args or {}},
            script: {},
        }
        file = write(tmp_path / f"{script}.yml", {**plain, **sections})
        try:
            with caplog.at_level("INFO"):
                scripts.common.run(SCRIPTS[script].main, "", (script,), ["-p", str(file)])
            status = 0
        except SystemExit as leaving:
            status = leaving.code
        return status, capsys.readouterr().out + caplog.text

    return call


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
            "Wrong returns {short} samples in 1 channel(s) at 8000 Hz as an estimate; each "
            "has to be an AudioSignal like the mixture, {long} samples in 1 channel(s) at",
        ),
        ("stereo", "in 2 channel(s) at 8000 Hz as an estimate"),
        ("rate", "at 16000 Hz as an estimate"),
        ("arrays", "Wrong returns a ndarray as an estimate; each has to be an AudioSignal"),
        ("nothing", "Wrong returns a NoneType; it has to return a list of AudioSignals"),
        ("mapping", "Wrong returns a dict; it has to return a list of AudioSignals"),
        ("empty", "Wrong returns 0 estimates; at least 1 is needed"),
        ("nan", "Wrong failed: Not all values of audio_data are finite"),
    ],
)
def test_what_an_algorithm_should_not_return_is_one_clear_error(
    run, tmp_path, monkeypatch, script, kind, message
):
    monkeypatch.setitem(ALGORITHMS, "Wrong", Wrong)
    soundfile.write(tmp_path / "song.wav", np.random.default_rng(0).uniform(-0.1, 0.1, 9000), 8000)
    files = {"separate": {"files": [str(tmp_path / "song.wav")], "output_folder": str(tmp_path)}}
    viz = {"visualize": {"seed": 0, "output_folder": str(tmp_path / "viz")}}
    signal = {"signal": {"sample_rate": 8000, "window_length": 256, "hop_length": 64}}
    evaluate = {"evaluate": {"num_items": 1}}
    section = {"separate": files, "visualize": viz, "evaluate": evaluate}[script]
    status, said = run(script, "Wrong", {"kind": kind}, **section, **signal)
    lengths = re.findall(r"([0-9]+) samples in", str(status)) or ["", ""]
    assert message.format(short=lengths[0], long=lengths[-1]) in str(status)
    assert "Traceback" not in said and not list(tmp_path.rglob("source*"))
    if kind == "short":
        assert int(lengths[1]) - int(lengths[0]) == 300


def test_an_algorithm_without_masks_is_scored_and_has_a_page(run, tmp_path):
    status, said = run("evaluate", "Halves", evaluate={"num_items": 3, "page_items": 2})
    assert status == 0 and "3 of 10 items of test scored" in said
    folder = tmp_path / "out/evaluation/test"
    rows = json.loads((folder / "summary.json").read_text())["table"]
    (own,) = (r for r in rows if (r["method"], r["source"]) == ("Halves", "vocals"))
    # half of the mixture is the mixture at another gain
    assert own["si_sdr_improvement"]["mean"] == pytest.approx(0, abs=1e-6)
    page = json.loads((folder / "index.html").read_text().split('id="data">')[1].split("</")[0])
    assert [len(item["tracks"]) for item in page["items"]] == [5, 5]
    assert page["items"][0]["plane"] is None


def test_an_algorithm_without_masks_is_drawn(run, tmp_path):
    status, _ = run("visualize", "Halves", visualize={"output_folder": str(tmp_path), "seed": 0})
    (folder,) = (tmp_path / "test").iterdir()
    assert status == 0 and (folder / "viz.png").read_bytes().startswith(b"\x89PNG")
    mix, source = (audio.read(folder / f"{name}.wav") for name in ("mixture", "source1"))
    assert np.abs(2 * source - mix).max() < 1e-6


def test_sources_with_an_order_are_scored_and_called_by_their_labels(run, tmp_path):
    """The first estimate is the vocals, whichever order would score higher."""
    assert run("evaluate", "Backwards", evaluate={"num_items": 4, "page_items": 0})[0] == 0
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
    assert run("visualize", "Backwards", visualize={"output_folder": str(folder)})[0] == 0
    names = {path.name for path in folder.glob("test/*/*")}
    assert names == {"mixture.wav", "vocals.wav", "accompaniment.wav", "viz.png", "index.html"}


def test_a_file_is_separated_into_sources_by_name_and_drawn(run, tmp_path):
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
        assert run("separate", algorithm, separate=files)[0] == 0
        there = {path.name for path in (tmp_path / "sep" / "song").iterdir()}
        assert there == {*names, "separation.json", "viz.png"}


def test_an_algorithm_with_fewer_estimates_than_sources_is_refused_before_scoring(run, tmp_path):
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
        status, _ = run(script, "HPSS", datasets=data)
        assert "HPSS gives 2 estimates, and there are 3 sources (bass, drums, vocals)" in status
    assert not list((tmp_path / "out").rglob("scores.csv"))
    status, _ = run("evaluate", "Backwards", datasets=data)
    assert "Backwards gives vocals, accompaniment, and test has bass, drums, vocals" in status


def test_every_algorithm_that_needs_only_the_mixture_is_a_baseline(monkeypatch):
    assert set(baselines()) == {"FT2D", "HPSS", "Repet", "RepetSim"}
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


# ---- one front end ------------------------------------------------------------------------------


@pytest.fixture
def with_power(monkeypatch):
    """One more feature of the front end: the power of the mixture in dB."""
    for name in ("of_mixture", "features"):
        monkeypatch.setattr(FrontEnd, name, list(getattr(FrontEnd, name)))
    monkeypatch.setattr(FrontEnd, "registered", dict(FrontEnd.registered))

    def power_db(audio, spectrum):
        assert audio.ndim == 3 and spectrum.shape[0] == audio.shape[0]
        return 10 * (spectrum.abs().square() + 1e-8).log10()

    FrontEnd.register("mix_power_db", power_db)
    with pytest.raises(ValueError, match="'mix_power_db' already"):
        FrontEnd.register("mix_power_db", power_db)


def graph(reads):
    return {
        "name": "masks of one layer",
        "modules": {
            reads: {},
            "mix_magnitude": {},
            "body": {
                "class": "RecurrentStack",
                "args": {
                    "num_features": 257,
                    "hidden_size": 6,
                    "num_layers": 1,
                    "bidirectional": False,
                    "dropout": 0.0,
                },
            },
            "mask": {
                "class": "Embedding",
                "args": {
                    "num_features": 257,
                    "hidden_size": 6,
                    "embedding_size": 2,
                    "activation": "softmax",
                    "num_audio_channels": 1,
                },
            },
            "estimates": {"class": "Mask"},
        },
        "connections": [
            ["body", [reads]],
            ["mask", ["body"]],
            ["estimates", ["mask", "mix_magnitude"]],
        ],
        "output": ["mask", "estimates"],
    }


def trained(tmp_path, sample_folder, reads):
    plain = plain_config(tmp_path, sample_folder, builder="mask_inference", epochs=1)
    plain["model"] = graph(reads)
    args = {"permutation_invariant": False}
    plain["train"]["loss"] = {"masks": {"class": "L1Loss", "args": args}}
    return str(fit(write(tmp_path / "train.yml", plain)).best)


def test_a_feature_added_to_the_front_end_trains_is_scored_and_separates(
    with_power, run, tmp_path, sample_folder
):
    args = {"model_path": trained(tmp_path, sample_folder, "mix_power_db")}
    assert run("evaluate", "DeepMaskEstimation", args, evaluate={"num_items": 2})[0] == 0
    data = 0.1 * np.random.default_rng(0).normal(size=(16000 * 25, 2))
    soundfile.write(tmp_path / "long.wav", data, 16000)
    files = {"files": [str(tmp_path / "long.wav")], "output_folder": str(tmp_path / "sep")}
    assert run("separate", "DeepMaskEstimation", args, separate=files)[0] == 0
    # the model was trained with an order: sources have their names
    sources = [
        audio.read(tmp_path / "sep/long" / f"{name}.wav") for name in ("vocals", "accompaniment")
    ]
    assert np.abs(sum(sources) - data.T).max() < 1e-4


def test_what_is_made_of_the_sources_is_refused_as_an_input(run, tmp_path, sample_folder):
    plain = plain_config(tmp_path, sample_folder, builder="mask_inference", epochs=1)
    plain["model"] = graph("source_magnitudes")
    path = write(tmp_path / "train.yml", plain)
    with pytest.raises(SystemExit) as leaving:
        scripts.common.run(train.main, "", ("train",), ["-p", str(path)])
    assert "reads 'source_magnitudes'; of a mixture the front end gives mix_audio" in str(
        leaving.value
    )


def test_a_model_that_reads_what_separation_lacks_is_refused_once_at_load(
    with_power, tmp_path, sample_folder, monkeypatch, run
):
    path = trained(tmp_path, sample_folder, "mix_power_db")
    monkeypatch.undo()  # this project's front end does not make it
    with pytest.raises(UserError, match="reads mix_power_db, which features.py does not make"):
        DeepMaskEstimation.load(path, "cpu")


def test_a_checkpoint_of_the_wrong_kind_is_refused_before_any_item(run, tmp_path, sample_folder):
    plain = plain_config(tmp_path, sample_folder, epochs=1)
    path = str(fit(write(tmp_path / "train.yml", plain)).best)
    status, said = run("evaluate", "DeepMaskEstimation", {"model_path": path})
    assert "gives embedding, and no mask" in status and "the algorithm for it is Deep" in status
    assert "scored" not in said and not Path(tmp_path / "out").exists()


def test_the_config_of_every_new_key_is_an_input_again(tmp_path):
    plain = {
        "info": {"name": "a", "output_folder": "o"},
        "algorithm": {"class": "HPSS"},
        "datasets": {"test": {"class": "Sample", "args": {"split": "test", "folder": "f"}}},
        "evaluate": {"metrics": ["usdr", "csdr"], "frequency": "log"},
        "visualize": {"frequency": "mel"},
        "separate": {"files": ["a"], "picture": True},
    }
    import config

    loaded = config.load(write(tmp_path / "a.yml", plain))
    again = write(tmp_path / "b.yml", yaml.safe_load(yaml.safe_dump(loaded.to_dict())))
    assert config.load(again) == loaded
