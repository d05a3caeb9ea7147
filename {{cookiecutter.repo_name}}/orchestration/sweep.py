"""A sweep: trainings of one experiment with other values, each in a folder of its own."""

import contextlib
import csv
import itertools
import json
import logging
import signal
import time
from pathlib import Path

import config as configuration
from config.check_orchestration import is_grid, keys_of, no_such_file
from config.errors import listed
from errors import Interrupted, UserError
from files import read_json, write_files

from . import slurm
from .launchers import Local, Sigterm, command_of, last_lines
from .locking import Lock

log = logging.getLogger("sweep")

COLUMNS = ("train_", "val_")  # how columns of history.csv begin, unlike scores
POINTS = 500  # combinations that are read and checked one by one; of more, each value by itself


class Sweep:
    """What is varied, and what it is about.

    Args:
        config: of the sweep.
        needs_of: a function of a script's name: the sections that it needs.

    Raises:
        ConfigError: the base, or a combination of values, is wrong.
    """

    def __init__(self, config, needs_of):
        self.config, self.settings = config, config.sweep
        self.folder = Path(config.info.output_folder)
        self.of_history = self.settings.goal.startswith(COLUMNS)
        self.scripts = ["train"] if self.of_history else ["train", "evaluate"]
        self.needs = dict.fromkeys(need for one in self.scripts for need in needs_of(one))
        self.direction = self.settings.direction or ("minimize" if self.of_history else "maximize")
        self.grid = self.settings.sampler is None and is_grid(self.settings.vary)
        config.require(slurm.problems_of(config, "launcher", config.launcher))
        self._check_base()
        self.base = configuration.load(self.settings.base, self.needs, "scripts.sweep")
        self._check_goal()

    # ---- what there is to run -----------------------------------------------------------------

    def points(self):
        """[(values, seeds)]: a trial for each combination and seed of a grid; as many as
        `sweep.trials`, to be sampled, each with all seeds, of distributions."""
        first = self.base.info.seed
        seeds = [first + number for number in range(self.settings.seeds)]
        if not self.grid:
            return [({}, seeds)] * self.settings.trials
        names, lists = self.settings.vary.keys(), self.settings.vary.values()
        points = [dict(zip(names, values, strict=True)) for values in itertools.product(*lists)]
        return [(point, [seed]) for point in points for seed in seeds]

    def definition(self):
        """What all workers of the study must agree on."""
        kept = self.settings.model_dump(by_alias=True, exclude={"workers", "heartbeat", "storage"})
        if not self.grid:
            del kept["trials"]  # there may be more of them later
        base = self.base.to_dict()
        del base["info"]["output_folder"]
        return {"sweep": kept, "seed": self.config.info.seed, "base": base}

    def load(self, values, **more):
        """The experiment with these values: a Config."""
        changes, places = {}, {}
        written = self.config.places_below("sweep.vary")
        for name, value in values.items():
            keys = keys_of(name)
            tied = value if len(keys) > 1 and isinstance(value, list) else [value] * len(keys)
            changes |= dict(zip(keys, tied, strict=True))
            places |= dict.fromkeys(keys, written.get(name, (str(self.config.path), 1)))
        return configuration.load(
            self.settings.base, self.needs, "scripts.sweep", {**changes, **more}, places
        )

    def examples(self):
        """Configs that together have every value, or bound of a distribution, at least once.

        Raises:
            ConfigError: with all that is wrong with them.
        """
        lists = {name: _extremes(choice) for name, choice in self.settings.vary.items()}
        points = [dict(zip(lists, values, strict=True)) for values in _product(lists.values())]
        found, problems = [], []
        for point in points:
            try:
                found.append(self.load(point))
            except configuration.ConfigError as error:
                problems += error.problems
        self.config.require([*dict.fromkeys(problems)])
        return found

    def _check_base(self):
        base = Path(self.settings.base)
        if not base.is_file():
            self.config.require([self.config.problem("sweep.base", no_such_file(base))])

    def _check_goal(self):
        """Is there something to compare, and does it belong to what ends trials early?"""
        goal, problems = self.settings.goal, []
        if goal.startswith("val_") and self.base.datasets.val is None:
            text = f"{goal} needs validation data, and {self.settings.base} has no datasets.val"
            problems.append(self.config.problem("sweep.goal", text))
        if self.settings.pruner is not None and not self.of_history:
            text = f"compares epochs, which {goal} has none of; remove it, or write goal: val_loss"
            problems.append(self.config.problem("sweep.pruner", text))
        if self.settings.pruner is not None and not self.grid and self.settings.seeds > 1:
            text = "ends single trainings, and each trial has several; write seeds: 1"
            problems.append(self.config.problem("sweep.pruner", text))
        self.config.require(problems)

    def check_names(self):
        """Raise ConfigError if sampler or pruner is none of Optuna's, or does not take its args."""
        import optuna

        from . import study

        problems = []
        kinds = {
            "sampler": (optuna.samplers, optuna.samplers.BaseSampler),
            "pruner": (optuna.pruners, optuna.pruners.BasePruner),
        }
        for name, (module, base) in kinds.items():
            component, key = getattr(self.settings, name), f"sweep.{name}"
            if component is None:
                continue
            choices = study.classes(module, base)
            choices.pop("GridSampler", None)  # lists alone are a grid
            wrong = configuration.check_class(self.config, key, choices)
            problems += wrong or configuration.check_args(
                self.config, key, choices[component.class_name]
            )
        self.config.require(problems)

    # ---- the value of a run -------------------------------------------------------------------

    def values_of(self, folder):
        """[(epoch, value)] of the goal so far, or [(0, value)] of a score.

        Raises:
            UserError: there is no such column or score.
        """
        goal = self.settings.goal
        if self.of_history:
            path = folder / "history.csv"
            if not path.exists():
                return []
            with open(path, encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            if rows and goal not in rows[0]:
                raise UserError(f"{path} has no column {goal!r}; it has {listed(rows[0])}")
            return [(int(row["epoch"]), float(row[goal])) for row in rows if row[goal]]
        split = self.base.evaluate.split
        path = folder / "evaluation" / split / "summary.json"
        table = read_json(path, ("table",))["table"]
        method = self.base.algorithm.class_name
        rows = [row for row in table if row["method"] == method and row["source"] == "all sources"]
        if not rows or goal not in rows[0]:
            there = [key for key in (rows or table)[0] if key not in ("method", "source")]
            raise UserError(f"{path} has no score {goal!r}; it has {listed(there)}")
        return [(0, rows[0][goal]["mean"])]

    def best_of(self, values):
        """The best of [(epoch, value)]."""
        pick = min if self.direction == "minimize" else max
        return pick(value for _, value in values)


class Worker:
    """Runs trials of a study, `sweep.workers` at a time, until there are none.

    Args:
        sweep: the `Sweep`. study: its `study.Study`. launcher: what starts scripts.
    """

    def __init__(self, sweep, study, launcher=None):
        self.sweep, self.study, self.launcher = sweep, study, launcher or Local()
        self.pause = study.settings.heartbeat
        self.workers = sweep.settings.workers

    def work(self):
        """Run trials until all have ended, those of other workers too.

        Raises:
            Interrupted: SIGTERM was received; what was running is queued again.
        """
        running, look = [], 0.0
        with Sigterm() as self.sigterm:
            try:
                while not self.sigterm.received:
                    while len(running) < self.workers and time.monotonic() >= look:
                        trial = self.study.claim()
                        if trial is None:
                            look = time.monotonic() + (self.pause if not running else 1.0)
                            break
                        running.append(self.run(trial))
                    running = [one for one in running if next(one, "ended") != "ended"]
                    if not running and self.study.is_over():
                        return
                    time.sleep(0.05)
            finally:
                for one in running:
                    one.close()
        raise Interrupted("stopped by SIGTERM; the same command goes on where it was")

    def run(self, trial):
        """A generator that runs a trial, and yields while there is something to wait for."""
        slot, seeds = trial.slot, trial.seeds
        folder = self.sweep.folder / "trials" / f"{slot:04d}"
        log.info("trial %d: %s", slot, _said(trial.values, seeds))
        values = {}
        try:
            with contextlib.closing(Lock(folder / "trial.lock")) as lock:
                while not lock.take():  # a training whose worker was killed is ending
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
        """Run a script on a trial's file; "pruned" if its training was ended early."""
        output = file.with_name(f"{script}_output.log")
        process = self.launcher.start(command_of(script, file), output, [lock])
        pruning = self.sweep.settings.pruner is not None and script == "train"
        trial.reported.clear()
        try:
            while (status := process.poll()) is None:
                self._check_ours(trial)
                if pruning and any(
                    trial.trial.should_prune() for _ in self._reported(trial, file.parent)
                ):
                    return "pruned"
                yield
        finally:
            process.stop()
            process.wait()
        if status in (Interrupted.status, -signal.SIGTERM):
            raise _ScriptStopped
        if pruning and status == 0:  # the last epochs, by which later trials are compared
            list(self._reported(trial, file.parent))
        if status:
            how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
            raise UserError(f"scripts.{script} ({how}): {last_lines(output, 3)}")
        return "done"

    def _check_ours(self, trial):
        if not self.study.is_ours(trial):
            raise _TakenAway

    def _reported(self, trial, folder):
        """Report the epochs that have ended since to the pruner: yields after each."""
        values = []
        with contextlib.suppress(ValueError):  # no number: fails the trial in the end
            values = self.sweep.values_of(folder)
        for epoch, value in values[len(trial.reported) :]:
            trial.trial.report(value, epoch)
            trial.reported.append((epoch, value))
            yield epoch


def run_workers(sweep, study):
    """Run all trials: here, or as an array of `sweep.workers` jobs, each of which runs this same
    command and thus takes one trial after the other."""
    section, worker = sweep.config.launcher, Worker(sweep, study)
    on_cluster = section is not None and section.class_name == "slurm"
    if not on_cluster or slurm.in_job():
        worker.workers = 1 if on_cluster else worker.workers
        worker.work()
        return
    if study.is_over():
        return
    launcher, kept = slurm.launcher_of(section), sweep.folder / "jobs.json"
    jobs = [launcher.attach(one) for one in read_json(kept)["jobs"]] if kept.exists() else []
    if not [job for job in jobs if job.poll() is None]:
        logs = [sweep.folder / "logs" / f"worker_{i}.log" for i in range(sweep.settings.workers)]
        logs[0].parent.mkdir(parents=True, exist_ok=True)
        jobs = launcher.start_array(command_of("sweep", sweep.config.path.absolute()), logs)
        write_files({kept: json.dumps({"jobs": [job.job for job in jobs]})})
    log.info("jobs: %s", ", ".join(job.job["id"] for job in jobs))
    with Sigterm() as sigterm:
        while not study.is_over():
            time.sleep(1.0)
            if sigterm.received:
                raise Interrupted("stopped by SIGTERM; the jobs go on, the same command finds them")
            if all(job.poll() is not None for job in jobs) and not study.is_over():
                kept.unlink()
                raise UserError(f"the jobs have ended before the trials; see {sweep.folder}/logs")
    kept.unlink()


class _ScriptStopped(Exception):
    """A script was stopped by SIGTERM and can be resumed."""


class _TakenAway(Exception):
    """The trial was given to another worker, as this one gave no sign of life."""


def _said(values, seeds):
    shown = ", ".join(f"{name} {configuration.show(value)}" for name, value in values.items())
    return f"{shown}; seed {', '.join(map(str, seeds))}"


def _extremes(choice):
    if isinstance(choice, list):
        return choice
    ((kind, bounds),) = choice.items()
    return bounds


def _product(lists):
    """All combinations; if these are too many, combinations that have every value once."""
    lists = [*lists]
    count = 1
    for one in lists:
        count *= len(one)
    if count <= POINTS:
        return itertools.product(*lists)
    longest = max(map(len, lists))
    return zip(*([one[i % len(one)] for i in range(longest)] for one in lists), strict=True)
