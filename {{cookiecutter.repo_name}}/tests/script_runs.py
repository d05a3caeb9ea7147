"""Fixtures for tests of scripts: a small training run, and a function that runs a script on it."""

import pytest
import soundfile
import torch
import yaml

import scripts.common
from scripts import evaluate, separate, train, visualize

torch.set_num_threads(1)
SCRIPTS = {"train": train, "evaluate": evaluate, "visualize": visualize, "separate": separate}


def wav(path, data, rate=16000):
    soundfile.write(path, data, rate, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory, sample_folder):
    """The plain config of a small training run, and the path of its model."""
    folder = tmp_path_factory.mktemp("trained")
    data = {
        split: {
            "class": "Sample",
            "args": {"folder": str(sample_folder), "split": split, "num_songs": 1},
        }
        for split in ("train", "test")
    }
    model_path = folder / "out" / "checkpoints" / "best.model.pth"
    plain = {
        "info": {"name": "small", "output_folder": str(folder / "out")},
        "datasets": data,
        "model": {
            "builder": "deep_clustering",
            "args": {"num_layers": 1, "hidden_size": 8, "normalization": "InstanceNorm"},
        },
        "train": {
            "device": "cpu",
            "epochs": 1,
            "batch_size": 5,
            "segment": 0.312,
            "excerpts_per_epoch": 10,
            "loss": {"dc": {"class": "DeepClusteringLoss"}},
        },
        "algorithm": {
            "class": "DeepClustering",
            "args": {"model_path": str(model_path), "num_sources": 2},
        },
    }
    path = folder / "train.yml"
    path.write_text(yaml.safe_dump(plain))
    scripts.common.run(train.main, train.__doc__, ("train",), ["-p", str(path)])
    return plain


@pytest.fixture
def run(tmp_path, trained, capsys, caplog):
    """run(script, section=..., ...) -> (exit status, what was printed); sections replace those of
    the trained config."""

    def call(script, **sections):
        path = tmp_path / f"{script}.yml"
        path.write_text(yaml.safe_dump({**trained, **sections}))
        module = SCRIPTS[script]
        try:
            with caplog.at_level("INFO"):
                scripts.common.run(module.main, module.__doc__, (script,), ["-p", str(path)])
            status = 0
        except SystemExit as leaving:
            status = leaving.code
        return status, capsys.readouterr().out + caplog.text

    return call
