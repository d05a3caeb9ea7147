"""Every YAML file that comes with the project: complete, and each of its parts runs."""

from pathlib import Path

import layouts
import pytest
import torch
import yaml

import config
import experiment
from compat import nussl

PROJECT = Path(__file__).parent.parent
FILES = sorted([*PROJECT.glob("experiments/*.yml"), PROJECT / "best_model" / "config.yml"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_file_is_complete_trains_a_step_and_separates(path, tmp_path, sample_folder):
    torch.set_num_threads(1)
    experiment.check(config.load(path))
    plain = yaml.safe_load(path.read_text())
    if "algorithm" not in plain:
        pytest.skip("analyze.yml, which test_analysis.py runs")
    plain["info"]["output_folder"] = str(tmp_path)
    for split in plain.get("datasets", {}).values():
        if split["class"] == "Sample":
            split["args"] |= {"folder": str(sample_folder), "num_songs": 1}
        else:  # an experiment of the layout's name
            split["args"] |= {"folder": str(layouts.write(path.stem, sample_folder / path.stem))}
    if "train" in plain:
        plain["train"] |= {
            "epochs": 1,
            "batch_size": 10,
            "excerpt_frames": 8,
            "num_workers": 0,
            "device": "cpu",
        }
        model_path = tmp_path / "checkpoints" / "best.model.pth"
        plain["algorithm"]["args"]["model_path"] = str(model_path)
    small = tmp_path / "small.yml"
    small.write_text(yaml.safe_dump(plain))
    settings = config.load(small)
    if settings.train is not None:
        trainer = experiment.build_trainer(settings)
        trainer.fit()
        assert trainer.engine.state.iteration == 1 and trainer.best.exists()
    elif not Path(settings.algorithm.args["model_path"]).exists():
        pytest.skip("the shipped model is not here")
    noise = 0.1 * torch.randn(1, 16000).numpy()
    mix = nussl.AudioSignal(audio_data_array=noise, sample_rate=16000)
    sources = experiment.build_separator(settings, "cpu")(mix)()
    assert len(sources) == settings.algorithm.args.get("num_sources", 2)
    assert abs(sum(s.audio_data for s in sources) - noise).max() < 1e-5


def test_what_an_experiment_trains_is_what_it_separates_with():
    for path in FILES:
        plain = config.load(path)
        if plain.train is not None:
            folder = Path(plain.info.output_folder)
            assert Path(plain.algorithm.args["model_path"]) == folder / "checkpoints/best.model.pth"


def test_the_network_of_the_seed_has_its_known_size():
    """4 BLSTMs of 300 units and 20 dimensions for 257 bins, counted by hand."""
    settings = config.load(PROJECT / "experiments" / "deep_clustering.yml")
    model = nussl.ml.SeparationModel(experiment.build_graph(settings))
    lstm = sum(2 * (4 * 300 * (inputs + 300) + 2 * 4 * 300) for inputs in (257, 600, 600, 600))
    embedding = 600 * 257 * 20 + 257 * 20
    batch_norm = 2
    assert sum(p.numel() for p in model.parameters()) == lstm + embedding + batch_norm
