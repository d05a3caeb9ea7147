"""A training run that was stopped, by whatever, resumes as if it had not been."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import forks
import numpy as np
import pytest
import torch
from ignite.engine import Events
from others import wait_for_another
from trainings import fit, same, trainer_of

import checkpoints
from errors import Interrupted

torch.set_num_threads(1)

EVERYTHING = {  # that has a state
    "ema_decay": 0.9,
    "warmup_steps": 4,
    "keep_best": 2,
    "accumulate": 2,
    "curriculum": [{"epochs": 1, "segment": 0.152}],
}


def state(trainer):
    """All tensors that a checkpoint holds."""
    found = {}

    def walk(key, value):
        if torch.is_tensor(value):
            found[key] = value
        elif isinstance(value, dict):
            for name, item in value.items():
                walk(f"{key}.{name}", item)

    walk("", torch.load(trainer.latest, weights_only=True))
    return found


def terminate_at(trainer, steps):
    """SIGTERM, for real, while step number `steps` is computed."""
    trainer.engine.add_event_handler(
        Events.ITERATION_STARTED(once=steps), lambda: os.kill(os.getpid(), signal.SIGTERM)
    )


@pytest.mark.slow
@pytest.mark.parametrize("builder", ["deep_clustering", "conv_tasnet"])
def test_sigterm_saves_and_the_training_resumes_to_the_same_state(write_config, builder):
    whole = fit(write_config("whole", builder=builder, **EVERYTHING))
    for steps in (1, 2, 3, 6):  # within an epoch, at its end, the very last step
        path = write_config(f"stopped{steps}", builder=builder, **EVERYTHING)
        trainer = trainer_of(path)
        terminate_at(trainer, steps)
        with pytest.raises(Interrupted, match=f"stopped by SIGTERM at step {steps}; the state is"):
            trainer.fit()
        finished = fit(path)
        assert same(state(whole), state(finished)), f"stopped at step {steps}"
        assert [r["val_loss"] for r in finished.history.rows] == [
            r["val_loss"] for r in whole.history.rows
        ]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.slow
def test_a_script_that_sigterm_stopped_exits_with_75(write_config):
    path = write_config(epochs=10_000, num_workers=1)
    process = forks.start("scripts.train", "-p", path)
    latest = path.parent / "small" / "checkpoints" / "latest.pth"
    wait_for_another(latest)
    os.killpg(process.pid, signal.SIGTERM)  # to its workers too, as a cluster does
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 75, errors
    assert "stopped by SIGTERM at step" in errors and "Traceback" not in errors
    assert checkpoints.load(latest)["iteration"] > 0


@pytest.fixture(scope="module")
def forked_trainings():
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("forked_trainings.py")],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    ) as process:
        yield process


@pytest.mark.slow
@pytest.mark.parametrize("builder, kills", [("deep_clustering", 10), ("conv_tasnet", 3)])
def test_killed_at_random_moments_with_two_workers_the_weights_are_the_same(
    write_config, forked_trainings, builder, kills
):
    settings = {"builder": builder, "epochs": 20, "checkpoint_every": 1}
    reference = fit(write_config("reference", **settings))
    path = write_config("killed", num_workers=2, **settings)
    latest = path.parent / "killed" / "checkpoints" / "latest.pth"
    reached = []
    random = np.random.default_rng(0)
    for checkpoints_later, seconds in zip(
        random.integers(1, 6, kills), random.uniform(0.0, 0.05, kills), strict=True
    ):
        print(path, file=forked_trainings.stdin, flush=True)
        try:
            for _ in range(checkpoints_later):
                wait_for_another(latest)
            time.sleep(seconds)
        finally:  # else the next test would wait for ever
            print(file=forked_trainings.stdin, flush=True)
            status = int(forked_trainings.stdout.readline())
        assert status == -signal.SIGKILL
        reached.append(checkpoints.load(latest)["iteration"])
    assert reached == sorted(reached) and reached[0] < reached[-1]
    finished = fit(path)
    assert finished.engine.state.iteration == 40
    assert same(state(reference), state(finished))
