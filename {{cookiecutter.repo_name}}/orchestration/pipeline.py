"""A pipeline: its steps, read and checked, and which of them have something to do."""

import graphlib
from dataclasses import dataclass
from pathlib import Path

import config as configuration
from config.check_orchestration import no_such_file
from config.errors import closest, listed

from . import records, slurm, traces
from .launchers import Sigterm
from .locking import Lock
from .pipeline_run import PipelineRun
from .records import Digests, Record


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
    problems += _circles(config, found)
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


def _circles(config, found):
    """Problems: steps that run a pipeline which runs itself, directly or by its own steps."""
    for name, settings in found.items():
        step = config.pipeline.steps[name]
        if step.script != "pipeline":
            continue
        try:
            circle = _circle([config.path, Path(step.config)], settings)
        except configuration.ConfigError as error:  # of the files of its own steps
            yield from error.problems
            continue
        if circle:
            text = f"{' runs '.join(map(str, circle))}: a cycle; remove one of these"
            yield config.problem(f"pipeline.steps.{name}.config", text)


def _circle(files, config):
    """The files of pipelines, each of which runs the next, on to one that is among them already; []
    if there is none.

    Args:
        files: from the first one down to that of `config`.
    """
    if any(file.resolve() == files[-1].resolve() for file in files[:-1]):
        return files
    for step in config.pipeline.steps.values():
        file = Path(step.config)
        if step.script == "pipeline" and file.is_file():  # what is missing is found by its own run
            inner = configuration.load(file, ("pipeline",), "scripts.pipeline", step.changes)
            if circle := _circle([*files, file], inner):
                return circle
    return []


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
        found = records.differences(before["read"], self.depends_on(step))
        if found:
            return "; ".join(found)
        if before["state"] != "done":
            return before.get("failed") or "it was stopped before it was done"
        for path, digest in before["left"].items():
            if self.digests.of(path) != digest:
                gone = not Path(path).exists()
                return f"{path}, which it wrote, is {'not there' if gone else 'another file'} now"
        return ""

    def replaced(self, before):
        """Of the files that a step left, by its record: those in whose place is another now."""
        left = before.get("left", {})
        return [path for path in left if self.digests.of(path) not in (left[path], "")]

    def depends_on(self, step):
        return records.depends_on(step.script, step.config, self.digests)

    # ---- doing it -------------------------------------------------------------------------------

    def run(self):
        """Run all steps that have something to do.

        Raises:
            UserError: a step failed; those that do not need it were run.
            Interrupted: SIGTERM was received.
        """
        refusal = "another run of this pipeline is at work; wait for it, or stop it"
        with Lock(self.folder / "pipeline.lock", refusal=refusal), Sigterm() as sigterm:
            PipelineRun(self, sigterm).run()


def plan_lines(reasons):
    """The lines that say what `Pipeline.plan` found."""
    width = max(map(len, reasons))
    return [
        f"{name:{width}}  {f'to run: {reason}' if reason else 'up to date'}"
        for name, reason in reasons.items()
    ]
