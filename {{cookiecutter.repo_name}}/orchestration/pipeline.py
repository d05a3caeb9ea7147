"""A pipeline: the steps that have something to do run as soon as what they need is there."""

import contextlib
import graphlib
import logging
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import config as configuration
from config.check_orchestration import no_such_file
from config.errors import closest, listed
from errors import Interrupted, UserError

from . import records, slurm, traces
from .launchers import Sigterm, command_of, duration, last_lines
from .locking import Lock
from .records import Digests, Record

log = logging.getLogger("pipeline")

ORPHAN = 600  # seconds to wait for a script whose pipeline was killed
EVERY = 15.0  # seconds between two lines of progress


@dataclass
class Step:
    """A step and its file, read and checked."""

    name: str
    script: str
    config: configuration.Config
    file: Path  # what the script is given
    needs: list
    log: Path  # what the script printed
    record: Record
    launcher: configuration.Section | None  # where it runs


def read_steps(config, scripts, needs_of):
    """The steps of a pipeline by name, in an order in which they can run.

    Args:
        scripts: the names of all scripts. needs_of: a function of a name: the sections it needs.

    Raises:
        ConfigError: with everything that is wrong with the steps and their files.
    """
    problems, found = [], {}
    for name, step in config.pipeline.steps.items():
        key = f"pipeline.steps.{name}"
        if step.script not in scripts:
            guess = closest(step.script, scripts)
            advice = f"did you mean '{guess}'?" if guess else f"known are {listed(scripts)}"
            text = f"there is no scripts/{step.script}.py; {advice}"
            problems.append(config.problem(f"{key}.script", text))
            continue
        if not Path(step.config).is_file():
            text = no_such_file(Path(step.config))
            problems.append(config.problem(f"{key}.config", text))
            continue
        try:
            found[name] = configuration.load(
                step.config,
                needs_of(step.script),
                f"scripts.{step.script}",
                step.changes,
                config.places_below(f"{key}.with"),
            )
        except configuration.ConfigError as error:
            problems += error.problems
    problems += _wrong_places(config, found)
    problems += slurm.problems_of(config, "launcher", config.launcher)
    for name, step in config.pipeline.steps.items():
        problems += slurm.problems_of(config, f"pipeline.steps.{name}.launcher", step.launcher)
    config.require([*dict.fromkeys(problems)])
    folder = Path(config.info.output_folder)
    graph = {name: step.needs for name, step in config.pipeline.steps.items()}
    return {
        name: _step(config, name, found[name], folder)
        for name in graphlib.TopologicalSorter(graph).static_order()
    }


def _step(config, name, settings, folder):
    step = config.pipeline.steps[name]
    changed = folder / "configs" / f"{name}.yml"
    return Step(
        name,
        step.script,
        settings,
        changed if step.changes else Path(step.config),
        step.needs,
        Path(settings.info.output_folder) / "logs" / f"{name}.log",
        Record(folder / "steps" / f"{name}.json"),
        step.launcher or config.launcher,
    )


def _wrong_places(config, found):
    """Problems: steps that write the same files, or where the pipeline keeps its own."""
    places, own = {}, Path(config.info.output_folder).absolute()
    for name, settings in found.items():
        script = config.pipeline.steps[name].script
        if script == "train" and own.is_relative_to(Path(settings.info.output_folder).absolute()):
            yield config.problem(
                "info.output_folder",
                f"{config.info.output_folder} is the folder of the step '{name}', which is moved "
                "when it trains anew; choose another for the pipeline",
            )
        outputs = traces.outputs_of(script, settings)
        for path in outputs[:1]:
            first = places.setdefault((script, path.absolute()), name)
            if first != name:
                yield config.problem(
                    f"pipeline.steps.{name}",
                    f"writes {path}, as '{first}' does; give it another output folder, "
                    "with: {info.output_folder: ...}",
                )


class Pipeline:
    """The steps of a pipeline, and what is known of them.

    Args:
        config: of the pipeline.
        steps: of `read_steps`.
        launcher: a function of a step's section `launcher` (or None) that gives a launcher.
    """

    def __init__(self, config, steps, launcher=slurm.launcher_of):
        self.folder, self.steps, self.launcher = Path(config.info.output_folder), steps, launcher
        self.parallel = config.pipeline.parallel
        self.digests = Digests()
        for step in steps.values():
            self.digests.known |= step.record.read().get("digests", {})

    # ---- what there is to do --------------------------------------------------------------------

    def plan(self):
        """{name: why it will run, "" if it will not}, from what is there now."""
        reasons = {}
        for name, step in self.steps.items():
            before = [need for need in step.needs if reasons[need]]
            reasons[name] = self.reason(step) or (f"after {', '.join(before)}" if before else "")
        return reasons

    def reason(self, step):
        """Why a step has to run, "" if it has not; steps that it needs are taken to be done."""
        before = step.record.read()
        if not before:
            return "it was not run here yet"
        found = records.differences(before["read"], self.fingerprint(step))
        if found:
            return "; ".join(found)
        if before["state"] != "done":
            return before.get("failed") or "it was stopped before it was done"
        for path, digest in before["left"].items():
            if self.digests.of(path) != digest:
                gone = not Path(path).exists()
                return f"{path}, which it wrote, is {'not there' if gone else 'another file'} now"
        return ""

    def fingerprint(self, step):
        return records.fingerprint(step.script, step.config, self.digests)

    # ---- doing it -------------------------------------------------------------------------------

    def run(self):
        """Run all steps that have something to do.

        Raises:
            UserError: a step failed; those that do not need it were run.
            Interrupted: SIGTERM was received.
        """
        refusal = "another run of this pipeline is at work; wait for it, or stop it"
        with Lock(self.folder / "pipeline.lock", refusal=refusal), Sigterm() as sigterm:
            _Run(self, sigterm).run()


class _Run:
    """One run of a pipeline."""

    def __init__(self, pipeline, sigterm):
        self.pipeline, self.sigterm = pipeline, sigterm
        self.running, self.failed, self.done, self.stopped = {}, {}, [], []
        self.said = {}

    def run(self):
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
        read = pipeline.fingerprint(step)
        process = launcher.attach(before.get("job")) if before.get("read") == read else None
        if process:
            log.info("%s: still running as job %s", step.name, process.job)
        else:
            log.info("%s: started; what it says is in %s", step.name, step.log)
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
        training would not be overwritten, an evaluation is that of one checkpoint."""
        if not before or step.script not in ("train", "evaluate"):
            return
        if step.script == "train":
            if not records.another_training(before["read"], read):
                return
            place = Path(step.config.info.output_folder)
        else:
            place = traces.outputs_of(step.script, step.config)[0].parent
            if not records.differences(before["read"], read):
                return
        if not place.exists():
            return
        if (place / "training.lock").exists():  # and held, if another has started a training
            Lock(place / "training.lock", refusal="another training is running here").try_it()
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
            self._note(step, status, time.monotonic() - since)
            ended.append(name)
        return ended

    def _note(self, step, status, seconds):
        """Keep what came of a step."""
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
        said = last_lines(step.log, 5)
        if status == Interrupted.status or self.sigterm.received and status == -signal.SIGTERM:
            self.stopped.append(step.name)
            why = "it was stopped before it was done"
        else:
            killed = f"it was killed by signal {-status}"
            why = f"it failed ({killed if status < 0 else f'exit status {status}'})"
        self.failed[step.name] = why
        step.record.write(**{**record, "job": None, "failed": why})
        log.error("%s: %s; %s says\n  %s", step.name, why, step.log, said.replace("\n", "\n  "))

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
        """Say now and then what a running step says."""
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
                self._note(step, status, time.monotonic() - since)
        self.running.clear()

    def _report(self):
        steps = self.pipeline.steps
        left = [name for name in steps if name not in self.done and name not in self.failed]
        if self.sigterm.received:
            raise Interrupted("stopped by SIGTERM; the same command goes on where it was")
        if not self.failed:
            return
        others = f"; not run, as they need it: {', '.join(left)}" if left else ""
        text = f"{len(self.failed)} of {len(steps)} steps failed: {', '.join(self.failed)}{others}"
        if len(self.stopped) == len(self.failed):
            raise Interrupted(f"{text}; the same command resumes them")
        raise UserError(text)


def plan_lines(reasons):
    """The lines that say what `Pipeline.plan` found."""
    width = max(map(len, reasons))
    return [
        f"{name:{width}}  {f'to run: {reason}' if reason else 'up to date'}"
        for name, reason in reasons.items()
    ]
