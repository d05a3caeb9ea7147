"""scripts.visualize: an item of a dataset, separated and drawn."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from script_runs import wav

import audio

torch.set_num_threads(1)


def test_visualize_writes_mixture_sources_and_picture(run, trained, tmp_path):
    status, _ = run("visualize", visualize={"output_folder": str(tmp_path / "viz"), "seed": 1})
    assert status == 0
    (folder,) = (tmp_path / "viz" / "test").iterdir()
    assert re.fullmatch(r"\d{8}", folder.name)
    assert {p.name for p in folder.iterdir()} == {
        "mixture.wav",
        "source0.wav",
        "source1.wav",
        "viz.png",
        "index.html",
    }
    mix, sources = (
        audio.read(folder / "mixture.wav"),
        [audio.read(folder / f"source{i}.wav") for i in (0, 1)],
    )
    assert mix.shape == (1, 64000) and np.abs(mix).max() > 0.05
    assert np.abs(sources[0] + sources[1] - mix).max() < 1e-5
    assert min(np.square(s).sum() for s in sources) > 1e-3 * np.square(mix).sum()
    model_path = trained["algorithm"]["args"]["model_path"]
    with Image.open(folder / "viz.png") as picture:
        assert picture.format == "PNG"
        about = {key: picture.info[key] for key in ("Experiment", "Model", "Checkpoint")}
    checkpoint = hashlib.sha256(Path(model_path).read_bytes()).hexdigest()
    assert about == {"Experiment": "small", "Model": model_path, "Checkpoint": checkpoint}


@pytest.mark.slow
def test_a_seed_and_a_name_repeat_the_choice_and_the_sound(run, tmp_path):
    for name in ("a", "b"):
        run("visualize", visualize={"output_folder": str(tmp_path / name), "seed": 5})
    (a,), (b,) = ((tmp_path / name / "test").iterdir() for name in ("a", "b"))
    assert a.name == b.name
    for file in ("mixture.wav", "source0.wav", "source1.wav"):
        assert (a / file).read_bytes() == (b / file).read_bytes()
    run("visualize", visualize={"output_folder": str(tmp_path / "c"), "item": a.name})
    (c,) = (tmp_path / "c" / "test").iterdir()
    assert c.name == a.name and (c / "source0.wav").read_bytes() == (a / "source0.wav").read_bytes()


def test_an_unknown_item_is_reported_with_what_there_is(run, tmp_path):
    status, _ = run("visualize", visualize={"output_folder": str(tmp_path), "item": "30000099"})
    assert "no item '30000099'" in status and "10 items from 30000000 to 30000009" in status


def test_a_name_that_is_the_number_of_another_item_does_not_overwrite_it(run, trained, tmp_path):
    rng = np.random.default_rng(0)
    for stem in ("vocals", "accompaniment"):
        (tmp_path / "stems" / stem).mkdir(parents=True)
        for name in ("00000001", "song"):  # the items 0 and 1
            noise = 0.1 * rng.standard_normal(16000)
            wav(tmp_path / "stems" / stem / f"{name}.wav", noise)
    test = {"class": "StemFolder", "args": {"folder": str(tmp_path / "stems")}}
    data = {**trained["datasets"], "test": test}
    for name in ("00000001", "song"):
        viz = {"output_folder": str(tmp_path / "viz"), "item": name}
        assert run("visualize", datasets=data, visualize=viz)[0] == 0
    assert {path.name for path in (tmp_path / "viz" / "test").iterdir()} == {"00000000", "00000001"}
