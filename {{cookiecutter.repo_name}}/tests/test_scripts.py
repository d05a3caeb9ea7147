"""Each script as it is used: a YAML file in, files out, and one clear message for what is wrong."""

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

import audio
import dataset
import scripts.common
from algorithms import DeepClustering
from errors import UserError
from scripts import evaluate, separate, train, visualize

torch.set_num_threads(1)
PROJECT = Path(__file__).parent.parent
ROWS = {"train": train, "evaluate": evaluate, "visualize": visualize, "separate": separate}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, sample_folder):
    """The plain config of a small training, and the path of its model."""
    folder = tmp_path_factory.mktemp("trained")
    data = {
        split: {
            "class": "Sample",
            "args": {"folder": str(sample_folder), "split": split, "num_songs": 1},
        }
        for split in ("train", "test")
    }
    model_path = folder / "out" / "checkpoints" / "best.model.pth"
    plain = {
        "info": {"name": "small", "output_folder": str(folder / "out")},
        "datasets": data,
        "model": {
            "builder": "deep_clustering",
            "args": {"num_layers": 1, "hidden_size": 8, "normalization": "InstanceNorm"},
        },
        "train": {
            "device": "cpu",
            "epochs": 1,
            "batch_size": 5,
            "segment": 0.312,
            "excerpts_per_epoch": 10,
            "loss": {"dc": {"class": "DeepClusteringLoss"}},
        },
        "algorithm": {
            "class": "DeepClustering",
            "args": {"model_path": str(model_path), "num_sources": 2},
        },
    }
    path = folder / "train.yml"
    path.write_text(yaml.safe_dump(plain))
    scripts.common.run(train.main, train.__doc__, ("train",), ["-p", str(path)])
    return plain


@pytest.fixture
def run(tmp_path, trained, capsys, caplog):
    """run(script, section=..., ...) -> (exit status, what was printed); sections replace those of
    the trained config."""

    def call(script, **sections):
        path = tmp_path / f"{script}.yml"
        path.write_text(yaml.safe_dump({**trained, **sections}))
        module = ROWS[script]
        try:
            with caplog.at_level("INFO"):
                scripts.common.run(module.main, module.__doc__, (script,), ["-p", str(path)])
            status = 0
        except SystemExit as leaving:
            status = leaving.code
        return status, capsys.readouterr().out + caplog.text

    return call


# ---- train ------------------------------------------------------------------------------------


def test_train_leaves_a_config_that_is_an_input_again(trained):
    import config

    folder = Path(trained["info"]["output_folder"])
    assert config.load(folder / "config.yml").to_dict()["train"]["epochs"] == 1
    assert (folder / "history.csv").exists()


def test_a_wrong_file_is_told_before_torch_is_loaded(tmp_path):
    path = tmp_path / "wrong.yml"
    path.write_text("info: {name: x, output_folder: y}\ntrain: {epoch: 3}\n")
    code = (
        "import sys, runpy; sys.argv = ['train', '-p', sys.argv[1]]\n"
        "try: runpy.run_module('scripts.train', run_name='__main__')\n"
        "finally: print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=PROJECT, text=True, capture_output=True
    )
    assert done.returncode == 1 and done.stdout.strip() == "False False"
    assert f"{path}:2: train.epoch: " in done.stderr and "did you mean 'epochs'?" in done.stderr
    assert "datasets.train" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("section", "value", "message"),
    [
        (
            "datasets",
            {"train": {"class": "Sampel"}},
            "datasets.train.class: there is no 'Sampel'; did you mean 'Sample'?",
        ),
        (
            "datasets",
            {"train": {"class": "Sample", "args": {"folder": "x", "spilt": "train"}}},
            "did you mean 'split'?",
        ),
        ("model", {"builder": "deep_clusterin"}, "did you mean 'deep_clustering'?"),
        ("model", {"builder": "deep_clustering", "args": {"hidden": 3}}, "model.args.hidden"),
        (
            "model",
            {"builder": "deep_clustering", "args": {"dropout": 1.5}},
            "dropout is 1.5; it is a share",
        ),
        (
            "model",
            {"builder": "deep_clustering", "args": {"embedding_activation": ["tan"]}},
            "embedding_activation holds 'tan'",
        ),
        (
            "train",
            {"loss": {"dc": {"class": "DeepClusterLoss"}}},
            "did you mean 'DeepClusteringLoss'?",
        ),
        (
            "train",
            {
                "loss": {"dc": {"class": "DeepClusteringLoss"}},
                "optimizer": {"class": "Adam", "args": {"learning_rate": 0.1}},
            },
            "train.optimizer.args.learning_rate",
        ),
        (
            "train",
            {
                "loss": {"dc": {"class": "DeepClusteringLoss"}},
                "optimizer": {"class": "Adam", "args": {"lr": -1.0}},
            },
            "Invalid learning rate",
        ),
        (
            "train",
            {"loss": {"dc": {"class": "DeepClusteringLoss"}}, "scheduler": {"class": "StepLR"}},
            "step_size",
        ),
        ("algorithm", {"class": "DeepClutering"}, "did you mean 'DeepClustering'?"),
        (
            "algorithm",
            {"class": "DeepClustering", "args": {"model_path": "x", "num_source": 2}},
            "did you mean 'num_sources'?",
        ),
        ("evaluate", {"baselines": ["HPS"]}, "did you mean 'HPSS'?"),
    ],
)
def test_unknown_classes_and_arguments_are_told_before_any_data_is_read(
    run, monkeypatch, section, value, message
):
    monkeypatch.setattr("dataset.Sample.list_tracks", None)  # fails where data is looked for
    status, _ = run("train", **{section: value})
    assert message in str(status)


def test_a_loss_that_nothing_feeds_is_refused(run):
    graph = {
        "name": "m",
        "modules": {"mix_magnitude": {}, "log": {"class": "AmplitudeToDB"}},
        "connections": [["log", ["mix_magnitude"]]],
        "output": ["log"],
    }
    status, _ = run("train", model=graph)
    assert "DeepClusteringLoss reads 'embedding', which nothing provides" in str(status)


def test_a_device_that_is_not_there_is_refused(run, trained):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    status, _ = run("train", train={**trained["train"], "device": "cuda"})
    assert "device 'cuda' is not there; this machine has cpu" in status


# ---- visualize ---------------------------------------------------------------------------------


def test_visualize_writes_mixture_sources_and_picture(run, tmp_path):
    status, _ = run("visualize", visualize={"output_folder": str(tmp_path / "viz"), "seed": 1})
    assert status == 0
    (folder,) = (tmp_path / "viz" / "test").iterdir()
    assert re.fullmatch(r"\d{8}", folder.name)
    assert {p.name for p in folder.iterdir()} == {
        "mixture.wav",
        "source0.wav",
        "source1.wav",
        "viz.png",
        "index.html",
    }
    mix, sources = (
        audio.read(folder / "mixture.wav"),
        [audio.read(folder / f"source{i}.wav") for i in (0, 1)],
    )
    assert mix.shape == (1, 64000) and np.abs(mix).max() > 0.05
    assert np.abs(sources[0] + sources[1] - mix).max() < 1e-5
    assert min(np.square(s).sum() for s in sources) > 1e-3 * np.square(mix).sum()
    assert (folder / "viz.png").read_bytes().startswith(b"\x89PNG")


def test_a_seed_and_a_name_repeat_the_choice_and_the_sound(run, tmp_path):
    for name in ("a", "b"):
        run("visualize", visualize={"output_folder": str(tmp_path / name), "seed": 5})
    (a,), (b,) = ((tmp_path / name / "test").iterdir() for name in ("a", "b"))
    assert a.name == b.name
    for file in ("mixture.wav", "source0.wav", "source1.wav"):
        assert (a / file).read_bytes() == (b / file).read_bytes()
    run("visualize", visualize={"output_folder": str(tmp_path / "c"), "item": a.name})
    (c,) = (tmp_path / "c" / "test").iterdir()
    assert c.name == a.name and (c / "source0.wav").read_bytes() == (a / "source0.wav").read_bytes()


def test_an_unknown_item_is_told_with_what_there_is(run, tmp_path):
    status, _ = run("visualize", visualize={"output_folder": str(tmp_path), "item": "30000099"})
    assert "no item '30000099'" in status and "10 items from 30000000 to 30000009" in status


# ---- evaluate ----------------------------------------------------------------------------------


def test_evaluate_scores_the_model_beside_mixture_oracles_and_baselines(run, trained):
    status, printed = run("evaluate", evaluate={"num_items": 3, "baselines": ["HPSS"]})
    assert status == 0 and "3 of 10 items of test scored, 0 failed" in printed
    folder = Path(trained["info"]["output_folder"]) / "evaluation" / "test"
    result = json.loads((folder / "summary.json").read_text())
    by_method = {row["method"]: row for row in result["table"] if row["source"] == "vocals"}
    assert set(by_method) == {
        "mixture",
        "static mask",
        "DeepClustering",
        "HPSS",
        "ideal ratio mask",
        "ideal binary mask",
    }
    assert by_method["mixture"]["si_sdr_improvement"]["mean"] == 0
    assert by_method["ideal ratio mask"]["si_sdr_improvement"]["mean"] > 6
    assert by_method["ideal ratio mask"]["si_sdr"]["count"] == 3
    rows = (folder / "scores.csv").read_text().splitlines()
    assert len(rows) == 1 + 3 * 6 * 2
    in_full, means, _ = (folder / "table.md").read_text().split("\n\n")
    assert "| ideal binary mask" in in_full and "SI-SDR dB | median | improvement dB" in in_full
    head = " ".join(means.splitlines()[0].split())
    assert head == "| method | source | SI-SIR dB | SI-SAR dB | SD-SDR dB | SNR dB |"
    assert "si_sir_improvement" in rows[0]
    assert "si_sar_improvement" not in rows[0]  # the mixture has the best there is


def test_evaluate_scores_speech_where_the_packages_for_it_are(run, trained):
    for package in ("pystoi", "pesq"):
        pytest.importorskip(package)
    status, printed = run("evaluate", evaluate={"num_items": 2, "metrics": ["stoi", "pesq"]})
    assert status == 0 and "STOI" in printed and "PESQ" in printed
    result = json.loads((evaluation_of(trained) / "summary.json").read_text())
    mixture, ideal = (
        next(r for r in result["table"] if (r["method"], r["source"]) == (method, "all sources"))
        for method in ("mixture", "ideal ratio mask")
    )
    for score in ("stoi", "pesq"):
        assert ideal[score]["mean"] > mixture[score]["mean"]
    assert ideal["stoi"]["count"] == 4
    assert ideal["pesq"]["count"] + ideal["pesq"]["left_out"] == 4  # some have no utterance


def spoil(monkeypatch, number, message):
    """Let an item of the test split fail with a UserError."""
    read = dataset.Sample.excerpt

    def spoiled(self, index, *args, **kwargs):
        if self.split == "test" and index == number:
            raise UserError(message)
        return read(self, index, *args, **kwargs)

    monkeypatch.setattr(dataset.Sample, "excerpt", spoiled)


def test_an_item_that_fails_is_counted_and_named_and_the_status_says_so(run, trained, monkeypatch):
    spoil(monkeypatch, 9, "30000009/vocals.wav: broken")
    status, _ = run("evaluate", evaluate={"num_items": 2})
    assert "1 of 2 items failed" in status and "30000009" in status
    folder = Path(trained["info"]["output_folder"]) / "evaluation" / "test"
    assert list(json.loads((folder / "summary.json").read_text())["failed"]) == ["30000009"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data[:, :-1], "DeepClustering returns 63999 samples in 1 channel"),
        (lambda data: data * np.nan, "Not all values of audio_data are finite"),
    ],
)
def test_an_estimate_of_the_wrong_form_is_a_failed_item(run, monkeypatch, spoil, message):
    separate = DeepClustering.make_audio_signals

    def spoilt(self):
        signals = separate(self)
        signals[0].audio_data = spoil(signals[0].audio_data)
        return signals

    monkeypatch.setattr(DeepClustering, "make_audio_signals", spoilt)
    status, _ = run("evaluate", evaluate={"num_items": 2})
    assert "none of 2 items could be scored" in status and message in status


def test_a_silent_estimate_counts_as_bad_and_does_not_drop_out(run, trained, monkeypatch):
    separate = DeepClustering.make_audio_signals

    def silent(self):
        signals = separate(self)
        for signal in signals:
            signal.audio_data = 0 * signal.audio_data
        return signals

    monkeypatch.setattr(DeepClustering, "make_audio_signals", silent)
    assert run("evaluate", evaluate={"num_items": 2})[0] == 0
    folder = Path(trained["info"]["output_folder"]) / "evaluation" / "test"
    (row,) = (
        row
        for row in json.loads((folder / "summary.json").read_text())["table"]
        if (row["method"], row["source"]) == ("DeepClustering", "vocals")
    )
    assert row["si_sdr"]["mean"] == -100 and row["si_sdr"]["count"] == 2


def evaluation_of(trained):
    return Path(trained["info"]["output_folder"]) / "evaluation" / "test"


def test_a_killed_evaluation_goes_on_and_gives_the_same_table(run, trained, monkeypatch):
    sections = {"num_items": 6, "metrics": ["bss_eval"], "page_items": 0}
    assert run("evaluate", evaluate=sections)[0] == 0
    names = ("scores.csv", "table.md", "summary.json")
    whole = [(evaluation_of(trained) / name).read_text() for name in names]
    read, count = dataset.Sample.excerpt, []

    def killed(self, index, *args, **kwargs):
        if self.split == "test":
            count.append(index)
            if len(count) == 4:
                raise KeyboardInterrupt
        return read(self, index, *args, **kwargs)

    monkeypatch.setattr(dataset.Sample, "excerpt", killed)
    assert run("evaluate", evaluate=sections)[0] == 130
    assert len(list((evaluation_of(trained) / "unfinished").glob("0*.json"))) == 3
    assert run("evaluate", evaluate=sections)[0] == 0
    assert len(count) == 4 + 3  # the three that were left, and no other
    assert [(evaluation_of(trained) / name).read_text() for name in names] == whole
    assert not (evaluation_of(trained) / "unfinished").exists()


@pytest.mark.slow
def test_many_processes_give_the_same_table(run, trained):
    assert run("evaluate", evaluate={"num_items": 4})[0] == 0
    alone = (evaluation_of(trained) / "table.md").read_text()
    assert run("evaluate", evaluate={"num_items": 4, "num_workers": 2})[0] == 0
    assert (evaluation_of(trained) / "table.md").read_text() == alone


@pytest.mark.slow
def test_processes_of_torchrun_share_the_items_and_give_the_same_table(run, trained, tmp_path):
    assert run("evaluate", evaluate={"num_items": 4})[0] == 0
    alone = (evaluation_of(trained) / "table.md").read_text()
    (evaluation_of(trained) / "table.md").unlink()
    path = tmp_path / "evaluate.yml"
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        "29631",
        "-m",
        "scripts.evaluate",
        "-p",
        str(path),
    ]
    done = subprocess.run(command, cwd=PROJECT, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert (evaluation_of(trained) / "table.md").read_text() == alone


def test_files_that_are_dropped_are_counted_and_named(run, trained, monkeypatch):
    """5 % would do: one of the ten."""
    spoil(monkeypatch, 4, "30000004/vocals.flac: no such file")
    status, printed = run("evaluate", evaluate={})
    assert "1 of 10 items failed" in status and "9 of 10 items of test scored, 1 failed" in printed
    assert "30000004" in (evaluation_of(trained) / "table.md").read_text()


def test_results_of_another_checkpoint_are_not_mixed_with(run, trained, tmp_path):
    assert run("evaluate", evaluate={"num_items": 1})[0] == 0
    weights = Path(trained["algorithm"]["args"]["model_path"])
    content = torch.load(weights, weights_only=True)
    next(iter(content["state_dict"].values())).add_(1e-3)
    other = tmp_path / "other.model.pth"
    torch.save(content, other)
    args = {**trained["algorithm"]["args"], "model_path": str(other)}
    algorithm = {"class": "DeepClustering", "args": args}
    status, _ = run("evaluate", evaluate={"num_items": 1}, algorithm=algorithm)
    assert "holds the results of another checkpoint" in status


# ---- separate ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "channels", "length", "suffix", "subtype"),
    [
        (44100, 2, 70001, ".wav", "PCM_16"),
        (16000, 1, 40000, ".flac", "PCM_16"),
        (48000, 1, 50003, ".wav", "FLOAT"),
        (8000, 2, 30000, ".ogg", "VORBIS"),
        (22050, 1, 33333, ".mp3", "MPEG_LAYER_III"),
        (11025, 2, 400, ".wav", "PCM_24"),
    ],
)
def test_sources_have_the_inputs_form_and_add_up_to_it(
    run, tmp_path, rate, channels, length, suffix, subtype
):
    rng = np.random.default_rng(0)
    tone = np.sin(2 * np.pi * 440 * np.arange(length) / rate)[:, None]
    data = 0.4 * tone + 0.2 * rng.standard_normal((length, channels))
    path = tmp_path / f"song{suffix}"
    soundfile.write(path, 0.5 * data, rate, subtype=subtype)
    status, _ = run(
        "separate", separate={"files": [str(path)], "output_folder": str(tmp_path / "o")}
    )
    assert status == 0
    mix = audio.read(path)
    sources = [audio.read(tmp_path / "o" / "song" / f"source{i}.wav") for i in (0, 1)]
    for i, source in enumerate(sources):
        assert source.shape == mix.shape
        assert soundfile.info(tmp_path / "o" / "song" / f"source{i}.wav").samplerate == rate
    assert np.abs(sources[0] + sources[1] - mix).max() < 1e-3


def wav(path, data, rate=16000):
    soundfile.write(path, data, rate, subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: wav(p, np.zeros(20000)), "is silent"),
        (lambda p: wav(p, 0.1 * np.ones(10)), "has 10 samples"),
        (lambda p: wav(p, np.zeros(0)), "holds no samples"),
        (
            lambda p: wav(p, np.where(np.arange(9000) == 77, np.nan, 0.1)),
            "NaN or infinite samples (the first at sample 77)",
        ),
        (lambda p: p.write_bytes(b"this is not audio" * 99), "cannot be read as audio"),
        (lambda p: p.write_bytes(b""), "is empty (0 bytes)"),
    ],
)
def test_one_bad_file_is_named_and_the_others_are_separated(run, tmp_path, make, message):
    make(tmp_path / "bad.wav")
    wav(tmp_path / "good.wav", 0.1 * np.random.default_rng(0).standard_normal(20000))
    status, _ = run(
        "separate",
        separate={"files": [str(tmp_path / "*.wav")], "output_folder": str(tmp_path / "out")},
    )
    assert f"1 of 2 files were not separated:\n  {tmp_path / 'bad.wav'}: " in status
    assert status.count("bad.wav: ") == 1
    assert message in status
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["good"]
    assert len(list((tmp_path / "out" / "good").iterdir())) == 2 + 1  # and separation.json


def test_a_folder_is_separated_as_flac_and_gone_on_with_where_it_stopped(run, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a/song.wav", "b/song.flac", "b/song.wav", "b/notes.txt"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("txt"):
            (tmp_path / "in" / name).write_text("no audio")
        else:
            soundfile.write(tmp_path / "in" / name, 0.1 * rng.standard_normal(20000), 16000)
    sections = {
        "files": [str(tmp_path / "in")],
        "output_folder": str(tmp_path / "out"),
        "format": "flac",
    }
    assert run("separate", separate=sections)[0] == 0
    records = sorted((tmp_path / "out").rglob("separation.json"))
    assert len(records) == 3
    made = json.loads(records[0].read_text())
    assert made["files"] == ["source0.flac", "source1.flac"] and len(made["checkpoint"]) == 64
    assert 0 < made["confidence"]["silhouette"] < 1
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("source*.flac")}
    (records[1].parent / "source1.flac").unlink()
    status, printed = run("separate", separate=sections)
    assert status == 0 and "2 of 3 files were separated before" in printed
    again = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("source*.flac")}
    changed = {path.parent for path in first if first[path] != again[path]}
    assert changed == {records[1].parent}
    sections["format"] = "wav"  # of another making
    assert run("separate", separate=sections)[0] == 0
    assert not list((tmp_path / "out").rglob("source*.flac"))
    assert len(list((tmp_path / "out").rglob("source*.wav"))) == 6


def test_missing_files_and_patterns_without_a_match_are_told_at_once(run, tmp_path):
    status, _ = run("separate", separate={"files": [str(tmp_path / "no.wav")]})
    assert "separate.files[0]: " in str(status) and "no.wav' is no file" in str(status)
    status, _ = run("separate", separate={"files": [str(tmp_path / "*.wav")]})
    assert "no audio file is found by" in str(status)


def test_an_output_folder_that_cannot_be_written_is_told(run, tmp_path):
    path = wav(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(9000))
    (tmp_path / "taken").write_text("a file")
    status, _ = run(
        "separate",
        separate={"files": [str(path)], "output_folder": str(tmp_path / "taken" / "below")},
    )
    assert "cannot be written" in status and (tmp_path / "taken").read_text() == "a file"


def test_a_full_disk_leaves_no_half_written_source(run, tmp_path, monkeypatch):
    path = wav(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(9000))

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("files.os.fsync", full)
    status, _ = run(
        "separate", separate={"files": [str(path)], "output_folder": str(tmp_path / "o")}
    )
    assert "No space left on device" in status
    assert list((tmp_path / "o").rglob("*.*")) == []


class Bomb:
    def __reduce__(self):
        return (Path.write_text, (Path("bomb-went-off"), "boom"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such checkpoint"),
        (b"", "is not a checkpoint"),
        (b"just some text, no checkpoint", "checkpoint"),
        (pickle.dumps(Bomb()), "refused"),
        ({"weights": torch.zeros(3)}, "holds no model (found: weights)"),
    ],
)
@pytest.mark.parametrize("script", ["separate", "visualize", "evaluate"])
def test_a_checkpoint_that_is_none_is_told_before_any_work(
    run, trained, tmp_path, monkeypatch, script, content, message
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    mix = wav(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(9000))
    sections = {
        "separate": {"files": [str(mix)], "output_folder": str(tmp_path / "out")},
        "visualize": {"output_folder": str(tmp_path / "out")},
        "evaluate": {},
    }
    args = {**trained["algorithm"]["args"], "model_path": str(path)}
    status, _ = run(
        script,
        algorithm={"class": "DeepClustering", "args": args},
        info={"name": "x", "output_folder": str(tmp_path / "out")},
        **{script: sections[script]},
    )
    assert message in status and str(path) in status
    assert not (tmp_path / "out").exists() and not (tmp_path / "bomb-went-off").exists()


def test_a_bomb_inside_a_torch_file_does_not_go_off(run, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.pth"
    torch.save({"state_dict": {}, "metadata": Bomb()}, path)
    args = {**trained["algorithm"]["args"], "model_path": str(path)}
    status, _ = run(
        "visualize",
        algorithm={"class": "DeepClustering", "args": args},
        visualize={"output_folder": str(tmp_path / "out")},
    )
    assert "refused" in status and not (tmp_path / "bomb-went-off").exists()


def test_classical_algorithms_separate_too(run, tmp_path):
    rng = np.random.default_rng(0)
    path = wav(tmp_path / "a.wav", 0.1 * rng.standard_normal((60000, 2)), 22050)
    status, _ = run(
        "separate",
        algorithm={"class": "HPSS"},
        separate={"files": [str(path)], "output_folder": str(tmp_path / "o")},
    )
    assert status == 0
    sources = [audio.read(tmp_path / "o" / "a" / f"source{i}.wav") for i in (0, 1)]
    assert sources[0].shape == (2, 60000)


def test_the_help_of_every_script_tells_its_command():
    for script in ROWS:
        done = subprocess.run(
            [sys.executable, "-m", f"scripts.{script}", "--help"],
            cwd=PROJECT,
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0 and f"python -m scripts.{script} -p" in done.stdout


def test_scripts_run_from_any_folder_and_paths_mean_the_projects(tmp_path, monkeypatch):
    seen = []

    def main(config):
        seen.append((Path.cwd(), config.info.name))

    (tmp_path / "mine.yml").write_text("info: {name: mine, output_folder: out}\n")
    for path, name in (("mine.yml", "mine"), ("experiments/analyze.yml", "analysis")):
        monkeypatch.chdir(tmp_path)
        scripts.common.run(main, "", (), ["-p", path])
        assert seen.pop() == (PROJECT, name)
