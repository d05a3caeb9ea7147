"""Steps of pipelines that cost nothing: their scripts only write what they would leave."""

import sys
from pathlib import Path

import yaml

import config
from orchestration import pipeline, traces
from orchestration.launchers import Local
from scripts.common import names, needs_of

PROGRAM = """
import pathlib, sys, time
name, seconds, file, status, *paths = sys.argv[1:]
print("this is", name, flush=True)
time.sleep(float(seconds))
while file and not pathlib.Path(file).exists():
    time.sleep(0.01)
for path in map(pathlib.Path, paths if status == "0" else ()):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
sys.exit(int(status))
"""


class Quick(Local):
    """Starts a program of a few milliseconds in place of each script, and notes which.

    Args:
        status: {name of a file: exit status}, 0 by default. seconds: {name of a file: duration}.
        until: a file for which all of them wait.
    """

    def __init__(self, status=(), seconds=(), until=""):
        super().__init__()
        self.started, self.status, self.seconds = [], dict(status), dict(seconds)
        self.until = str(until)

    def start(self, command, log, locks=()):
        script, file = command[2].removeprefix("scripts."), Path(command[4])
        name = log.stem
        self.started.append(name)
        left = [str(path) for path in traces.outputs_of(script, config.load(file))]
        about = [name, str(self.seconds.get(name, 0)), self.until, str(self.status.get(name, 0))]
        return super().start([sys.executable, "-S", "-c", PROGRAM, *about, *left], log, locks)


def read(path):
    """The pipeline in a file, and what `Pipeline` takes."""
    settings = config.load(path, needs=("pipeline",))
    return settings, pipeline.read_steps(settings, names(), needs_of)


def go(path, launcher=None):
    """Run the pipeline of a file with quick steps: the names of those that were started."""
    launcher = launcher or Quick()
    pipeline.Pipeline(*read(path), lambda section, at_once: launcher).run()
    return launcher.started


def experiment(folder, name="small", **train):
    """The file of a small experiment for train, evaluate and analyze."""
    data = {"class": "Sample", "args": {"folder": str(folder / "data"), "num_songs": 1}}
    plain = {
        "info": {"name": name, "output_folder": str(folder / name)},
        "datasets": {"train": data, "val": data, "test": data},
        "model": {"builder": "deep_clustering", "args": {"num_layers": 1, "hidden_size": 8}},
        "train": {"epochs": 1, "loss": {"dc": {"class": "DeepClusteringLoss"}}, **train},
        "algorithm": {"class": "DeepClustering", "args": {"num_sources": 2}},
        "evaluate": {"num_items": 2},
        "analyze": {"runs": [str(folder / name)]},
    }
    path = folder / f"{name}.yml"
    path.write_text(yaml.safe_dump(plain))
    return path


def write(folder, steps, **settings):
    """The file of a pipeline with these steps."""
    plain = {
        "info": {"name": "steps", "output_folder": str(folder / "pipeline")},
        "pipeline": {"steps": steps, **settings},
    }
    path = folder / "pipeline.yml"
    path.write_text(yaml.safe_dump(plain))
    return path


if __name__ == "__main__":  # steps that last long enough to be killed in
    go(sys.argv[1], Quick(seconds=dict.fromkeys(("train", "evaluate", "analyze"), 0.15)))
