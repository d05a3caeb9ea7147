"""The notebooks run from top to bottom, and are kept without their outputs."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

PROJECT = Path(__file__).parents[1]
NOTEBOOKS = PROJECT / "notebooks"


@pytest.fixture
def run(monkeypatch, sample_folder):
    """A function: run a notebook's cells; gives its names and what it displayed."""
    monkeypatch.chdir(NOTEBOOKS)
    monkeypatch.setenv("DATA_DIRECTORY", str(sample_folder.parent))
    monkeypatch.setattr(sys, "path", list(sys.path))
    shown = []
    display = type(sys)("IPython.display")
    display.Image, display.display = bytes, shown.append
    display.Audio = lambda sound, rate: (np.asarray(sound), rate)
    ipython = type(sys)("IPython")
    ipython.version_info, ipython.get_ipython = (9, 0), lambda: None  # matplotlib asks
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)

    def of(name):
        names = {"__name__": "notebook"}
        for cell in json.loads((NOTEBOOKS / name).read_text())["cells"]:
            if cell["cell_type"] == "code":
                assert cell["outputs"] == [] and cell["execution_count"] is None
                exec("".join(cell["source"]), names)  # noqa: S102
        return names, shown

    return of


def test_evaluated_runs_are_analysed(run):
    names, shown = run("analysis.ipynb")
    assert len(names["data"]) == len(names["runs"][0].rows)
    assert len(shown) == 3 and all(picture.startswith(b"\x89PNG") for picture in shown)


def test_a_snippet_is_separated_in_two_ways_played_and_scored(run):
    names, shown = run("listen.ipynb")
    sounds = [sound for sound, _ in (one for one in shown if isinstance(one, tuple))]
    mixture = sounds[0]
    assert len(sounds) == 7 and all(sound.shape == mixture.shape for sound in sounds)
    for pair in (sounds[1:3], sounds[3:5], sounds[5:7]):  # references, ours, RepetSim's
        assert np.abs(sum(pair) - mixture).max() < 1e-3
    assert {"the model", "RepetSim"} < {*names["scores"]["method"]}
    assert {*names["sources"]} == {"accompaniment", "vocals"}


@pytest.mark.slow
def test_a_network_is_written_trained_and_listened_to(run):
    names, shown = run("network.ipynb")
    rows = names["trainer"].history.rows
    assert len(rows) == 3 and rows[-1]["val_loss"] < rows[0]["val_loss"]
    assert len(shown) == 2


def test_every_notebook_is_run_here():
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(f'run("{path.name}")' in text for path in NOTEBOOKS.glob("*.ipynb"))
