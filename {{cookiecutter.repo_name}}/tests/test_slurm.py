"""Pipelines and sweeps as jobs of a real SLURM of two nodes, which these tests start and stop."""

import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
import quick_steps
import quick_sweeps
from others import wait_until
from quick_steps import experiment, read, write
from slurm_cluster import cluster  # noqa: F401  (a fixture)

from config import ConfigError
from config.orchestration import Launcher
from errors import UserError
from orchestration import pipeline
from orchestration.slurm import Command, Job, Slurm, rendezvous

PROJECT = Path(__file__).parents[1]


class QuickJobs(Slurm):
    """Jobs that run a program of a few milliseconds in place of a script."""

    program = "import sys; print('this is a job'); sys.exit(int(sys.argv[1]))"

    def __init__(self, settings, status=0):
        super().__init__(settings)
        self.status, self.started = status, []

    def start(self, command, log, locks=()):
        self.started.append(log.stem)
        return super().start([sys.executable, "-S", "-c", self.program, str(self.status)], log)


def test_without_a_cluster_there_is_one_message(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    steps = {"a": {"script": "train", "config": str(experiment(tmp_path))}}
    path = write(tmp_path, steps)
    path.write_text(path.read_text() + "launcher: {class: slurm}\n")
    with pytest.raises(ConfigError, match="launcher.class: is slurm, and there is no sbatch"):
        read(path)


def test_a_command_that_can_be_resumed_is_queued_again(tmp_path, monkeypatch):
    asked = []
    run = lambda command, **_: asked.append(command)  # noqa: E731
    monkeypatch.setattr("orchestration.slurm.subprocess.run", run)
    monkeypatch.setattr("orchestration.slurm.time.sleep", lambda seconds: None)
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    program = [sys.executable, "-S", "-c", "import sys; print('x'); sys.exit(75)"]
    assert Command(program, tmp_path / "log", requeue=True)() == 75
    assert asked == [["scontrol", "requeue", "17"]]
    monkeypatch.setenv("SLURM_PROCID", "1")  # one of several tasks asks, not all
    assert Command(program, tmp_path / "log", requeue=True)() == 75
    assert len(asked) == 1 and (tmp_path / "log.rank1.log").read_text() == "x\n"


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """A function that puts shell scripts in the place of SLURM's programs: (text of each)."""

    def put(**texts):
        folder = tmp_path / "programs"
        folder.mkdir()
        for name, text in {"srun": "", "sinfo": "", **texts}.items():
            (folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return put


def one_job(tmp_path):
    """Run a pipeline of one step as a job."""
    path = write(tmp_path, {"a": {"script": "train", "config": str(experiment(tmp_path))}})
    path.write_text(path.read_text() + "launcher: {class: slurm}\n")
    pipeline.Pipeline(*read(path)).run()


def test_a_job_that_slurm_refuses_is_one_message(tmp_path, stand_ins):
    stand_ins(sbatch="echo 'sbatch: error: Invalid account' >&2; exit 1")
    with pytest.raises(UserError, match="SLURM rejects the job .*Invalid account.*; change that"):
        one_job(tmp_path)


@pytest.mark.parametrize("state", ["", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY"])
def test_a_job_without_an_exit_status_is_told_from_a_script_that_failed(
    tmp_path, stand_ins, monkeypatch, caplog, state
):
    monkeypatch.setattr("orchestration.slurm.EVERY", 0.0)
    stand_ins(sbatch="echo 'Submitted batch job 7'", squeue=f"echo {state}")
    with pytest.raises(UserError, match="1 of 1 step failed: a"):
        one_job(tmp_path)
    assert "a: it failed (job 7 ended without an exit status: it was cancelled, or" in caplog.text
    assert "it has written nothing to" in caplog.text


def test_a_job_asks_for_what_the_section_says(tmp_path, stand_ins):
    stand_ins()
    wanted = {"partition": "short", "account": "me", "nodes": 2, "cpus_per_task": 4}
    section = {"class": "slurm", **wanted, "tasks_per_node": 3, "gpus_per_node": 1}
    section |= {"minutes": 90, "memory_gb": 2.5, "options": dict(qos="high")}
    asked = Slurm(Launcher.model_validate(section)).executor(tmp_path / "jobs").parameters
    wanted |= {"ntasks_per_node": 3, "gpus_per_node": 1, "time": 90, "mem": "2560MB"}
    assert {key: asked[key] for key in wanted} == wanted
    assert asked["additional_parameters"]["qos"] == "high"


def test_tasks_of_a_job_find_each_other_by_the_variables_of_torch(monkeypatch):
    assert rendezvous() == {}  # there is no job
    job = {"SLURM_NTASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "20007"}
    for name, value in {**job, "SLURM_JOB_NODELIST": "n[1-2]"}.items():
        monkeypatch.setenv(name, value)
    said = {
        ("show", "hostnames", "n[1-2]"): "n1\nn2\n",
        ("show", "node", "n1"): "NodeName=n1\n   NodeAddr=10.0.0.1 NodeHostName=n1\n",
    }
    monkeypatch.setattr("orchestration.slurm._scontrol", lambda *arguments: said[arguments])
    assert rendezvous() == {
        "RANK": "3",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "4",
        "MASTER_ADDR": "10.0.0.1",
        "MASTER_PORT": "20007",
    }


def test_a_result_counts_while_slurm_does_not_answer(tmp_path, stand_ins, monkeypatch):
    monkeypatch.setattr("orchestration.slurm.EVERY", 0.0)
    stand_ins(squeue="exit 1")
    paths = types.SimpleNamespace(folder=tmp_path, result_pickle=tmp_path / "result")
    ended = {"exception": lambda: None, "result": lambda: 3}
    job = Job(types.SimpleNamespace(job_id="7", paths=paths, _sub_jobs=[], **ended))
    assert job.poll() is None
    paths.result_pickle.touch()
    assert job.poll() == 3


@pytest.mark.slow
def test_steps_are_jobs_and_one_that_fails_is_told(tmp_path, cluster):  # noqa: F811
    steps = {
        "a": {"script": "train", "config": str(experiment(tmp_path))},
        "b": {"script": "evaluate", "config": str(tmp_path / "small.yml"), "needs": ["a"]},
    }
    path = write(tmp_path, steps)
    path.write_text(path.read_text() + "launcher: {class: slurm, partition: shrot}\n")
    with pytest.raises(ConfigError, match="no partition 'shrot'; did you mean 'short'"):
        read(path)
    path.write_text(path.read_text().replace("shrot", "short"))
    made = []

    def launcher(section, at_once, status=0):
        made.append(QuickJobs(section, status))
        return made[-1]

    pipeline.Pipeline(*read(path), launcher).run()
    assert [one for launched in made for one in launched.started] == ["a", "b"]
    assert (tmp_path / "small" / "logs" / "a.log").read_text() == "this is a job\n"
    shutil.rmtree(tmp_path / "pipeline")
    for _ in range(2):  # a job that has failed is not taken up again
        with pytest.raises(UserError, match="1 of 2 steps failed: a; not run, .*: b$"):
            pipeline.Pipeline(
                *read(path), lambda section, at_once: launcher(section, at_once, 3)
            ).run()
        assert made[-1].started == ["a"]


@pytest.mark.slow
def test_two_nodes_train_to_the_weights_of_two_processes(tmp_path, cluster, write_config):  # noqa: F811
    from trainings import close

    steady = {"args": {"dropout": 0.0, "normalization": "InstanceNorm"}, "epochs": 2}
    here, there = write_config("here", **steady), write_config("there", **steady)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*torchrun, "-m", "scripts.train", "-p", str(here)]
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    steps = {"train": {"script": "train", "config": str(there)}}
    path = write(tmp_path, steps)
    path.write_text(path.read_text() + "launcher: {class: slurm, nodes: 2}\n")
    pipeline.Pipeline(*read(path)).run()
    import torch

    states = [
        torch.load(tmp_path / name / "checkpoints" / "latest.pth", weights_only=True)["model"]
        for name in ("here", "there")
    ]
    assert close(*states, 1e-6)
    assert (tmp_path / "there" / "logs" / "train.rank1.log").exists()


@pytest.mark.slow
def test_a_training_that_is_preempted_is_queued_again_and_ends_the_same(
    tmp_path,
    cluster,  # noqa: F811
    write_config,
):
    import torch
    from trainings import fit, same, weights

    settings = {"epochs": 60, "checkpoint_every": 1}
    whole = fit(write_config("whole", **settings))
    steps = {"train": {"script": "train", "config": str(write_config("stopped", **settings))}}
    path = write(tmp_path, steps)
    path.write_text(path.read_text() + "launcher: {class: slurm}\n")
    program = "import sys; sys.path[:0] = ['.', 'tests']; import quick_steps as q\n"
    program += "q.pipeline.Pipeline(*q.read(sys.argv[1])).run()"
    process = subprocess.Popen([sys.executable, "-c", program, path], cwd=PROJECT)
    latest = tmp_path / "stopped" / "checkpoints" / "latest.pth"
    wait_until(latest.exists, 300)
    process.kill()  # whoever submitted the job is not needed for it
    process.wait()
    job = quick_steps.pipeline.Record(tmp_path / "pipeline" / "steps" / "train.json").read()["job"]
    subprocess.run(["scancel", "--signal=TERM", job["id"]], check=True)
    pipeline.Pipeline(*read(path)).run()
    log = (tmp_path / "stopped" / "logs" / "train.log").read_text()
    assert "stopped by SIGTERM at step" in log and "resuming at step" in log
    assert same(weights(whole), torch.load(latest, weights_only=True)["model"])


@pytest.mark.slow
def test_a_sweep_is_an_array_of_jobs_of_which_one_is_preempted(tmp_path, cluster):  # noqa: F811
    """The table is that of the same sweep on one machine, and no trial runs twice."""
    settings = {
        "optimizer": {"class": "Adam", "args": {"lr": 0.001}},
        "epochs": 3,
        "excerpts_per_epoch": 40,
        "batch_size": 4,
        "checkpoint_every": 1,
    }
    experiment(tmp_path, **settings)
    vary = {"train.optimizer.args.lr": [0.0003, 0.001, 0.003]}
    here = quick_sweeps.write(tmp_path, "here", vary=vary, goal="val_loss")
    there = quick_sweeps.write(tmp_path, "there", vary=vary, goal="val_loss", workers=2)
    there.write_text(there.read_text() + "launcher: {class: slurm}\n")
    command = [sys.executable, "-m", "scripts.sweep", "-p"]
    subprocess.run([*command, here], cwd=PROJECT, check=True)

    process = subprocess.Popen([*command, there], cwd=PROJECT)
    folder = tmp_path / "there"
    wait_until(lambda: [*folder.glob("trials/*/checkpoints/latest.pth")], 300)
    jobs = json.loads((folder / "jobs.json").read_text())["jobs"]
    array = jobs[0]["id"].partition("_")[0]
    assert [job["id"] for job in jobs] == [f"{array}_0", f"{array}_1"]
    process.kill()  # whoever submitted them is not needed for them
    process.wait()
    subprocess.run(["scancel", "--signal=TERM", f"{array}_0"], check=True)
    subprocess.run([*command, there], cwd=PROJECT, check=True)

    assert (folder / "table.csv").read_text() == (tmp_path / "here" / "table.csv").read_text()
    logs = [(folder / "logs" / f"worker_{i}.log").read_text() for i in (0, 1)]
    assert "stopped by SIGTERM; the same command resumes where it stopped" in logs[0]
    ended = [line for text in logs for line in text.splitlines() if ": val_loss " in line]
    assert sorted(line.split(":")[0] for line in ended) == ["trial 0", "trial 1", "trial 2"]
