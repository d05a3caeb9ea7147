"""A run of a pipeline: each step that has something to do starts when what it needs is there."""

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
from .launchers import command_of, duration, last_lines
from .locking import Lock

log = logging.getLogger("pipeline")

ORPHAN = 600  # seconds to wait for a script whose pipeline was killed
EVERY = 15.0  # seconds between two lines of progress


class PipelineRun:
    """One run of a pipeline.

    Args:
        pipeline: the `pipeline.Pipeline`. sigterm: a `launchers.Sigterm` that is listening.
    """

    def __init__(self, pipeline, sigterm):
        self.pipeline, self.sigterm = pipeline, sigterm
        self.running, self.failed, self.done, self.stopped = {}, {}, [], []
        self.said = {}

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
        """Start a step; false if there is nothing to do."""
        pipeline = self.pipeline
        before = step.record.read()
        if not pipeline.reason(step):
            log.info("%s: up to date", step.name)
            self.done.append(step.name)
            return False
        launcher = pipeline.launcher(step.launcher)
        stack = contextlib.ExitStack()
        lock = stack.enter_context(
            Lock(
                step.record.path.with_suffix(".lock"),
                ORPHAN,
                f"{step.name} of an earlier run is still at work; wait for it, or stop it",
                lambda: log.info("%s: waiting for an earlier run of it to end", step.name),
            )
        )
        read = pipeline.depends_on(step)
        ours = before.get("state") == "begun" and before["read"] == read
        process = launcher.attach(before.get("job")) if ours else None
        if process:
            log.info("%s: still running as job %s", step.name, process.job)
        else:
            log.info("%s: started; its output is in %s", step.name, step.log)
            self._make_way(step, before, read)
            if step.config.path != step.file:
                configuration.write_resolved(step.config, step.file)
            step.log.parent.mkdir(parents=True, exist_ok=True)
            began = time.time()
            process = launcher.start(command_of(step.script, step.file), step.log, [lock])
            step.record.write(state="begun", read=read, began=began, job=process.job)
        self.running[step.name] = step, process, stack, time.monotonic()
        return True

    def _make_way(self, step, before, read):
        """Move what an earlier run of a step left out of the way, if it is another result: a
        model would not be overwritten, nor trained again where another has taken its place; an
        evaluation belongs to one checkpoint."""
        if not before or step.script not in ("train", "evaluate"):
            return
        if step.script == "train":
            replaced = self.pipeline.replaced(before)
            if not replaced and not records.another_training(before["read"], read):
                return
            place = Path(step.config.info.output_folder)
        else:
            place = traces.outputs_of(step.script, step.config)[0].parent
            if not records.differences(before["read"], read):
                return
        if not place.exists():
            return
        if (place / "training.lock").exists():  # and held, if another has started a training run
            Lock(place / "training.lock", refusal="another training run is active here").try_it()
        number = 1
        while (target := self.pipeline.folder / "replaced" / f"{step.name}_{number}").exists():
            number += 1
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(place, target)
        log.info("%s: what it left before is in %s now", step.name, target)

    def _ended(self):
        """Wait for a moment; the names of the steps that have ended since."""
        time.sleep(0.05)
        ended = []
        for name, (step, process, stack, since) in [*self.running.items()]:
            status = process.poll()
            if status is None:
                self._progress(step, since)
                continue
            del self.running[name]
            stack.close()
            self._note(step, process, status, time.monotonic() - since)
            ended.append(name)
        return ended

    def _note(self, step, process, status, seconds):
        """Keep what came of a step, and of the process that ran it."""
        record = step.record.read()
        if status == 0:
            left = self._left(step, record["began"])
            known = {
                path: self.pipeline.digests.known[path]
                for path in {*left, *record["read"]["inputs"]}
            }
            step.record.write(
                **{**record, "state": "done", "left": left, "digests": known, "seconds": seconds}
            )
            log.info("%s: done in %s", step.name, duration(seconds))
            self.done.append(step.name)
            return
        said = last_lines(step.log, 5).replace("\n", "\n  ")
        said = f"{step.log} says\n  {said}" if said else f"it has written nothing to {step.log}"
        if status == Interrupted.status or self.sigterm.received and status == -signal.SIGTERM:
            self.stopped.append(step.name)
            why = "it was stopped before it was done"
        else:
            why = f"it failed ({process.how(status)})"
        self.failed[step.name] = why
        step.record.write(**{**record, "job": None, "failed": why})
        log.error("%s: %s; %s", step.name, why, said)

    def _left(self, step, began):
        """{path: digest} of what a step has written."""
        left = {}
        for path in traces.outputs_of(step.script, step.config):
            if path.is_dir():
                files = [
                    p for p in path.rglob("*") if p.is_file() and p.stat().st_mtime >= began - 1
                ]
            else:
                files = [path] if path.is_file() else []
            left |= {str(file): self.pipeline.digests.of(file) for file in sorted(files)}
        return left

    def _progress(self, step, since):
        """Log the output of a running step from time to time."""
        moment, line = self.said.get(step.name, (since, ""))
        if time.monotonic() - moment > EVERY:
            now = last_lines(step.log)
            if now != line:
                log.info("%s: %s", step.name, now[:200])
            self.said[step.name] = time.monotonic(), now

    def _stop_all(self):
        """Stop what is running: after SIGTERM, Ctrl-C or an error of this program."""
        for _, process, _, _ in self.running.values():
            process.stop()
        for step, process, stack, since in self.running.values():
            status = process.wait()
            stack.close()
            if status is not None:
                self._note(step, process, status, time.monotonic() - since)
        self.running.clear()

    def _report(self):
        steps = self.pipeline.steps
        left = [name for name in steps if name not in self.done and name not in self.failed]
        if self.sigterm.received:
            raise Interrupted("stopped by SIGTERM; the same command resumes where it stopped")
        if not self.failed:
            return
        others = f"; not run, as they need it: {', '.join(left)}" if left else ""
        of_all = f"{len(self.failed)} of {amount(len(steps), 'step')}"
        text = f"{of_all} failed: {', '.join(self.failed)}{others}"
        if len(self.stopped) == len(self.failed):
            raise Interrupted(f"{text}; the same command resumes them")
        raise UserError(text)
