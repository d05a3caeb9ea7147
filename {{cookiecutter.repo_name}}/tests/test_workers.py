"""Processes that work for another do not outlive it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import forks
import numpy as np
import pytest
import soundfile
from others import running, wait_for_another, wait_until
from torch.utils.data import Dataset
from trainings import write

from errors import UserError
from training import loading

SCORING = """
import os
import time
from pool import process_pool

if __name__ == "__main__":
    with process_pool(2, os.write, 1, b"begun\\n") as executor:  # a line each, whole
        list(executor.map(time.sleep, [1000, 1000]))
"""


def scoring(tmp_path, write_config):
    """A process with two workers that score."""
    (tmp_path / "program.py").write_text(SCORING)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "program.py"],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert [process.stdout.readline() for _ in range(2)] == [b"begun\n"] * 2
    return process


def training(tmp_path, write_config):
    """A process with two workers that read data."""
    path = write_config(epochs=100_000, num_workers=2)
    process = forks.start("scripts.train", "-p", path)
    wait_until((path.parent / "small" / "checkpoints" / "best.model.pth").exists)
    return process


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("begun", [scoring, training])
def test_workers_end_with_a_process_that_is_killed(tmp_path, write_config, begun):
    process = begun(tmp_path, write_config)
    try:
        assert len(running(process.pid)) > 2
        process.kill()
        process.wait()
        wait_until(lambda: running(process.pid) == [])
    finally:
        for pid in running(process.pid):
            os.kill(pid, signal.SIGKILL)


def plain_of(folder, workers):
    """A training run without an end on files in `folder`."""
    data = {"class": "StemFolder", "args": {"folder": str(folder / "data")}}
    return {
        "info": {"name": "broken", "output_folder": str(folder / "run")},
        "signal": {"sample_rate": 8000},
        "datasets": {"train": data},
        "model": {"builder": "deep_clustering", "args": {"num_layers": 1, "hidden_size": 4}},
        "train": {
            "epochs": 100_000,
            "batch_size": 4,
            "segment": 0.144,
            "num_workers": workers,
            "device": "cpu",
            "loss": {"deep_clustering": {"class": "DeepClusteringLoss"}},
        },
    }


def training_of_files(folder, workers, *launcher):
    """A training run, begun, on files that may be spoilt: the process."""
    rng = np.random.default_rng(0)
    for source in ("a", "b"):
        place = folder / "data" / "train" / source
        place.mkdir(parents=True)
        for number in range(12):
            soundfile.write(place / f"{number:02}.wav", rng.normal(size=4000) * 0.1, 8000)
    path = write(folder / "broken.yml", plain_of(folder, workers))
    process = forks.start(*launcher, "scripts.train", "-p", path)
    wait_for_another(folder / "run" / "checkpoints" / "latest.pth", writer=process)
    return process


def ends(process):
    """What a process says on stderr, and that it leaves nothing behind."""
    try:
        _, errors = process.communicate(timeout=600)
        wait_until(lambda: running(process.pid) == [])
        return errors
    finally:
        for pid in running(process.pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("spoilt", ["missing", "broken"])
def test_a_file_that_is_damaged_meanwhile_ends_the_training_with_one_line(
    tmp_path, workers, spoilt
):
    process = training_of_files(tmp_path, workers)
    file = tmp_path / "data" / "train" / "b" / "05.wav"
    if spoilt == "missing":
        file.unlink()
    else:
        file.write_bytes(b"RIFF")
    errors = ends(process)
    assert process.returncode == 1
    assert errors.count("\n") == 1 and errors.startswith(f"error: {file}: "), errors


@pytest.mark.slow
def test_a_killed_worker_ends_the_training_with_one_line(tmp_path):
    process = training_of_files(tmp_path, 2)
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in running(process.pid)}
    parents = {pid: int(_parent(pid)) for pid in commands}
    servers = {pid for pid, command in commands.items() if b"forkserver" in command}
    worker = next(pid for pid, parent in parents.items() if parent in servers)
    os.kill(worker, signal.SIGKILL)
    errors = ends(process)
    assert process.returncode == 1
    assert errors.count("\n") == 1 and "lower train.num_workers" in errors, errors


@pytest.mark.parametrize("error", [ConnectionResetError, EOFError, FileNotFoundError])
def test_a_worker_that_is_killed_while_it_hands_over_a_batch_is_one_clear_error(monkeypatch, error):
    class Broken:
        def __init__(self, *args, **kwargs):
            pass

        def __iter__(self):
            return self

        def __next__(self):
            raise error("Connection reset by peer")

    monkeypatch.setattr(loading, "DataLoader", Broken)
    with pytest.raises(UserError, match="a worker process that reads data was killed"):
        next(loading.load(None, None, num_workers=2))
    with pytest.raises(error):  # without workers it is something else
        next(loading.load(None, None, num_workers=0))


class Unreadable(Dataset):
    def __getitem__(self, key):
        raise FileNotFoundError("my.index")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
def test_the_server_of_workers_leaves_ctrl_c_to_the_main_process():
    done = forks.run("starts_workers")
    blocked = [int(mask, 16) for mask in re.findall(r"SigBlk:\s(\S+)", done.stdout)]
    assert [mask >> (signal.SIGINT - 1) & 1 for mask in blocked] == [1, 0], done.stderr


def test_a_tmpdir_too_long_for_sockets_is_one_clear_error(tmp_path):
    place = tmp_path / ("x" * 100)
    place.mkdir()
    said = forks.run("starts_workers", TMPDIR=str(place)).stdout
    assert "set TMPDIR" in said or "SigBlk" in said  # later Pythons take /tmp instead


def test_an_error_of_a_dataset_in_a_worker_is_not_taken_for_a_killed_worker():
    with pytest.raises(FileNotFoundError, match="my.index"):
        next(loading.load(Unreadable(), [[0]], num_workers=1))


def _parent(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]


@pytest.mark.slow
def test_a_broken_file_of_one_process_ends_all_of_them(tmp_path):
    process = training_of_files(tmp_path, 1, "torch.distributed.run", "--nproc-per-node", "2", "-m")
    file = tmp_path / "data" / "train" / "a" / "07.wav"
    file.unlink()
    errors = ends(process)
    assert process.returncode != 0
    assert f"error: {file}: no such file" in errors
