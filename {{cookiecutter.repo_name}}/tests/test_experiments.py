"""Every YAML file that comes with the project runs, and those that you add name what is there."""

from pathlib import Path

import layouts
import pytest
import torch
import yaml

import config
import experiment
from compat import nussl
from errors import UserError
from songs import sampled

PROJECT = Path(__file__).parent.parent
SHIPPED = [
    "analyze",
    "band_split_rnn_small",
    "band_split_roformer_small",
    "chimera",
    "chimera_plus_plus",
    "chimera_small",
    "conv_tasnet",
    "conv_tasnet_small",
    "deep_clustering",
    "deep_clustering_small",
    "demo",
    "demo_quick",
    "dual_path",
    "dual_path_small",
    "export",
    "fine_tune",
    "mask_inference",
    "mask_inference_small",
    "mir1k",
    "musdb18",
    "produced_songs",
    "real_songs",
    "remix_packs600",
    "scaper",
    "separate",
    "separate_speech",
    "sepformer_small",
    "slakh2100",
    "stem_folder",
    "tasnet",
    "tasnet_small",
    "tf_gridnet_small",
    "wham",
    "wsj0_2mix",
    "wsj0_3mix",
]
FILES = [PROJECT / "best_model" / "config.yml"]
FILES += [PROJECT / "experiments" / f"{name}.yml" for name in SHIPPED]
ADDED = sorted({*PROJECT.glob("experiments/*.yml")} - {*FILES})


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_file_is_complete_trains_a_step_and_separates(path, tmp_path, sample_folder):
    torch.set_num_threads(1)
    settings = config.load(path)
    experiment.check(settings)
    plain = settings.to_dict()
    if "algorithm" not in plain:
        pytest.skip("analyze.yml, which test_analysis.py runs")
    plain["info"]["output_folder"] = str(tmp_path)
    for split in plain.get("datasets", {}).values():
        if split["class"] == "Sample":
            if split["args"].get("style") == "produced" and not sampled.are_installed():
                pytest.skip(f"needs {sampled.INSTALL}")
            split["args"] |= {"folder": str(sample_folder), "num_songs": 1}
        else:  # an experiment of the layout's name
            name = "real_songs" if path.parent.name == "best_model" else path.stem
            split["args"] |= {"folder": str(layouts.write(name, sample_folder / name))}
    if "train" in plain:
        plain["train"] |= {
            "epochs": 1,
            "batch_size": 2,
            "segment": 0.056,
            "excerpts_per_epoch": 2,
            "validation_excerpts": 2,
            "num_workers": 0,
            "device": "cpu",
        }
        model_path = tmp_path / "checkpoints" / "best.model.pth"
        plain["algorithm"].setdefault("args", {})["model_path"] = str(model_path)
    small = tmp_path / "small.yml"
    small.write_text(yaml.safe_dump(plain))
    settings = config.load(small)
    if settings.train is not None:
        trainer = experiment.build_trainer(settings)
        trainer.checkpoints.save = lambda _: None  # of hundreds of megabytes
        trainer.fit()
        assert trainer.engine.state.iteration == 1 and trainer.best.exists()
    elif not Path(settings.algorithm.args["model_path"]).exists():
        pytest.skip("the shipped model is not here")
    noise = 0.1 * torch.randn(1, 16000).numpy()
    mix = nussl.AudioSignal(audio_data_array=noise, sample_rate=16000)
    sources = experiment.build_separator(settings, "cpu")(mix)()
    assert len(sources) == settings.algorithm.args.get("num_sources", 2)
    assert abs(sum(s.audio_data for s in sources) - noise).max() < 1e-5


@pytest.mark.parametrize("path", ADDED, ids=lambda path: path.stem)
def test_a_file_that_you_added_names_what_is_there(path):
    try:
        settings = config.load(path)
    except config.ConfigError as error:
        if all("environment variable" in str(problem) for problem in error.problems):
            pytest.skip(str(error))
        raise
    experiment.check(settings)


def test_what_an_experiment_trains_is_what_it_separates_with():
    for path in FILES:
        settings = config.load(path)
        if settings.train is not None:
            folder = Path(settings.info.output_folder)
            assert experiment.model_path(settings) == str(folder / "checkpoints/best.model.pth")


def test_the_network_of_deep_clustering_has_its_known_size():
    """4 BLSTMs of 300 units and 20 dimensions for 257 bins, counted by hand."""
    settings = config.load(PROJECT / "experiments" / "deep_clustering.yml")
    model = nussl.ml.SeparationModel(experiment.build_graph(settings))
    lstm = sum(2 * (4 * 300 * (inputs + 300) + 2 * 4 * 300) for inputs in (257, 600, 600, 600))
    embedding = 600 * 257 * 20 + 257 * 20
    batch_norm = 2
    assert sum(p.numel() for p in model.parameters()) == lstm + embedding + batch_norm


def small(path, tmp_path, sample_folder, **changes):
    """demo_quick.yml, of one step, in a folder of its own."""
    plain = config.load(PROJECT / "experiments" / "demo_quick.yml").to_dict()
    plain["info"]["output_folder"] = str(tmp_path / path)
    for split in plain["datasets"].values():
        split["args"] |= {"folder": str(sample_folder), "num_songs": 1}
    plain["train"] |= {"epochs": 1, "excerpts_per_epoch": 10, "device": "cpu"}
    for key, value in changes.items():
        plain[key] = {**plain.get(key, {}), **value}
    file = tmp_path / f"{path}.yml"
    file.write_text(yaml.safe_dump(plain))
    return config.load(file)


@pytest.mark.slow
def test_a_copied_experiment_separates_with_its_own_model_or_says_that_it_does_not(
    tmp_path, sample_folder, caplog
):
    torch.set_num_threads(1)
    first = small("first", tmp_path, sample_folder)
    experiment.build_trainer(first).fit()
    other = small("other", tmp_path, sample_folder)
    with pytest.raises(UserError, match=r"other/checkpoints/best.model.pth: no such checkpoint"):
        experiment.build_separator(other, "cpu")
    experiment.build_separator(first, "cpu")
    assert "WARNING" not in caplog.text
    args = {"num_sources": 2, "model_path": experiment.best_model(first)}
    copied = small(
        "copied",
        tmp_path,
        sample_folder,
        algorithm={"args": args},
        signal={"hop_length": 256},
        model={"args": {"hidden_size": 9}},
    )
    experiment.build_separator(copied, "cpu")
    assert "names another model than the one that this experiment trains" in caplog.text
    assert "was trained with signal.hop_length = 128, here 256" in caplog.text
    assert "model.args.hidden_size = 16, here 9" in caplog.text
    assert "model.args = {" not in caplog.text  # the same again, in full


def test_the_split_of_a_dataset_is_its_key(tmp_path, sample_folder):
    same, other = (
        {"class": "Sample", "args": {"folder": str(sample_folder), "split": split}}
        for split in ("train", "test")
    )
    experiment.check(small("same", tmp_path, sample_folder, datasets={"train": same}))
    with pytest.raises(
        config.ConfigError,
        match=(
            r"datasets.train.args.split: is 'test', but datasets.train is the "
            r"train split; remove it, or move the dataset to datasets.test"
        ),
    ):
        experiment.check(small("other", tmp_path, sample_folder, datasets={"train": other}))
