"""A pipeline: its steps, read and checked, and which of them have to run."""

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
    file: Path  # the script's -p: the step's own file, or a resolved one if `with` changes keys
    needs: list  # names of the steps before it
    log: Path  # the output of the script
    record: Record  # what it has read and written
    launcher: configuration.Section | None  # the section `launcher` that applies to it


def read_steps(config, scripts, needs_of):
    """The steps of a pipeline by name, in an order in which they can run.

    Args:
        scripts: the names of all scripts. needs_of: a function of a name: the sections it needs.

    Raises:
        ConfigError: with everything that is wrong with the steps and their files.
    """
    problems, configs = [], {}
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
            configs[name] = configuration.load(
                step.config,
                needs_of(step.script),
                f"scripts.{step.script}",
                step.changes,
                config.places_below(f"{key}.with"),
            )
        except configuration.ConfigError as error:
            problems += error.problems
    problems += _shared_outputs(config, configs)
    problems += _cycles(config, configs)
    problems += slurm.problems_of(config, "launcher", config.launcher)
    for name, step in config.pipeline.steps.items():
        problems += slurm.problems_of(config, f"pipeline.steps.{name}.launcher", step.launcher)
    config.require([*dict.fromkeys(problems)])
    folder = Path(config.info.output_folder)
    graph = {name: step.needs for name, step in config.pipeline.steps.items()}
    return {
        name: _step(config, name, configs[name], folder)
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


def _shared_outputs(config, configs):
    """Problems: steps that write the same files as another step or as the pipeline itself."""
    writers, own = {}, Path(config.info.output_folder).absolute()
    for name, settings in configs.items():
        script = config.pipeline.steps[name].script
        if script == "train" and own.is_relative_to(Path(settings.info.output_folder).absolute()):
            yield config.problem(
                "info.output_folder",
                f"{config.info.output_folder} is the folder of the step '{name}', which is moved "
                "when it trains anew; choose another for the pipeline",
            )
        outputs = traces.outputs_of(script, settings)
        for path in outputs[:1]:
            first = writers.setdefault((script, path.absolute()), name)
            if first != name:
                yield config.problem(
                    f"pipeline.steps.{name}",
                    f"writes {path}, as '{first}' does; give it another output folder, "
                    "with: {info.output_folder: ...}",
                )


def _cycles(config, configs):
    """Problems: steps that run a pipeline which runs itself, directly or by its own steps."""
    for name, settings in configs.items():
        step = config.pipeline.steps[name]
        if step.script != "pipeline":
            continue
        try:
            cycle = _cycle([config.path, Path(step.config)], settings)
        except configuration.ConfigError as error:  # in the files of its own steps
            yield from error.problems
            continue
        if cycle:
            text = f"{' runs '.join(map(str, cycle))}: a cycle; remove one of these"
            yield config.problem(f"pipeline.steps.{name}.config", text)


def _cycle(files, config):
    """Depth-first search for a cycle of pipelines: the files, each of which runs the next, up to
    the first that repeats; [] if there is none.

    Args:
        files: from the first pipeline down to that of `config`.
    """
    if any(file.resolve() == files[-1].resolve() for file in files[:-1]):
        return files
    for step in config.pipeline.steps.values():
        file = Path(step.config)
        if step.script == "pipeline" and file.is_file():  # a missing file is reported by its run
            inner = configuration.load(file, ("pipeline",), "scripts.pipeline", step.changes)
            cycle = _cycle([*files, file], inner)
            if cycle:
                return cycle
    return []


class Pipeline:
    """The steps of a pipeline, and which of them are up to date.

    Args:
        config: of the pipeline.
        steps: what `read_steps` returned.
        launcher: function(section `launcher` of a step, or None, `pipeline.parallel`) -> launcher.
    """

    def __init__(self, config, steps, launcher=slurm.launcher_of):
        self.folder, self.steps, self.launcher = Path(config.info.output_folder), steps, launcher
        self.parallel = config.pipeline.parallel
        self.digests = Digests()
        for step in steps.values():
            self.digests.known |= step.record.read().get("digests", {})

    # ---- planning -------------------------------------------------------------------------------

    def plan(self):
        """{name of each step: why it has to run, "" if it is up to date}."""
        reasons = {}
        for name, step in self.steps.items():
            before = [need for need in step.needs if reasons[need]]
            reasons[name] = self.reason(step) or (f"after {', '.join(before)}" if before else "")
        return reasons

    def reason(self, step):
        """Why a step has to run, "" if it is up to date; the steps that it needs count as done."""
        record = step.record.read()
        if not record:
            return "it was not run here yet"
        differences = records.differences(record["read"], self.depends_on(step))
        if differences:
            return "; ".join(differences)
        if record["state"] != "done":
            return record.get("failed") or "it was stopped before it was done"
        for path, digest in record["left"].items():
            if self.digests.of(path) != digest:
                state = "another file" if Path(path).exists() else "missing"
                return f"{path}, which it wrote, is {state} now"
        return ""

    def replaced(self, record):
        """The files that a step has written, by its record, and that have changed since."""
        written = record.get("left", {})
        return [path for path in written if self.digests.of(path) not in (written[path], "")]

    def depends_on(self, step):
        return records.depends_on(step.script, step.config, self.digests)

    # ---- running --------------------------------------------------------------------------------

    def run(self):
        """Run all steps that are not up to date.

        Raises:
            UserError: a step failed; those that do not need it were run.
            Interrupted: SIGTERM was received.
        """
        refusal = "another run of this pipeline is active; wait for it, or stop it"
        with Lock(self.folder / "pipeline.lock", refusal=refusal), Sigterm() as sigterm:
            PipelineRun(self, sigterm).run()


def plan_lines(reasons):
    """The result of `Pipeline.plan` as lines, one a step."""
    width = max(map(len, reasons))
    return [
        f"{name:{width}}  {f'to run: {reason}' if reason else 'up to date'}"
        for name, reason in reasons.items()
    ]
