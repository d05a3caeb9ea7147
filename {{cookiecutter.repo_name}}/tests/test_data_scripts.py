"""From each dataset's own experiment to a model, its scores and a picture."""

import json
from pathlib import Path

import layouts
import pytest
import torch
import yaml

import config
import scripts.common
from scripts import evaluate, train, visualize

torch.set_num_threads(1)
PROJECT = Path(__file__).parent.parent


def run(module, path, needs):
    scripts.common.run(module.main, module.__doc__, needs, ["-p", str(path)])


@pytest.mark.slow
@pytest.mark.parametrize("name", layouts.LAYOUTS)
def test_each_layout_trains_an_epoch_is_scored_and_shown(name, tmp_path, sample_folder, caplog):
    plain = config.load(PROJECT / "experiments" / f"{name}.yml").to_dict()
    folder = layouts.write(name, sample_folder / name)
    (folder / "manifest.json").write_text('{"hash": "0123abc"}')
    for split in plain["datasets"].values():
        split["args"]["folder"] = str(folder)
    plain["info"]["output_folder"] = str(tmp_path / "run")
    model = tmp_path / "run" / "checkpoints" / "best.model.pth"
    plain["algorithm"]["args"]["model_path"] = str(model)
    plain["model"]["args"] |= {"num_layers": 1, "hidden_size": 8, "normalization": "InstanceNorm"}
    plain["train"] |= {
        "epochs": 1,
        "batch_size": 2,
        "segment": 0.312,
        "num_workers": 0,
        "excerpts_per_epoch": 4,
        "validation_excerpts": 4,
        "device": "cpu",
    }
    plain["evaluate"] |= {"num_items": 1}
    plain["visualize"] |= {"output_folder": str(tmp_path / "viz"), "seed": 0}
    path = tmp_path / "experiment.yml"
    path.write_text(yaml.safe_dump(plain))
    run(train, path, ("datasets.train", "model", "train"))
    assert model.exists()
    run(evaluate, path, ("algorithm", "evaluate", "datasets"))
    summary = json.loads((tmp_path / "run/evaluation/test/summary.json").read_text())
    assert summary["failed"] == {} and summary["items_in_split"] == layouts.SONGS
    assert summary["manifest"] == "0123abc"
    groups = plain["datasets"]["train"]["args"].get("groups", {})
    assert {row["source"] for row in summary["table"]} >= set(groups)
    run(visualize, path, ("algorithm", "visualize", "datasets"))
    written = sorted(p.name for p in (tmp_path / "viz" / "test").rglob("*.*"))
    sources = plain["algorithm"]["args"]["num_sources"]
    waves = [f"source{number}.wav" for number in range(sources)]
    assert written == ["index.html", "mixture.wav", *waves, "viz.png"]
