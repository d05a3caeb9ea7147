"""A run of a pipeline: each step that is not up to date starts when the steps it needs are done."""

import contextlib
import graphlib
import logging
import shutil
import signal
import time
from pathlib import Path

import config as configuration
from errors import Interrupted, UserError, amount

from . import records, traces
from .launchers import command_of, duration, error_of, last_lines
from .locking import Lock

log = logging.getLogger("pipeline")

ORPHAN = 600  # seconds to wait for a script of an earlier run that was killed
EVERY = 15.0  # seconds between two lines of progress


class PipelineRun:
    """One run of a pipeline.

    Attributes:
        running: {name: (step, process, its lock, start time)}.
        failed: {name: why}, of steps that failed or were stopped; stopped: names of the latter.
        done: names of the steps that are done or were up to date.
        shown: {name: (time, last line of its output)} of the progress that was logged.

    Args:
        pipeline: the `pipeline.Pipeline`.
        sigterm: a `launchers.Sigterm` whose context is entered.
    """

    def __init__(self, pipeline, sigterm):
        self.pipeline, self.sigterm = pipeline, sigterm
        self.running, self.failed, self.done, self.stopped = {}, {}, [], []
        self.shown = {}

    def run(self):
        """Run the steps.

        Raises:
            UserError: a step failed; those that do not need it were run.
            Interrupted: SIGTERM was received.
        """
        sorter = graphlib.TopologicalSorter({s.name: s.needs for s in self.pipeline.steps.values()})
        sorter.prepare()
        ready = []
        try:
            while sorter.is_active() and not self.sigterm.received:
                ready += sorter.get_ready()
                while ready and len(self.running) < self.pipeline.parallel:
                    name = ready.pop(0)
                    if not self._start(self.pipeline.steps[name]):
                        sorter.done(name)
                        ready += sorter.get_ready()
                if not self.running and not ready:
                    break
                for name in self._ended():
                    if name not in self.failed:
                        sorter.done(name)
        finally:
            self._stop_all()
        self._report()

    def _start(self, step):
        """Start a step, or find its job of an earlier run; false if it is up to date."""
        pipeline = self.pipeline
        before = step.record.read()
        if not pipeline.reason(step):
            log.info("%s: up to date", step.name)
            self.done.append(step.name)
            return False
        launcher = pipeline.launcher(step.launcher, pipeline.parallel)
        stack = contextlib.ExitStack()  # holds the lock until the step has ended
        lock = stack.enter_context(
            Lock(
                step.record.path.with_suffix(".lock"),
                ORPHAN,
                f"{step.name} of an earlier run is still active; wait for it, or stop it",
                lambda: log.info("%s: waiting for an earlier run of it to end", step.name),
            )
        )
        read = pipeline.depends_on(step)
        same = before.get("state") == "begun" and before["read"] == read
        process = launcher.attach(before.get("job")) if same else None
        if process:
            log.info("%s: still running as job %s", step.name, process.job)
        else:
            log.info("%s: started; its output is in %s", step.name, step.log)
            self._move_old_result(step, before, read)
            if step.config.path != step.file:
                configuration.write_resolved(step.config, step.file)
            step.log.parent.mkdir(parents=True, exist_ok=True)
            began = time.time()
            process = launcher.start(command_of(step.script, step.file), step.log, [lock])
            step.record.write(state="begun", read=read, began=began, job=process.job)
        self.running[step.name] = step, process, stack, time.monotonic()
        return True

    def _move_old_result(self, step, before, read):
        """Move the folder of an earlier result of a step to `replaced/`, if the step will write
        another one: scripts.train and scripts.evaluate refuse to overwrite a different result.

        before: the record of the earlier run; read: what the step depends on now.
        """
        if not before:
            return
        if step.script == "train":
            folder = Path(step.config.info.output_folder)
            resumable = not records.another_training(before["read"], read)
            if resumable and not self.pipeline.replaced(before):
                return
        elif step.script == "evaluate":
            folder = traces.outputs_of(step.script, step.config)[0].parent
            if not records.differences(before["read"], read):
                return
        else:
            return
        if not folder.exists():
            return
        lock = folder / "training.lock"
        if lock.exists():
            Lock(lock, refusal="another training run is active here").check_free()
        number = 1
        while (target := self.pipeline.folder / "replaced" / f"{step.name}_{number}").exists():
            number += 1
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder, target)
        log.info("%s: its earlier result was moved to %s", step.name, target)

    def _ended(self):
        """Poll the running steps once: the names of those that have ended."""
        time.sleep(0.05)
        ended = []
        for name, (step, process, stack, start) in [*self.running.items()]:
            status = process.poll()
            if status is None:
                self._log_progress(step, start)
                continue
            del self.running[name]
            stack.close()
            self._record_end(step, process, status, time.monotonic() - start)
            ended.append(name)
        return ended

    def _record_end(self, step, process, status, seconds):
        """Write the record of a step whose process has ended, and log how."""
        record = step.record.read()
        if status == 0:
            written = self._written(step, record["began"])
            digests = {
                path: self.pipeline.digests.known[path]
                for path in {*written, *record["read"]["inputs"]}
            }
            new = {"state": "done", "left": written, "digests": digests, "seconds": seconds}
            step.record.write(**{**record, **new})
            log.info("%s: done in %s", step.name, duration(seconds))
            self.done.append(step.name)
            return
        lines = error_of(step.log, 5).replace("\n", "\n  ")
        output = f"{step.log} says\n  {lines}" if lines else f"it has written nothing to {step.log}"
        if status == Interrupted.status or self.sigterm.received and status == -signal.SIGTERM:
            self.stopped.append(step.name)
            why = "it was stopped before it was done"
        else:
            why = f"it failed ({process.how(status)})"
        self.failed[step.name] = why
        step.record.write(**{**record, "job": None, "failed": why})
        log.error("%s: %s; %s", step.name, why, output)

    def _written(self, step, start):
        """{path: digest} of the files that a step has written since the time `start`."""
        written = {}
        for path in traces.outputs_of(step.script, step.config):
            if path.is_dir():
                files = [
                    p for p in path.rglob("*") if p.is_file() and p.stat().st_mtime >= start - 1
                ]
            else:
                files = [path] if path.is_file() else []
            written |= {str(file): self.pipeline.digests.of(file) for file in sorted(files)}
        return written

    def _log_progress(self, step, start):
        """Log the last line of a running step's output every `EVERY` seconds, if it has changed."""
        moment, before = self.shown.get(step.name, (start, ""))
        if time.monotonic() - moment > EVERY:
            line = last_lines(step.log)
            if line != before:
                log.info("%s: %s", step.name, line[:200])
            self.shown[step.name] = time.monotonic(), line

    def _stop_all(self):
        """Stop the running steps, after SIGTERM, Ctrl-C or an exception in this process."""
        for _, process, _, _ in self.running.values():
            process.stop()
        for step, process, stack, start in self.running.values():
            status = process.wait()
            stack.close()
            if status is not None:
                self._record_end(step, process, status, time.monotonic() - start)
        self.running.clear()

    def _report(self):
        """Raise the error of the run, if a step failed or SIGTERM was received."""
        steps = self.pipeline.steps
        if self.sigterm.received:
            raise Interrupted("stopped by SIGTERM; the same command resumes where it stopped")
        if not self.failed:
            return
        not_run = [name for name in steps if name not in self.done and name not in self.failed]
        others = f"; not run, as they need it: {', '.join(not_run)}" if not_run else ""
        of_all = f"{len(self.failed)} of {amount(len(steps), 'step')}"
        text = f"{of_all} failed: {', '.join(self.failed)}{others}"
        if len(self.stopped) == len(self.failed):
            raise Interrupted(f"{text}; the same command resumes them")
        raise UserError(text)
