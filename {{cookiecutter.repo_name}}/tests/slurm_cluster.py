"""A SLURM of two nodes on this machine, for tests: started and stopped by the fixture `cluster`."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "scontrol")
CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
JobRequeue=1
SchedulerType=sched/builtin
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={first} CPUs=1 RealMemory=8000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={second} CPUs=1 RealMemory=8000
PartitionName=short Nodes=n1,n2 Default=YES MaxTime=60 State=UP
"""


@pytest.fixture(scope="module")
def cluster():
    """The folder of a running SLURM, which this process and those that it starts talk to."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing or os.getuid() != 0:
        pytest.skip(f"needs root and {', '.join(missing)} (apt-get install slurm-wlm munge)")
    with tempfile.TemporaryDirectory(prefix="slurm") as place:
        folder, port = Path(place), 21000 + os.getpid() % 20000
        (folder / "munge.key").write_bytes(os.urandom(1024))
        (folder / "munge.key").chmod(0o400)
        (folder / "state").mkdir()
        text = CONFIG.format(
            host=socket.gethostname(), port=port, first=port + 1, second=port + 2, folder=folder
        )
        (folder / "slurm.conf").write_text(text)
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        munge = ["key-file=munge.key", "socket=munge.socket", "pid-file=munged.pid"]
        munge += ["log-file=munged.log", "seed-file=munged.seed"]
        options = [f"--{key}={folder / name}" for key, name in (one.split("=") for one in munge)]
        try:
            subprocess.run(["munged", "--force", *options], check=True)
            subprocess.run(["slurmctld"], check=True)
            for node in ("n1", "n2"):
                subprocess.run(["slurmd", "-N", node], check=True)
            _wait_for_nodes()
            yield folder
        finally:
            subprocess.run(["scancel", "--user=root"], check=False)
            for name in ("slurmd.n1", "slurmd.n2", "slurmctld", "munged"):
                _stop(folder / f"{name}.pid")
            del os.environ["SLURM_CONF"]


def _wait_for_nodes():
    deadline = time.monotonic() + 120
    while True:
        asked = subprocess.run(["sinfo", "-h", "-N", "-o", "%T"], capture_output=True, text=True)
        if asked.stdout.split() == ["idle", "idle"]:
            return
        assert time.monotonic() < deadline, asked.stdout + asked.stderr
        time.sleep(0.5)


def _stop(pid_file):
    if pid_file.exists():
        pid = int(pid_file.read_text())
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
