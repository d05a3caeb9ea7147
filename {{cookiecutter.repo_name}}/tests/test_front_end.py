"""One front end for training, scoring and separation: features a user adds, and missing ones."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from trainings import fit, plain_config, write

import audio
import config
import experiment
import scripts.common
from algorithms import DeepMaskEstimation
from errors import UserError
from features import FrontEnd
from scripts import train

torch.set_num_threads(1)


@pytest.fixture
def with_power(monkeypatch):
    """One more feature of the front end: the power of the mixture in dB."""
    for name in ("of_mixture", "features"):
        monkeypatch.setattr(FrontEnd, name, list(getattr(FrontEnd, name)))
    monkeypatch.setattr(FrontEnd, "registered", dict(FrontEnd.registered))

    def power_db(audio, spectrum):
        assert audio.ndim == 3 and spectrum.shape[0] == audio.shape[0]
        return 10 * (spectrum.abs().square() + 1e-8).log10()

    FrontEnd.register("mix_power_db", power_db)
    with pytest.raises(ValueError, match="'mix_power_db' already"):
        FrontEnd.register("mix_power_db", power_db)


def graph(reads):
    return {
        "name": "masks of one layer",
        "modules": {
            reads: {},
            "mix_magnitude": {},
            "body": {
                "class": "RecurrentStack",
                "args": {
                    "num_features": 257,
                    "hidden_size": 6,
                    "num_layers": 1,
                    "bidirectional": False,
                    "dropout": 0.0,
                },
            },
            "mask": {
                "class": "Embedding",
                "args": {
                    "num_features": 257,
                    "hidden_size": 6,
                    "embedding_size": 2,
                    "activation": "softmax",
                    "num_audio_channels": 1,
                },
            },
            "estimates": {"class": "Mask"},
        },
        "connections": [
            ["body", [reads]],
            ["mask", ["body"]],
            ["estimates", ["mask", "mix_magnitude"]],
        ],
        "output": ["mask", "estimates"],
    }


def trained(tmp_path, sample_folder, reads):
    plain = plain_config(tmp_path, sample_folder, builder="mask_inference", epochs=1)
    plain["model"] = graph(reads)
    args = {"permutation_invariant": False}
    plain["train"]["loss"] = {"masks": {"class": "L1Loss", "args": args}}
    return str(fit(write(tmp_path / "train.yml", plain)).best)


def test_a_feature_added_to_the_front_end_trains_is_scored_and_separates(
    with_power, run_algorithm, tmp_path, sample_folder
):
    args = {"model_path": trained(tmp_path, sample_folder, "mix_power_db")}
    assert run_algorithm("evaluate", "DeepMaskEstimation", args, evaluate={"num_items": 2})[0] == 0
    data = 0.1 * np.random.default_rng(0).normal(size=(16000 * 25, 2))
    soundfile.write(tmp_path / "long.wav", data, 16000)
    files = {"files": [str(tmp_path / "long.wav")], "output_folder": str(tmp_path / "sep")}
    assert run_algorithm("separate", "DeepMaskEstimation", args, separate=files)[0] == 0
    # the model was trained with an order: sources have their names
    sources = [
        audio.read(tmp_path / "sep/long" / f"{name}.wav") for name in ("vocals", "accompaniment")
    ]
    assert np.abs(sum(sources) - data.T).max() < 1e-4


def test_what_is_made_of_the_sources_is_refused_as_an_input(run_algorithm, tmp_path, sample_folder):
    plain = plain_config(tmp_path, sample_folder, builder="mask_inference", epochs=1)
    plain["model"] = graph("source_magnitudes")
    path = write(tmp_path / "train.yml", plain)
    with pytest.raises(SystemExit) as leaving:
        scripts.common.run(train.main, "", ("train",), ["-p", str(path)])
    assert "reads 'source_magnitudes'; of a mixture the front end gives mix_audio" in str(
        leaving.value
    )


def test_a_model_that_reads_what_separation_lacks_is_refused_once_at_load(
    with_power, tmp_path, sample_folder, monkeypatch, run_algorithm
):
    path = trained(tmp_path, sample_folder, "mix_power_db")
    monkeypatch.undo()  # this project's front end does not make it
    with pytest.raises(UserError, match="reads mix_power_db, which features.py does not make"):
        DeepMaskEstimation.load(path, "cpu")


def test_a_checkpoint_of_the_wrong_kind_is_refused_before_any_item(
    run_algorithm, tmp_path, sample_folder
):
    plain = plain_config(tmp_path, sample_folder, epochs=1)
    path = str(fit(write(tmp_path / "train.yml", plain)).best)
    status, said = run_algorithm("evaluate", "DeepMaskEstimation", {"model_path": path})
    assert "gives embedding, and no mask" in status and "the algorithm for it is Deep" in status
    assert "scored" not in said and not Path(tmp_path / "out").exists()


def test_the_config_of_every_new_key_is_an_input_again(tmp_path):
    plain = {
        "info": {"name": "a", "output_folder": "o"},
        "algorithm": {"class": "HPSS"},
        "datasets": {"test": {"class": "Sample", "args": {"split": "test", "folder": "f"}}},
        "evaluate": {"metrics": ["usdr", "csdr"], "frequency": "log"},
        "visualize": {"frequency": "mel"},
        "separate": {"files": ["a"], "picture": True},
    }
    import config

    loaded = config.load(write(tmp_path / "a.yml", plain))
    again = write(tmp_path / "b.yml", yaml.safe_load(yaml.safe_dump(loaded.to_dict())))
    assert config.load(again) == loaded


@pytest.mark.parametrize("others", [{}, {"model_path": "other/best.model.pth"}])
def test_an_algorithm_for_other_networks_is_refused_before_training(write_config, others):
    path = write_config(builder="deep_clustering")
    plain = yaml.safe_load(path.read_text())
    write(path, plain | {"algorithm": {"class": "DeepMaskEstimation", "args": others}})
    if others:  # the algorithm runs another model
        experiment.check(config.load(path))
        return
    text = r"algorithm.class: the model gives embedding, and no mask, .* it is DeepClustering$"
    with pytest.raises(config.ConfigError, match=text):
        experiment.check(config.load(path))
