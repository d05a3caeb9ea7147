"""Every benchmark runs, on as little as it can: whoever repeats a figure of the documentation gets
an answer, and what ours and other packages compute is the same. No time is asserted."""

import json

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY

COMMANDS = {
    "confidence": ["--items", "4"],
    "evaluation": ["--items", "1"],
    "networks": ["--quick"],  # without the other packages: what is left out
    "realism": ["--songs", "2"],
    "recordings": ["--items", "1"],
    "robustness": ["--items", "1"],
    "sample": ["--songs", "4"],
    "settings": ["--items", "1"],
    "streaming": ["--quick"],
}
# whose quick runs take a minute: the same functions, called with less
PARTS = {
    "data": """
        data.write_song(folder / "song", 1)
        print([seconds > 0 for seconds in data.compared(folder / "song", 44100, 2, 2, 1)])
        print(data.peak("ours", folder / "song") > 0, data.seconds_to_list(folder / "many", 20) > 0)
    """,
    "gpu": """
        import torch
        os.chdir(gpu.PROJECT)
        gpu.PRECISIONS = ("float32",)
        few = {"batch_size": 1, "accumulate": 1}
        rows = [*gpu.experiments(torch.device("cpu"), 0.0, ["tasnet"], few)]
        print([row["ours"] > 0 for row in rows])
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
    "stock": """
        os.chdir(stock.PROJECT)
        stock.PROBED = 1
        kinds = {name: train(stems, 1e-3, folder) for name, train in stock.TRAINED.items()}
        print([steps > 0 for steps, path in kinds.values()])
        separate = stock.separators({name: path for name, (_, path) in kinds.items()})
        print(len(stock.score(separate, stock.items(stems, 1))) == 8)
    """,
    "training": """
        os.chdir(training.PROJECT)
        for make in training.STEPS.values():
            make()()
        print(training.held()[0] > 0)
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


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_benchmark_runs_and_writes_its_figures(name, stems, tmp_path, run):
    given = [*COMMANDS[name], "--json", tmp_path / "figures.json"]
    if name == "settings":
        given += ["--folder", stems]
    status, text = run("python", "-W", "ignore", "-m", f"benchmarks.{name}", *given, cwd=REPOSITORY)
    assert status in (0, 1) and "Traceback" not in text, text  # 1: a goal is missed
    found = json.loads((tmp_path / "figures.json").read_text())
    assert found or name == "networks"
    if name == "evaluation":
        differences = [row for row in found if "difference" in row["name"]]
        assert len(differences) == 2 and all(row["holds"] for row in differences)


@pytest.mark.parametrize("name", sorted(PARTS))
def test_the_parts_of_a_long_benchmark_run(name, stems, run, tmp_path):
    code = (
        f"import os\nfrom pathlib import Path\nfrom benchmarks import {name}\n"
        f"folder, stems = Path({str(tmp_path)!r}), Path({str(stems)!r})\n"
        f"if __name__ == '__main__':{PARTS[name]}\n"
    )
    (tmp_path / "parts.py").write_text(code)
    status, text = run(
        "python", "-W", "ignore", tmp_path / "parts.py", cwd=REPOSITORY, PYTHONPATH=str(REPOSITORY)
    )
    assert status == 0 and "True" in text and "False" not in text, text


def test_every_benchmark_is_run_here():
    there = {path.stem for path in (REPOSITORY / "benchmarks").glob("*.py")}
    assert {*COMMANDS, *PARTS} == there - {"noise"}  # which others import
