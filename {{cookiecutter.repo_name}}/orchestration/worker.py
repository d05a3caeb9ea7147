"""The workers of a sweep: each runs one trial after another, on this machine or as a job."""

import contextlib
import json
import logging
import signal
import time

import config as configuration
from errors import Interrupted, UserError
from files import read_json, write_files

from . import slurm
from .launchers import Local, Sigterm, command_of, error_of
from .locking import Lock

log = logging.getLogger("sweep")


class Worker:
    """Runs trials of a study, several at a time, until all have ended.

    Args:
        sweep: the `Sweep`.
        study: its `study.Study`.
        launcher: starts the scripts; None: `launchers.Local`.
        workers: how many trials run at a time; None: `sweep.workers`.
    """

    def __init__(self, sweep, study, launcher=None, workers=None):
        self.sweep, self.study = sweep, study
        self.workers = workers or sweep.settings.workers
        self.launcher = launcher or Local(self.workers)
        self.pause = study.settings.heartbeat

    def work(self):
        """Run trials until all have ended, including those of other workers.

        Each trial is a generator (`run`), which is resumed until it has nothing to wait for.

        Raises:
            Interrupted: SIGTERM was received; unfinished trials are queued again.
        """
        running, next_claim = [], 0.0
        with Sigterm() as sigterm:
            try:
                while not sigterm.received:
                    while len(running) < self.workers and time.monotonic() >= next_claim:
                        trial = self.study.claim()
                        if trial is None:
                            next_claim = time.monotonic() + (1.0 if running else self.pause)
                            break
                        running.append(self.run(trial))
                    running = [run for run in running if next(run, "ended") != "ended"]
                    if not running and self.study.is_over():
                        return
                    time.sleep(0.05)
            finally:
                for run in running:
                    run.close()
        raise Interrupted("stopped by SIGTERM; the same command resumes where it stopped")

    def run(self, trial):
        """A generator that runs a trial: it yields while it waits for a lock or a script.

        trial: of `Study.claim`.
        """
        slot, seeds = trial.slot, trial.seeds
        folder = self.sweep.folder / "trials" / f"{slot:04d}"
        log.info("trial %d: %s", slot, _described(trial.values, seeds))
        values = {}
        try:
            with contextlib.closing(Lock(folder / "trial.lock")) as lock:
                while not lock.take():  # held by a script whose worker was killed, until it ends
                    self._check_ours(trial)
                    yield
                for seed in seeds:
                    place = folder / f"seed_{seed}" if len(seeds) > 1 else folder
                    file = place / "trial.yml"
                    name = f"{self.sweep.base.info.name}, trial {slot}"
                    about = {"info.seed": seed, "info.output_folder": str(place), "info.name": name}
                    configuration.write_resolved(self.sweep.load(trial.values, **about), file)
                    for script in self.sweep.scripts:
                        if (yield from self._script(trial, script, file, lock)) == "pruned":
                            log.info("trial %d: ended early, at %.5g", slot, trial.reported[-1][1])
                            self.study.finish(trial, pruned=True)
                            return
                    values[seed] = self.sweep.best_of(self.sweep.values_of(place))
        except GeneratorExit:  # this worker stops
            self.study.give_back(trial)
            raise
        except _TakenAway:
            log.warning("trial %d was given to another worker", slot)
            return
        except _ScriptStopped:
            log.info("trial %d: was stopped, and is queued again", slot)
            self.study.give_back(trial)
            return
        except (UserError, configuration.ConfigError, ValueError) as error:
            log.error("trial %d: failed: %s", slot, error)
            self.study.finish(trial, message=str(error))
            return
        mean = sum(values.values()) / len(values)
        log.info("trial %d: %s %.5g", slot, self.sweep.settings.goal, mean)
        self.study.finish(trial, mean, values={str(seed): one for seed, one in values.items()})

    def _script(self, trial, script, file, lock):
        """Run a script on a trial's file. A generator that returns "done", or "pruned" if the
        script was stopped because the pruner said so."""
        output = file.with_name(f"{script}_output.log")
        process = self.launcher.start(command_of(script, file), output, [lock])
        pruning = self.sweep.settings.pruner is not None and script == "train"
        trial.reported.clear()
        try:
            while (status := process.poll()) is None:
                self._check_ours(trial)
                if pruning:
                    for _ in self._reported(trial, file.parent):
                        if trial.trial.should_prune():
                            return "pruned"
                yield
        finally:
            process.stop()
            process.wait()
        if status in (Interrupted.status, -signal.SIGTERM):
            raise _ScriptStopped
        if pruning and status == 0:
            for _ in self._reported(trial, file.parent):
                pass  # the last epochs are reported too: later trials are compared with them
        if status:
            how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
            raise UserError(f"scripts.{script} ({how}): {error_of(output, 3)}")
        return "done"

    def _check_ours(self, trial):
        if not self.study.is_ours(trial):
            raise _TakenAway

    def _reported(self, trial, folder):
        """Report new epochs to the pruner: yields the number of each after its report."""
        values = []
        with contextlib.suppress(ValueError):  # no number: `best_of` fails the trial at its end
            values = self.sweep.values_of(folder)
        for epoch, value in values[len(trial.reported) :]:
            trial.trial.report(value, epoch)
            trial.reported.append((epoch, value))
            yield epoch


def run_workers(sweep, study):
    """Run all trials, and wait until they have ended: in this process, or on a cluster as an array
    of `sweep.workers` jobs, each of which runs the same command, scripts.sweep."""
    section = sweep.config.launcher
    on_cluster = section is not None and section.class_name == "slurm"
    if not on_cluster:
        Worker(sweep, study).work()
    elif slurm.in_job():
        Worker(sweep, study, workers=1).work()
    elif not study.is_over():
        _run_jobs(sweep, study)


def _run_jobs(sweep, study):
    """Submit the jobs of a sweep, or find those of an earlier run, and wait for its trials.

    Raises:
        Interrupted: SIGTERM was received; the jobs go on.
        UserError: all jobs have ended before the trials.
    """
    launcher, record = slurm.launcher_of(sweep.config.launcher), sweep.folder / "jobs.json"
    jobs = [launcher.attach(job) for job in read_json(record)["jobs"]] if record.exists() else []
    if all(job.poll() is not None for job in jobs):
        logs = [sweep.folder / "logs" / f"worker_{i}.log" for i in range(sweep.settings.workers)]
        logs[0].parent.mkdir(parents=True, exist_ok=True)
        jobs = launcher.start_array(command_of("sweep", sweep.config.path.absolute()), logs)
        write_files({record: json.dumps({"jobs": [job.job for job in jobs]})})
    log.info("jobs: %s", ", ".join(job.job["id"] for job in jobs))
    with Sigterm() as sigterm:
        while not study.is_over():
            time.sleep(1.0)
            if sigterm.received:
                raise Interrupted("stopped by SIGTERM; the jobs go on, the same command finds them")
            if all(job.poll() is not None for job in jobs) and not study.is_over():
                record.unlink()
                raise UserError(
                    f"the jobs have ended before the trials; see {sweep.folder}/logs, and "
                    f"{sweep.folder}/logs/jobs for SLURM's own output"
                )
    record.unlink()


class _ScriptStopped(Exception):
    """A script was stopped by SIGTERM and can be resumed."""


class _TakenAway(Exception):
    """The trial was given to another worker, as this one sent no heartbeat."""


def _described(values, seeds):
    texts = {
        name: f"{value:.4g}" if isinstance(value, float) else configuration.show(value)
        for name, value in values.items()
    }
    shown = ", ".join(f"{name} {text}" for name, text in texts.items())
    return f"{shown}; seed {', '.join(map(str, seeds))}"
