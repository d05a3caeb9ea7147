"""The experiments for data that have to be got: whole and checked at full size, a step in small."""

import re
from pathlib import Path

import layouts
import more_layouts
import pytest
import torch
import yaml
from small_networks import SMALL

import config
import experiment
from errors import duration

torch.set_num_threads(1)
PROJECT = Path(__file__).parent.parent
SHIPPED = [
    "speech/libri2mix_chimera_plus_plus",
    "speech/libri2mix_conv_tasnet",
    "speech/libri2mix_deep_clustering",
    "speech/libri2mix_dual_path",
    "speech/librispeech_conv_tasnet",
    "speech/wham_noisy_conv_tasnet",
    "speech/wham_noisy_dual_path",
    "speech/whamr_noisy_conv_tasnet",
    "speech/whamr_noisy_dual_path",
    "speech/wsj0_2mix_chimera_plus_plus",
    "speech/wsj0_2mix_conv_tasnet",
    "speech/wsj0_2mix_conv_tasnet_causal",
    "speech/wsj0_2mix_deep_clustering",
    "speech/wsj0_2mix_dual_path",
    "speech/wsj0_2mix_sepformer",
    "speech/wsj0_2mix_tf_gridnet",
    "music/dnr_mask_inference",
    "music/mir1k_mask_inference",
    "music/moisesdb_mask_inference",
    "music/musdb18_four_stems_band_split_rnn",
    "music/musdb18_four_stems_band_split_roformer",
    "music/musdb18_four_stems_chimera",
    "music/musdb18_four_stems_conv_tasnet",
    "music/musdb18_four_stems_mask_inference",
    "music/musdb18_snippets_deep_clustering",
    "music/musdb18_vocals_chimera",
    "music/musdb18_vocals_conv_tasnet",
    "music/musdb18_vocals_mask_inference",
    "music/slakh2100_conv_tasnet",
    "music/slakh2100_mask_inference",
    "debian_speech",
]
FILES = [PROJECT / "experiments" / f"{name}.yml" for name in SHIPPED]
OTHERS = sorted({*PROJECT.glob("experiments/*/*.yml")} - {*FILES})
ADDED = [path for path in OTHERS if path.parent.name != "base"]
SIZES = SMALL | {
    "chimera": {"num_layers": 1, "hidden_size": 8, "embedding_size": 4},
    "dual_path": {
        "num_filters": 16,
        "num_channels": 8,
        "hidden_size": 8,
        "num_layers": 1,
        "chunk_size": 20,
    },
    "sepformer": {
        "num_filters": 16,
        "num_channels": 8,
        "hidden_size": 16,
        "num_layers": 1,
        "depth": 1,
        "num_heads": 2,
        "chunk_size": 20,
    },
    "band_split_rnn": {"num_channels": 8, "hidden_size": 8, "num_layers": 1},
    "band_split_roformer": {"num_channels": 8, "num_layers": 1, "num_heads": 2, "head_size": 4},
    "tf_gridnet": {"num_channels": 8, "hidden_size": 8, "num_layers": 1},
}
SNIPPETS = "musdb18_snippets_deep_clustering"


def names(path):
    return path.relative_to(PROJECT / "experiments").with_suffix("").as_posix()


@pytest.fixture(scope="session")
def layout(tmp_path_factory):
    root = tmp_path_factory.mktemp("layouts")
    return lambda name: more_layouts.write(name, root / name)


@pytest.mark.parametrize("path", FILES, ids=names)
def test_each_takes_a_step_in_a_miniature_of_its_data(path, tmp_path, layout):
    settings = config.load(path)
    experiment.check(settings)  # at full size
    plain = settings.to_dict()
    assert plain["info"]["output_folder"].endswith(f"/{names(path)}")
    full, plain["info"]["output_folder"] = plain["train"], str(tmp_path)
    for data in plain["datasets"].values():
        data["args"]["folder"] = str(layout(data["class"]))
        for key in {"num_mixtures", "seconds"} & {*data["args"]}:
            data["args"][key] = 2
        if path.stem == SNIPPETS:
            data["args"]["song"] = "(.*) \\d+"
    plain["model"]["args"] |= SIZES[plain["model"]["builder"]]
    plain["train"] = {
        **full,
        "epochs": 1,
        "batch_size": 2,
        "accumulate": 1,
        "segment": 0.2,
        "curriculum": [],
        "excerpts_per_epoch": 2,
        "validation_excerpts": 2,
        "num_workers": 0,
        "device": "cpu",
    }
    if full["best_by"]:
        plain["train"]["best_by"] = {**full["best_by"], "num_items": 1}
    small = tmp_path / "small.yml"
    small.write_text(yaml.safe_dump(plain))
    trainer = experiment.build_trainer(config.load(small))
    trainer.fit()
    assert trainer.engine.state.iteration == 1 and trainer.best.exists()
    sources = plain["model"]["args"].get("num_sources", 2)
    assert len(trainer.train_data.labels) == sources
    assert plain["algorithm"].get("args", {}).get("num_sources", sources) == sources


@pytest.mark.parametrize("path", FILES, ids=names)
def test_each_says_where_it_is_from_and_what_to_expect_and_is_in_the_documentation(path):
    _, *lines = path.read_text().splitlines()
    comment = " ".join(line for line in lines if line.startswith("#"))
    assert re.search(r"Expected: |[Nn]o (comparable )?number|no splits|validate and test", comment)
    page = (PROJECT / "docs" / "models.md").read_text()
    assert f"`{path.stem}`" in page


def test_dry_run_says_steps_in_all_and_hours_of_audio(layout, tmp_path):
    plain = config.load(PROJECT / "experiments/speech/wsj0_2mix_conv_tasnet.yml").to_dict()
    for data in plain["datasets"].values():
        data["args"]["folder"] = str(layout("WSJ0Mix"))
    plain["model"]["args"] |= SIZES["conv_tasnet"]
    plain["info"]["output_folder"] = str(tmp_path)
    plain["train"]["device"] = "cpu"
    path = tmp_path / "experiment.yml"
    path.write_text(yaml.safe_dump(plain))
    said = experiment.build_trainer(config.load(path)).describe()
    length = duration(layouts.SONGS * layouts.SECONDS)
    assert (
        f"{layouts.SONGS} tracks, {length} of audio; an epoch has 20000 excerpts, 2500 steps "
        "with batches of 8, 22.2 h; 100 epochs: 250000 steps, 2222 h" in said
    )


@pytest.mark.parametrize("path", ADDED, ids=names)
def test_a_file_that_you_added_to_a_folder_names_what_is_there(path):
    try:
        settings = config.load(path)
    except config.ConfigError as error:
        if all("environment variable" in str(problem) for problem in error.problems):
            pytest.skip(str(error))
        raise
    experiment.check(settings)
