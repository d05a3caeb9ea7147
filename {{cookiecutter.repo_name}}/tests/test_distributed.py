"""One training run in many processes, over gloo, as torchrun starts them."""

import json
import os
import signal
import subprocess

import forks
import pytest
import torch
import yaml
from others import wait_until
from trainings import close, fit, trainer_of, weights, write

import distributed
from errors import UserError

torch.set_num_threads(1)
STEADY = {"dropout": 0.0, "normalization": "InstanceNorm"}
SMALL = {"args": STEADY, "optimizer": {"class": "SGD", "args": {"lr": 0.5}}}


def torchrun(path, count):
    """A training run in `count` processes."""
    launcher = ("torch.distributed.run", "--standalone", f"--nproc-per-node={count}", "-m")
    return forks.start(*launcher, "scripts.train", "-p", path)


def finished(process, seconds=600):
    """(exit status, everything it printed)"""
    try:
        texts = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, "".join(texts)


def together(path):
    """Train in two processes, to the end."""
    for done in forks.run_together("scripts.train", "-p", path):
        assert done.returncode == 0, done.stderr


def saved(path, name):
    return torch.load(path.parent / name / "checkpoints" / "latest.pth", weights_only=True)


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_whole_batch(write_config):
    """6 steps: each process takes half of every batch, and half of the validation data."""
    alone = fit(write_config("alone", epochs=3, **SMALL))
    path = write_config("together", epochs=3, **SMALL)
    status, text = finished(torchrun(path, 2))
    assert status == 0, text
    state = saved(path, "together")
    assert state["iteration"] == 6
    assert close(weights(alone), state["model"], 1e-5)
    for a, b in zip(alone.history.rows, state["history"]["rows"], strict=True):
        for key in ("train_loss", "val_loss"):
            assert b[key] == pytest.approx(a[key], rel=1e-4)
    assert text.count("epoch 3  step 6") == 1  # logged by one of them
    assert "batches of 4 (in 2 parts of 2)" in text

    # one process goes on from what two have left, and two from what one has
    longer = path.read_text().replace("epochs: 3", "epochs: 4")
    path.write_text(longer)
    further = fit(path)
    whole = fit(write_config("whole", epochs=4, **SMALL))
    assert further.engine.state.iteration == 8
    assert close(weights(whole), weights(further), 2e-5)
    path.write_text(longer.replace("epochs: 4", "epochs: 5"))
    together(path)
    whole = fit(write_config("longer", epochs=5, **SMALL))
    assert close(weights(whole), saved(path, "together")["model"], 2e-5)


@pytest.mark.slow
def test_two_processes_choose_the_best_model_by_score_as_one_does(write_config):
    """Each scores its share of three validation items; the scheduler follows the common mean."""
    histories = []
    for name, train in (("alone", fit), ("together", together)):
        path = write_config(name, epochs=3, best_by={"num_items": 3}, **SMALL)
        plain = yaml.safe_load(path.read_text())
        plain["algorithm"] = {"class": "DeepClustering", "args": {"num_sources": 2}}
        train(write(path, plain))
        histories.append(saved(path, name)["history"]["rows"])
    for a, b in zip(*histories, strict=True):
        key = "val_si_sdr_improvement"
        assert b[key] == pytest.approx(a[key], abs=1e-3)
        assert b["learning_rate"] == a["learning_rate"]


def test_every_process_validates_the_model_of_the_first(write_config, monkeypatch):
    """Batch normalisation has seen other excerpts in each."""
    trainer = trainer_of(write_config(builder="mask_inference", ema_decay=0.5))
    monkeypatch.setattr(distributed, "broadcast", lambda buffer: buffer.fill_(7))
    trainer.validate()
    statistics = trainer.average.module.layers["normalization"].batch_norm
    assert statistics.running_mean.item() == statistics.running_var.item() == 7


@pytest.mark.slow
def test_a_process_that_dies_ends_the_others_with_a_message(write_config):
    path = write_config("dying", epochs=100_000, **SMALL)
    processes = forks.start_together("scripts.train", "-p", path)
    latest = path.parent / "dying" / "checkpoints" / "latest.pth"
    wait_until(latest.exists)
    processes[1].kill()
    status, text = finished(processes[0])
    assert status == 1
    assert "another process of this training run has ended" in text
    assert torch.load(latest, weights_only=True)["iteration"] > 0


@pytest.mark.slow
def test_sigterm_to_one_process_stops_all_at_one_step(write_config):
    path = write_config("stopped", epochs=100_000, **SMALL)
    processes = forks.start_together("scripts.train", "-p", path)
    latest = path.parent / "stopped" / "checkpoints" / "latest.pth"
    wait_until(latest.exists)
    processes[1].send_signal(signal.SIGTERM)
    (status, text), (other, _) = map(finished, processes)
    assert status == other == 75
    assert "stopped by SIGTERM at step" in text
    assert torch.load(latest, weights_only=True)["iteration"] > 0


def test_without_torchrun_or_srun_there_is_one_process(monkeypatch):
    for name in ("WORLD_SIZE", "SLURM_NTASKS", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    assert distributed.launched_world_size() == 1
    assert (distributed.rank(), distributed.world_size(), distributed.is_main_process()) == (
        0,
        1,
        True,
    )
    assert distributed.run(lambda: "done") == "done"
    assert distributed.all_gather("mine") == ["mine"]
    assert distributed.any_process(True) and not distributed.any_process(0)
    assert torch.equal(distributed.all_reduce(torch.arange(3)), torch.arange(3))


@pytest.mark.parametrize(
    "environment, count",
    [
        ({"WORLD_SIZE": "4"}, 4),
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "3"}, 8),
        ({"SLURM_NTASKS": "8"}, 1),  # the batch script itself, not a task of srun
    ],
)
def test_torchrun_and_srun_are_recognised(monkeypatch, environment, count):
    for name in ("WORLD_SIZE", "SLURM_NTASKS", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert distributed.launched_world_size() == count


@pytest.mark.parametrize(
    "gpus, device, backend",
    [(0, "auto", "gloo"), (2, "auto", "nccl"), (2, "cuda", "nccl"), (2, "cpu", "gloo")],
)
def test_the_backend_is_that_of_the_device(monkeypatch, gpus, device, backend):
    import ignite.distributed

    def parallel(backend):
        raise UserError(backend)

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(ignite.distributed, "Parallel", parallel)
    with pytest.raises(UserError, match=backend):
        distributed.run(lambda: None, device)


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="process 1 .* which has 1 GPU; start a process for each"):
        distributed.run(lambda: None, "auto")


def test_every_process_gets_an_equal_share_and_all_get_everything():
    from training.sampling import ShuffledBatches, Spread, batches_in_order

    twelve, seven = (Spread([1] * count, count) for count in (12, 7))
    whole = iter(ShuffledBatches(twelve, 6, seed=0))
    parts = [iter(ShuffledBatches(twelve, 6, seed=0, shard=(i, 3))) for i in range(3)]
    for _ in range(4):
        batch, shares = next(whole), [next(part) for part in parts]
        assert [len(share) for share in shares] == [2, 2, 2]
        assert sorted(key for share in shares for key in share) == sorted(batch)
    shares = [batches_in_order(seven, 3, (i, 2)) for i in range(2)]
    keys = [key for share in shares for batch in share for key in batch]
    assert sorted(keys) == [(0, i, 0) for i in range(7)]
    assert shares[1] == [[(0, 1, 0)], [(0, 4, 0)]]  # it has no part in the last batch of one


@pytest.mark.parametrize("code, status", [(None, 0), (75, 75), ("error: no", 1)])
def test_one_of_many_exits_with_its_status_and_runs_its_exit_handlers(code, status):
    done = forks.run("leaves", json.dumps(code), WORLD_SIZE="2")
    assert (done.returncode, done.stdout) == (status, "done at exit\n")
    assert done.stderr == ("error: no\n" if status == 1 else "")
