"""Processes that work for another do not outlive it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from others import running, wait_until

SCORING = """
import time
from workers import pool

if __name__ == "__main__":
    with pool(2, print, "begun") as executor:
        list(executor.map(time.sleep, [1000, 1000]))
"""
TRAINING = """
import sys
from trainings import fit

if __name__ == "__main__":
    fit(sys.argv[1])
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("program", [SCORING, TRAINING], ids=["scoring", "training"])
def test_workers_end_with_a_process_that_is_killed(tmp_path, write_config, program):
    (tmp_path / "program.py").write_text(program)
    config = write_config(epochs=100_000, num_workers=2)
    here = Path(__file__).parent
    process = subprocess.Popen(
        [sys.executable, tmp_path / "program.py", config],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(here.parent), str(here)]),
            "PYTHONUNBUFFERED": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        if program == SCORING:
            assert [process.stdout.readline() for _ in range(2)] == [b"begun\n"] * 2
        else:
            wait_until((config.parent / "small" / "checkpoints" / "latest.pth").exists, 120)
        assert len(running(process.pid)) > 2
        process.kill()
        process.wait()
        wait_until(lambda: running(process.pid) == [])
    finally:
        for pid in running(process.pid):
            os.kill(pid, signal.SIGKILL)
