"""Sweeps whose runs cost nothing: what they leave follows from their config by a formula."""

import json
import math
import sys
from pathlib import Path
from unittest import mock

import yaml
from quick_steps import Quick, experiment

import config
from orchestration import results
from orchestration.launchers import Local
from orchestration.study import Study
from orchestration.sweep import Sweep
from orchestration.worker import Worker
from scripts.common import needs_of

PROGRAM = """
import json, pathlib, select, sys
seconds, status, lingers, files = json.loads(sys.argv[1])
if select.select([sys.stdin], [], [], seconds)[0]:
    sys.exit(75)  # whoever started this has ended
for path, text in files.items():
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
if lingers:
    select.select([sys.stdin], [], [], 600)
if status:
    print("error: the loss is NaN")
sys.exit(status)
"""


def loss(settings):
    """The loss of epoch 3: least at a learning rate of 0.01, and better with even seeds."""
    rate = settings.train.optimizer.args["lr"]
    return abs(rate - 0.01) * 100 + 0.5 * (settings.info.seed % 2)


class QuickTraining(Quick):
    """Writes history.csv, or summary.json, at once; a batch_size of 13 fails, of 14 no item has a
    score, and of 15 the losses are NaN. A run at the learning rate `lingers` lasts until it is
    stopped."""

    def __init__(self, seconds=0.0, lingers=None):
        super().__init__()
        self.time, self.lingers = seconds, lingers

    def start(self, command, log, locks=()):
        script, file = command[2].removeprefix("scripts."), Path(command[4])
        settings = config.load(file)
        self.started.append((script, file.parent.name, settings.info.seed))
        value, folder = loss(settings), Path(settings.info.output_folder)
        if script == "train":
            value = math.nan if settings.train.batch_size == 15 else value
            rows = [f"{epoch},{value + 3 - epoch}" for epoch in (1, 2, 3)]
            files = {str(folder / "history.csv"): "\n".join(["epoch,val_loss", *rows, ""])}
        else:
            score = {"mean": None if settings.train.batch_size == 14 else -value}
            method, split = settings.algorithm.class_name, settings.evaluate.split
            rows = [{"method": method, "source": "all sources", "si_sdr": score}]
            place = folder / "evaluation" / split / "summary.json"
            files = {str(place): json.dumps({"table": rows})}
        with open(folder / "starts.txt", "a") as starts:
            starts.write(f"{script}\n")
        status = 1 if settings.train.batch_size == 13 else 0
        lingers = settings.train.optimizer.args["lr"] == self.lingers
        about = json.dumps([self.time, status, lingers, files])
        return Local.start(self, [sys.executable, "-S", "-c", PROGRAM, about], log, locks)


def write(folder, name="sweep", **settings):
    """The file of a sweep."""
    base = folder / "small.yml"
    if not base.exists():
        experiment(folder, optimizer={"class": "Adam", "args": {"lr": 0.001}}, batch_size=4)
    plain = {
        "info": {"name": name, "output_folder": str(folder / name)},
        "sweep": {"base": str(base), "heartbeat": 1, **settings},
    }
    path = folder / f"{name}.yml"
    path.write_text(yaml.safe_dump(plain))
    return path


def sweep_in(path):
    """The sweep in a file, checked."""
    sweep = Sweep(config.load(path, needs=("sweep",)), needs_of)
    sweep.examples()
    sweep.check_names()
    return sweep


def study_of(sweep):
    """The trials of a sweep, queued."""
    about = (sweep.points(), sweep.definition(), sweep.direction)
    return Study(sweep.folder, sweep.settings, sweep.config.info.seed, *about)


def go(path, launcher=None, pictures=False):
    """Run a sweep with quick training runs: (the sweep, its study, lines for the terminal).

    Pictures cost more than all the rest: they are drawn if they are asked for.
    """
    sweep = sweep_in(path)
    study = study_of(sweep)
    Worker(sweep, study, launcher or QuickTraining()).work()
    draw = results.pictures if pictures else lambda *_: {}
    with study.lock(), mock.patch.object(results, "pictures", draw):
        return sweep, study, results.write(sweep, study)
