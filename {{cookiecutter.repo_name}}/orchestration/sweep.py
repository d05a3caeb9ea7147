"""A sweep: training runs of one experiment with other values, each in a folder of its own."""

import csv
import itertools
import math
from pathlib import Path

import config as configuration
from config.check_orchestration import is_grid, keys_of, no_such_file
from config.errors import listed
from errors import UserError
from files import read_json

from . import slurm

COLUMNS = ("train_", "val_")  # prefixes of columns of history.csv, which scores do not have
POINTS = 500  # up to so many combinations are checked each; of more, only every value once


class Sweep:
    """A sweep: its base experiment, the values that are varied, and the goal to compare by.

    Args:
        config: of the sweep.
        needs_of: function(name of a script) -> the sections that it needs.

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

    # ---- the trials ---------------------------------------------------------------------------

    def points(self):
        """[(values, seeds)], one a trial. Of a grid, each combination with each seed; otherwise
        `sweep.trials` times {} (values to be sampled) with all seeds."""
        first = self.base.info.seed
        seeds = [first + number for number in range(self.settings.seeds)]
        if not self.grid:
            return [({}, seeds)] * self.settings.trials
        names, lists = self.settings.vary.keys(), self.settings.vary.values()
        points = [dict(zip(names, values, strict=True)) for values in itertools.product(*lists)]
        return [(point, [seed]) for point in points for seed in seeds]

    def definition(self):
        """What must be the same for all workers of a study: plain data."""
        excluded = {"workers", "heartbeat", "storage"}
        if not self.grid:
            excluded.add("trials")  # more of them may be added later
        base = self.base.to_dict()
        del base["info"]["output_folder"]
        return {
            "sweep": self.settings.model_dump(by_alias=True, exclude=excluded),
            "seed": self.config.info.seed,
            "base": base,
        }

    def load(self, values, **more):
        """The experiment of a trial: a Config.

        Args:
            values: {key of `sweep.vary`: value}; a key may be several, which are varied together.
            more: {dotted key: value} of other changes.
        """
        changes, places = {}, {}
        written = self.config.places_below("sweep.vary")
        for name, value in values.items():
            keys = keys_of(name)
            of_keys = value if len(keys) > 1 and isinstance(value, list) else [value] * len(keys)
            changes |= dict(zip(keys, of_keys, strict=True))
            places |= dict.fromkeys(keys, written.get(name, (str(self.config.path), 1)))
        return configuration.load(
            self.settings.base, self.needs, "scripts.sweep", {**changes, **more}, places
        )

    def examples(self):
        """Configs that together have every value, or bound of a distribution, at least once.

        Raises:
            ConfigError: with all mistakes in them.
        """
        lists = {name: _extremes(choice) for name, choice in self.settings.vary.items()}
        points = [dict(zip(lists, values, strict=True)) for values in _product(lists.values())]
        configs, problems = [], []
        for point in points:
            try:
                configs.append(self.load(point))
            except configuration.ConfigError as error:
                problems += error.problems
        own = str(self.config.path)
        first = {
            (p.file, p.line, p.key, p.message if p.file == own else ""): p for p in problems[::-1]
        }
        self.config.require([*first.values()][::-1])
        return configs

    def _check_base(self):
        base = Path(self.settings.base)
        if not base.is_file():
            self.config.require([self.config.problem("sweep.base", no_such_file(base))])

    def _check_goal(self):
        """Check that there is validation data for the goal, and epochs for the pruner."""
        goal, problems = self.settings.goal, []
        if goal.startswith("val_") and self.base.datasets.val is None:
            text = f"{goal} needs validation data, and {self.settings.base} has no datasets.val"
            problems.append(self.config.problem("sweep.goal", text))
        if self.settings.pruner is not None and not self.of_history:
            text = f"compares epochs, which {goal} has none of; remove it, or write goal: val_loss"
            problems.append(self.config.problem("sweep.pruner", text))
        if self.settings.pruner is not None and not self.grid and self.settings.seeds > 1:
            text = "ends single training runs, and each trial has several; write seeds: 1"
            problems.append(self.config.problem("sweep.pruner", text))
        self.config.require(problems)

    def check_names(self):
        """Raise ConfigError if Optuna has no such sampler or pruner, or it refuses its args."""
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
        trial = configuration.load(folder / "trial.yml")  # its split and algorithm may vary
        path = folder / "evaluation" / trial.evaluate.split / "summary.json"
        table = read_json(path, ("table",))["table"]
        method = trial.algorithm.class_name
        rows = [row for row in table if row["method"] == method and row["source"] == "all sources"]
        if not rows or goal not in rows[0]:
            scores = [key for key in (rows or table)[0] if key not in ("method", "source")]
            raise UserError(f"{path} has no score {goal!r}; it has {listed(scores)}")
        return [(0, rows[0][goal]["mean"])]

    def best_of(self, values):
        """The best of [(epoch, value)].

        Raises:
            UserError: no value is finite: no epoch was validated, no item has the score, or all are
                NaN or infinite.
        """
        known = [value for _, value in values if value is not None and math.isfinite(value)]
        if not known:
            goal = self.settings.goal
            found = f"; found {values[0][1]}" if values and values[0][1] is not None else ""
            raise UserError(
                f"sweep.goal: no epoch or item has a finite value of {goal}{found}; choose another"
            )
        return min(known) if self.direction == "minimize" else max(known)


def _extremes(choice):
    """All values of a list, or the bounds of a distribution, and a fraction between these if it
    draws fractions: a key that takes whole numbers refuses it."""
    if isinstance(choice, list):
        return choice
    ((kind, bounds),) = choice.items()
    if kind not in ("uniform", "log_uniform"):
        return bounds
    low, high = bounds
    return [low, high, low + (high - low) / 2.1]


def _product(lists):
    """All combinations; if they are more than `POINTS`, some in which every value occurs."""
    lists = [*lists]
    if math.prod(map(len, lists)) <= POINTS:
        return itertools.product(*lists)
    longest = max(map(len, lists))
    return [[values[i % len(values)] for values in lists] for i in range(longest)]
