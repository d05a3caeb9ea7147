"""Every benchmark runs, on as little data as possible, and what this project and other packages
compute is the same. No time is asserted."""

import json
import os

import forks
import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY

from benchmarks import common, steps

COMMANDS = {
    "confidence": ["--items", "4"],
    "evaluation": ["--items", "1"],
    "networks": ["--quick"],  # leaves out packages that are not installed
    "realism": ["--songs", "2"],
    "recordings": ["--items", "1"],
    "robustness": ["--items", "1"],
    "sample": ["--songs", "4"],
    "streaming": ["--quick"],
}
# of those whose quick runs take longer, the functions are called with less
PARTS = {
    "data": """
        data.write_song(folder / "song", 1)
        print([seconds > 0 for seconds in data.compared(folder / "song", 44100, 2, 2, 1)])
        print(data.peak_memory("ours", folder / "song") > 0)
        print(data.seconds_to_list(folder / "many", 20) > 0)
    """,
    "gpu": """
        import torch
        gpu.PRECISIONS = ("float32",)
        few, results = {"batch_size": 1, "accumulate": 1}, common.Results()
        gpu.measure_experiments(results, torch.device("cpu"), 0.0, ["tasnet"], few)
        print([row["ours"] > 0 for row in results.rows])
    """,
    "networks": """
        for name in networks.PAIRS:
            network, call, audio = networks.our_network(name)
            print(tuple(call(audio).shape[:3]) == (len(audio), *networks.PAIRS[name][2][1:]))
    """,
    "separation": """
        print(separation.agreement(folder) > 0.999)
        print([separation.run(name, 3, folder)["cpu"] > 0 for name in ("ours", "stock")])
    """,
    "settings": """
        settings.CHANGES, settings.SOFTER_DB = {"shifts": (1,), "mask_weight": (0.5,)}, (-10,)
        figures = folder / "figures.json"
        sys.argv[1:] = ["--items", "1", "--folder", str(stems), "--json", str(figures)]
        print(settings.main() == 0)
        rows = json.loads(figures.read_text())
        titles = ["as shipped", "shifts: 1", "mask_weight: 0.5", "-10 dB"]
        print([row["setting"] for row in rows] == [*titles, "-10 dB, read at that level"])
        print(sum("alone" in key and "/" in rows[0][key] for key in rows[0]) == 2)
    """,
    "stock": """
        os.chdir(PROJECT)
        stock.PROBED = 1
        kinds = {name: train(stems, 1e-3, folder) for name, train in stock.TRAINED.items()}
        print([steps > 0 for steps, path in kinds.values()])
        separate = stock.separators({name: path for name, (_, path) in kinds.items()})
        print(len(stock.score(separate, stock.items(stems, 1))) == 8)
    """,
    "training": """
        rows = steps.measure_in_turn({"ours": training.our_step}, 1)["ours"]
        print([seconds > 0 and memory > 0 for seconds, memory in rows])
        for make in (training.stock_step, training.products_step):
            make()()
    """,
}


@pytest.fixture(scope="module")
def stems(tmp_path_factory):
    """A folder as data_prep/debian/songs.yml leaves it: voices and music, here noise."""
    folder, rng = tmp_path_factory.mktemp("stems"), np.random.default_rng(0)
    for split, songs in (("train", 12), ("val", 1), ("test", 1)):
        for label in ("vocals", "accompaniment"):
            (folder / split / label).mkdir(parents=True)
            for number in range(songs):
                noise = 0.1 * rng.standard_normal(4 * 16000)
                name = f"sung_{number}_0.flac"
                soundfile.write(folder / split / label / name, noise, 16000)
    return folder


def run(module, *arguments, path=REPOSITORY):
    """Run a module from the folders of `path` to its end: (exit status, what it printed)."""
    done = forks.run(module, *arguments, PYTHONPATH=str(path), PYTHONWARNINGS="ignore")
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_benchmark_runs_and_writes_its_figures(name, tmp_path):
    given = [*COMMANDS[name], "--json", tmp_path / "figures.json"]
    status, text = run(f"benchmarks.{name}", *given)
    assert status in (0, 1) and "Traceback" not in text, text  # 1: a goal is missed
    found = json.loads((tmp_path / "figures.json").read_text())
    assert found or name == "networks"
    if name == "evaluation":
        differences = [row for row in found if "difference" in row["name"]]
        assert len(differences) == 2 and all(row["holds"] for row in differences)


@pytest.mark.parametrize("name", sorted(PARTS))
def test_the_parts_of_a_long_benchmark_run(name, stems, tmp_path):
    code = (
        "import json, os, sys\nfrom pathlib import Path\n"
        f"from benchmarks import PROJECT, common, steps, {name}\n"
        f"folder, stems = Path({str(tmp_path)!r}), Path({str(stems)!r})\n"
        f"if __name__ == '__main__':{PARTS[name]}\n"
    )
    (tmp_path / "parts.py").write_text(code)
    status, text = run("parts", path=f"{tmp_path}{os.pathsep}{REPOSITORY}")
    assert status == 0 and "True" in text and "False" not in text, text


def test_every_benchmark_is_run_here():
    there = {path.stem for path in (REPOSITORY / "benchmarks").glob("*.py")}
    assert {*COMMANDS, *PARTS} == there - {"__init__", "common", "items", "steps", "trainers"}


def test_results_are_compared_with_their_goals_and_written_one_by_one(tmp_path, capsys):
    results = common.Results(tmp_path / "results.json")
    results.compare("time (s)", 1.0, 4.0, ("<=", 0.25))
    assert json.loads((tmp_path / "results.json").read_text()) == [
        {"name": "time (s)", "ours": 1.0, "theirs": 4.0, "ratio": 0.25}
        | {"goal": "<= 0.25", "holds": True}
    ]
    results.compare("correlation", 0.9, goal=(">", 0.5))
    assert results.status() == 0
    results.compare("memory (MB)", 3.0, 4.0, ("<=", 0.5), ratio=0.7)
    assert results.status() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "time (s): 1, compared with 4, ratio 0.25, goal <= 0.25: reached"
    assert lines[1] == "correlation: 0.9, goal > 0.5: reached"
    assert lines[2] == "memory (MB): 3, compared with 4, ratio 0.7, goal <= 0.5: MISSED"


def test_the_peak_of_a_step_includes_memory_that_an_earlier_step_took():
    blocks = []

    def step():
        blocks.append(np.ones(100_000_000, np.uint8))

    _, before = steps.memory_used()
    _, first = steps.measure(step, before)
    _, second = steps.measure(step, before)
    assert 99e6 < first < 150e6 and 199e6 < second < 250e6
