"""Scripts as jobs of a SLURM cluster, by submitit.

A job is found again by its ID, so that the process that submitted it may end and be started again.
Its output goes to the same file as that of a process on this machine; submitit's own files are in
`jobs/` beside it.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from config.errors import closest, listed
from errors import Interrupted, UserError, in_one_line

from .launchers import PATIENCE, Local, Process

EVERY = 3.0  # polling interval in seconds
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "DEADLINE", "BOOT_FAIL")
LOST = 1  # stands for the exit status of a job without one: cancelled, out of memory or of time


class Slurm:
    """Starts scripts as jobs.

    Args:
        settings: a section `launcher`.
    """

    def __init__(self, settings):
        self.settings = settings

    def executor(self, folder):
        """submitit's executor, with what the section says."""
        import submitit

        chosen = self.settings
        folder.mkdir(parents=True, exist_ok=True)
        executor = submitit.SlurmExecutor(folder, max_num_timeout=1000)
        parameters = {
            "job_name": "scripts",
            "time": chosen.minutes,
            "nodes": chosen.nodes,
            "ntasks_per_node": chosen.tasks_per_node,
            "cpus_per_task": chosen.cpus_per_task,
            "partition": chosen.partition,
            "account": chosen.account,
            "gpus_per_node": chosen.gpus_per_node or None,
            "mem": None if chosen.memory_gb is None else f"{round(1024 * chosen.memory_gb)}MB",
            "additional_parameters": {"requeue": chosen.requeue, **chosen.options},
        }
        executor.update_parameters(**{k: v for k, v in parameters.items() if v is not None})
        return executor

    def start(self, command, log, locks=()):
        """Submit a command as a job: a `Job`. locks: ignored, as jobs are found by their IDs."""
        log = Path(log).absolute()
        executor = self.executor(log.parent / "jobs")
        with _submitting():
            return Job(executor.submit(Command(command, log, self.settings.requeue)))

    def start_array(self, command, logs):
        """Submit a command as many times as there are logs, as one array: [`Job`]."""
        executor = self.executor(Path(logs[0]).absolute().parent / "jobs")
        with _submitting(), executor.batch():
            jobs = [
                executor.submit(Command(command, Path(log).absolute(), self.settings.requeue))
                for log in logs
            ]
        return [Job(job) for job in jobs]

    def attach(self, job):
        """The `Job` of an earlier run by its attribute `job`; None for None."""
        import submitit

        if job is None:
            return None
        tasks = range(self.settings.nodes * self.settings.tasks_per_node)
        return Job(submitit.SlurmJob(job["folder"], job["id"], list(tasks)))


class Command:
    """The callable that a job runs in each task: a command, whose exit status is the result.

    Args:
        command: [text] to run.
        log: file for the output of the first task; the others' have their rank in the name.
        requeue: queue the job again if the command was interrupted and can be resumed.
    """

    def __init__(self, command, log, requeue):
        self.command, self.log, self.requeue = command, log, requeue
        self.process = None

    def __call__(self):
        rank = int(os.environ.get("SLURM_PROCID", "0"))
        log = self.log if rank == 0 else self.log.with_suffix(f".rank{rank}.log")
        with open(log, "ab") as file:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **rendezvous(), "PYTHONUNBUFFERED": "1"},
            )
            status = self.process.wait()
        if status == Interrupted.status and self.requeue:
            if rank == 0:
                subprocess.run(["scontrol", "requeue", os.environ["SLURM_JOB_ID"]], check=True)
            time.sleep(PATIENCE)  # until SLURM kills this job, to start it again
        return status

    def checkpoint(self):
        """Called by submitit before the time limit of the job: stop the command, and submit it
        again."""
        import submitit

        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)
        return submitit.helpers.DelayedSubmission(Command(self.command, self.log, self.requeue))

    def __getstate__(self):
        return {**self.__dict__, "process": None}


class Job(Process):
    """A submitted job, polled every `EVERY` seconds at most."""

    def __init__(self, submitted):
        self.submitted, self.last_poll = submitted, float("-inf")
        self.absences = 0  # polls at which it was neither in the queue nor had an exit status
        self.lost = False  # has it ended without an exit status?
        self.job = {"id": submitted.job_id, "folder": str(submitted.paths.folder)}

    def poll(self):
        if time.monotonic() - self.last_poll < EVERY:
            return None
        self.last_poll = time.monotonic()
        statuses = self._statuses()
        if None not in statuses:
            return next((status for status in statuses if status), 0)
        if _in_queue(self.job["id"]) is not False:
            return None
        self.absences += 1  # its files may appear late on a shared file system
        self.lost = self.absences > 2
        return LOST if self.lost else None

    def how(self, status):
        if not self.lost:
            return super().how(status)
        return (
            f"job {self.job['id']} ended without an exit status: it was cancelled, or ran out of "
            f"memory or time; SLURM's own output is in {self.job['folder']}"
        )

    def _statuses(self):
        """The exit status of each task, None of one without a result (yet)."""
        statuses = []
        for task in self.submitted._sub_jobs or [self.submitted]:
            if not task.paths.result_pickle.exists():
                statuses.append(None)
            elif task.exception() is not None:
                self.lost = True
                statuses.append(LOST)
            else:
                statuses.append(task.result())
        return statuses

    def stop(self):
        """Nothing: jobs go on without the process that submitted them, which finds them again."""

    def wait(self, seconds=0):
        return None


@contextlib.contextmanager
def _submitting():
    """A context for submitting jobs.

    Raises:
        UserError: SLURM rejects them.
    """
    from submitit.core.utils import FailedJobError

    try:
        yield
    except FailedJobError as error:
        reason = in_one_line(error)
        raise UserError(
            f"launcher: SLURM rejects the job ({reason}); change that key of the section"
        ) from error


def rendezvous():
    """The environment variables by which torch.distributed connects the tasks of a job; {} for a
    single task. MASTER_ADDR is the node's address, as the other nodes may not resolve its name."""
    tasks = os.environ.get("SLURM_NTASKS", "1")
    if tasks == "1":
        return {}
    names = _scontrol("show", "hostnames", os.environ["SLURM_JOB_NODELIST"]).split()
    address = re.search(r"NodeAddr=(\S+)", _scontrol("show", "node", names[0]))
    return {
        "RANK": os.environ["SLURM_PROCID"],
        "LOCAL_RANK": os.environ["SLURM_LOCALID"],
        "WORLD_SIZE": tasks,
        "MASTER_ADDR": address[1] if address else names[0],
        "MASTER_PORT": str(20000 + int(os.environ["SLURM_JOB_ID"]) % 20000),
    }


def _scontrol(*arguments):
    return subprocess.run(
        ["scontrol", *arguments], capture_output=True, text=True, check=True
    ).stdout


def in_job():
    """Does this process run in a job that `Slurm` has submitted?"""
    return os.environ.get("SUBMITIT_EXECUTOR") == "slurm"


def _in_queue(job):
    """Is a job waiting or running? None if the cluster does not answer."""
    command = ["squeue", "--noheader", "--format=%T", f"--jobs={job}"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return None
    if asked.returncode and "Invalid job id" not in asked.stderr:
        return None
    return any(state not in ENDED for state in asked.stdout.split())


def problems_of(config, key, settings):
    """Problems of a section `launcher`: there is no SLURM on this machine, or no such partition."""
    if settings is None or settings.class_name != "slurm":
        return []
    if shutil.which("sbatch") is None:
        text = "is slurm, and there is no sbatch on this machine; start this on a login node"
        return [config.problem(f"{key}.class", text)]
    asked = subprocess.run(["sinfo", "--noheader", "--format=%R"], capture_output=True, text=True)
    names = sorted({*asked.stdout.split()})
    if asked.returncode or settings.partition is None or settings.partition in names:
        return []
    guess = closest(settings.partition, names)
    advice = f"did you mean '{guess}'?" if guess else f"there are {listed(names)}"
    text = f"there is no partition '{settings.partition}'; {advice}"
    return [config.problem(f"{key}.partition", text)]


def launcher_of(settings, at_once=1):
    """The launcher of a section `launcher`; of None, that of this machine, where `at_once` scripts
    run at the same time."""
    return Slurm(settings) if settings and settings.class_name == "slurm" else Local(at_once)
