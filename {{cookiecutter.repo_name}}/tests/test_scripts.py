"""Each script as it is used: a YAML file in, files out, and one clear message for what is wrong."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from quick_steps import experiment, write
from script_runs import SCRIPTS, wav

import scripts.common
from orchestration import launchers

torch.set_num_threads(1)
PROJECT = Path(__file__).parent.parent


def test_train_leaves_a_config_that_is_an_input_again(trained):
    import config

    folder = Path(trained["info"]["output_folder"])
    assert config.load(folder / "config.yml").to_dict()["train"]["epochs"] == 1
    assert (folder / "history.csv").exists()


def test_a_wrong_file_is_reported_before_torch_is_loaded(tmp_path):
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
            "dropout is 1.5; it is a probability",
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
def test_unknown_classes_and_arguments_are_reported_before_any_data_is_read(
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
    assert "device 'cuda' is not available; this machine has cpu" in status


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
def test_a_checkpoint_that_is_none_is_reported_before_any_work(
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


def test_the_help_of_every_script_shows_its_command():
    for script in SCRIPTS:
        done = subprocess.run(
            [sys.executable, "-m", f"scripts.{script}", "--help"],
            cwd=PROJECT,
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0 and f"python -m scripts.{script} -p" in done.stdout


def test_ctrl_c_while_a_module_is_imported_is_one_line(tmp_path):
    """Libraries catch exceptions of what they import, as this one does."""
    (tmp_path / "argparse.py").write_text(
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\nexcept BaseException:\n    pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "scripts.train", "-p", "experiments/demo.yml"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        text=True,
        capture_output=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.startswith("stopped; ") and len(done.stderr.splitlines()) == 1


def test_scripts_run_from_any_folder_and_paths_mean_the_projects(tmp_path, monkeypatch):
    seen = []

    def main(config):
        seen.append((Path.cwd(), config.info.name))

    (tmp_path / "mine.yml").write_text("info: {name: mine, output_folder: out}\n")
    for path, name in (("mine.yml", "mine"), ("experiments/analyze.yml", "comparison")):
        monkeypatch.chdir(tmp_path)
        scripts.common.run(main, "", (), ["-p", path])
        assert seen.pop() == (PROJECT, name)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_script_whose_output_nobody_reads_any_more_goes_on_in_silence(tmp_path, unbuffered):
    step = {"script": "train", "config": str(experiment(tmp_path))}
    path = write(tmp_path, {"train": step}, plan=True)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "scripts.pipeline", "-p", path],
        cwd=PROJECT,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_folder_of_a_run_is_the_run_in_it_wherever_it_was_trained(tmp_path, caplog):
    run = tmp_path / "copied"
    evaluated = run / "evaluation" / "test"
    evaluated.mkdir(parents=True)
    for folder in (run, evaluated):
        (folder / "config.yml").write_text("info: {name: a, output_folder: /trained/here}\n")
    folders = []

    def folder_for(path):
        scripts.common.run(lambda c: folders.append(c.info.output_folder), "", (), ["-p", path])
        return folders.pop()

    assert folder_for(str(run)) == "/trained/here" and not caplog.text  # nothing was trained here
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "latest.pth").touch()
    assert folder_for(str(run)) == str(run)
    assert f"{run / 'config.yml'} names another folder as info.output_folder" in caplog.text
    caplog.clear()
    assert folder_for(str(run / "config.yml")) == "/trained/here"
    assert f"/trained/here; -p {run} uses the run in {run}" in caplog.text
    caplog.clear()
    assert folder_for(str(evaluated)) == "/trained/here" and not caplog.text


@pytest.mark.parametrize(
    ("at_once", "given", "threads"),
    [(1, None, "None"), (2, None, "4"), (9, None, "1"), (2, "3", "3")],
)
def test_scripts_that_run_at_the_same_time_share_the_cores(
    tmp_path, monkeypatch, at_once, given, threads
):
    monkeypatch.setattr(launchers, "available_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS")
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    said = "import os; print(os.environ.get('OMP_NUM_THREADS'))"
    process = launchers.Local(at_once).start([sys.executable, "-c", said], tmp_path / "log")
    assert process.wait() == 0 and (tmp_path / "log").read_text() == f"{threads}\n"


@pytest.mark.parametrize(("policy", "spins"), [(None, "2000"), ("active", "None")])
def test_threads_of_scripts_that_wait_for_work_soon_sleep(policy, spins):
    environment = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    environment |= {"OMP_WAIT_POLICY": policy} if policy else {}
    said = "import os, scripts; print(os.environ.get('GOMP_SPINCOUNT'))"
    command = [sys.executable, "-c", said]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert done.stdout == f"{spins}\n"
