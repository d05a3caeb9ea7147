"""separation.load: a trained model as a function of arrays."""

import concurrent.futures
import shutil
from pathlib import Path

import layouts
import numpy as np
import pytest
import torch
import yaml
from trainings import plain_config, write

import audio
import scripts.common
from config import ConfigError
from errors import UserError
from scripts import separate, train
from separation import load

RATE = 16000


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory, sample_folder):
    """The folder of a small training run of mask inference, whose sources have an order."""
    folder = tmp_path_factory.mktemp("run")
    plain = plain_config(folder, sample_folder, builder="mask_inference", epochs=1)
    plain["train"]["loss"] = {
        "masks": {"class": "L1Loss", "args": {"permutation_invariant": False}}
    }
    plain["algorithm"] = {"class": "DeepMaskEstimation"}
    path = write(folder / "train.yml", plain)
    scripts.common.run(train.main, "", ("train",), ["-p", str(path)])
    return Path(plain["info"]["output_folder"])


def mixture(seconds=1.5, channels=2, rate=RATE):
    return 0.1 * np.random.default_rng(0).standard_normal((channels, int(seconds * rate)))


@pytest.mark.parametrize("rate", [RATE, 44100])
def test_sources_have_names_and_the_form_of_the_mixture_and_add_up_to_it(run_folder, rate):
    separator = load(run_folder, "cpu")
    assert separator.names == ["accompaniment", "vocals"]
    for mix in (mixture(rate=rate), mixture(channels=1, rate=rate)[0]):
        sources = separator(mix, rate)
        assert [*sources] == separator.names
        for sound in sources.values():
            assert sound.shape == mix.shape and sound.dtype == np.float32
        assert np.abs(sum(sources.values()) - mix).max() < 1e-5


def test_a_stereo_model_separates_mono_to_mono(tmp_path, run_folder):
    signal = {"sample_rate": RATE, "num_channels": 2, "window_length": 256, "hop_length": 64}
    args = {"num_sources": 2, "hidden_size": 4, "num_layers": 1}
    plain = yaml.safe_load((run_folder / "config.yml").read_text())
    plain["info"]["output_folder"] = str(tmp_path / "stereo")
    plain["signal"] = {**plain["signal"], **signal}
    plain["model"]["args"] |= args
    stems = str(layouts.write("stem_folder", tmp_path / "stems"))
    for split in ("train", "val"):
        plain["datasets"][split] = {"class": "StemFolder", "args": {"folder": stems}}
    path = write(tmp_path / "stereo.yml", plain)
    scripts.common.run(train.main, "", ("train",), ["-p", str(path)])
    separator = load(tmp_path / "stereo", "cpu")
    for mix in (mixture(), mixture(channels=1), mixture(channels=1)[0]):
        for rate in (RATE, 44100):
            sources = separator(mix, rate)
            assert {sound.shape for sound in sources.values()} == {mix.shape}
            assert np.abs(sum(sources.values()) - mix).max() < 1e-5


def test_a_batch_is_separated_one_by_one_and_tensors_come_back_as_tensors(run_folder):
    separator = load(run_folder, "cpu")
    batch = torch.from_numpy(np.stack([mixture(), mixture()[::-1]]))
    sources = separator(batch, RATE)
    alone = separator(batch[1], RATE)
    for name, sound in sources.items():
        assert isinstance(sound, torch.Tensor) and sound.shape == batch.shape
        assert torch.equal(sound[1], alone[name])


def test_threads_may_share_it():
    separator = load("best_model", "cpu")
    mixes = [scale * mixture(0.7) for scale in (1.0, 0.5, 0.7, 0.9)]
    expected = [separator(mix, RATE)["vocals"] for mix in mixes]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda mix: separator(mix, RATE)["vocals"], mixes * 2))
    for one, other in zip(found, expected * 2, strict=True):
        assert np.abs(one - other).max() < 1e-6


def test_it_gives_what_the_script_writes(run_folder, tmp_path):
    path = tmp_path / "in.wav"
    path.write_bytes(audio.encode(mixture().astype(np.float32), RATE))
    plan = yaml.safe_load((run_folder / "config.yml").read_text())
    plan = {key: plan[key] for key in ("info", "algorithm", "signal")}
    plan["separate"] = {"files": [str(path)], "output_folder": str(tmp_path / "out")}
    file = write(tmp_path / "separate.yml", plan)
    scripts.common.run(separate.main, "", ("separate",), ["-p", str(file)])
    for name, sound in load(run_folder, "cpu")(audio.read(path), RATE).items():
        assert np.abs(audio.read(tmp_path / "out/in" / f"{name}.wav") - sound).max() < 1e-6


def test_a_run_may_be_copied_elsewhere_and_a_file_named_instead(
    run_folder, tmp_path, monkeypatch, caplog
):
    copied = tmp_path / "copied"
    shutil.copytree(run_folder, copied)
    monkeypatch.chdir(tmp_path)
    mix = mixture()
    expected = load(run_folder, "cpu")(mix, RATE)
    for path in ("copied", copied / "config.yml"):
        for name, sound in load(path, "cpu")(mix, RATE).items():
            assert np.array_equal(sound, expected[name])
    load("best_model", "cpu")  # the project's, from another folder
    assert caplog.text == ""


def test_algorithms_without_a_model_and_without_an_order_number_their_sources(tmp_path):
    plan = {"info": {"name": "a", "output_folder": "out"}, "algorithm": {"class": "HPSS"}}
    separator = load(write(tmp_path / "hpss.yml", plan))
    assert separator.names is None
    assert [*separator(mixture(), RATE)] == ["source0", "source1"]


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (np.zeros((2, 8000), np.int16), "audio has dtype int16, expected floats; divide 16-bit"),
        ("song.wav", "audio is a str, expected an array; soundfile.read reads a file"),
        (np.zeros((1, 1, 1, 8000)), r"has the shape \(1, 1, 1, 8000\), expected"),
        (np.zeros((8000, 2)), "more channels than samples"),
        (np.full((2, 8000), np.nan), "NaN or infinite"),
        (1e30 * mixture(), "audio reaches .*e.29, full scale being 1; divide it"),
        (1e300 * mixture(), "full scale being 1; divide it"),
        (np.zeros((2, 8000)), "is silent"),
        (np.stack([mixture(), 0 * mixture()]), r"audio\[1\]: is silent"),
        ([mixture(), mixture(0.5)], "audio is not an array: its parts differ in shape"),
        ((mixture().T, RATE), "audio is not an array"),  # all that soundfile.read gives
        (mixture(0.001), "at least 512 are needed"),
        (np.ones((2, 1)), "at least 512 are needed"),
    ],
)
def test_what_cannot_be_separated_is_one_clear_error(run_folder, audio, message):
    with pytest.raises(UserError, match=message):
        load(run_folder, "cpu")(audio, RATE)


@pytest.mark.parametrize("rate", [0, -5, float("nan"), float("inf"), 3, 22050.5, "16000", None])
def test_a_sample_rate_that_is_none_is_refused(run_folder, rate):
    with pytest.raises(UserError, match=f"sample_rate is {rate!r}, expected a whole number"):
        load(run_folder, "cpu")(mixture(), rate)


@pytest.mark.filterwarnings("error")
def test_half_precision_is_taken(run_folder):
    separator, mix = load(run_folder, "cpu"), mixture().astype(np.float16)
    for name, sound in separator(mix, RATE).items():
        assert np.array_equal(sound, separator(mix.astype(np.float32), RATE)[name])


def test_numbers_of_other_libraries_are_taken(run_folder):
    separator, mix = load(run_folder, "cpu"), torch.from_numpy(mixture()).bfloat16()
    expected = separator(mix.float(), RATE)
    for rate in (float(RATE), np.int16(RATE), torch.tensor(RATE)):
        for name, sound in separator(mix, rate).items():
            assert sound.dtype == torch.float32 and torch.equal(sound, expected[name])


def test_what_cannot_be_loaded_is_one_clear_error(run_folder, tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        load(tmp_path / "nowhere", "cpu")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"empty/config.yml"):
        load(tmp_path / "empty", "cpu")
    shutil.copytree(run_folder, tmp_path / "run", ignore=shutil.ignore_patterns("*.pth"))
    plain = yaml.safe_load((tmp_path / "run/config.yml").read_text())
    plain["info"]["output_folder"] = str(tmp_path / "run")
    write(tmp_path / "run/config.yml", plain)
    with pytest.raises(UserError, match="no such checkpoint"):
        load(tmp_path / "run", "cpu")
