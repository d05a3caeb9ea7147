"""Checkpoints: whole files, and nothing in them that runs."""

import errno
import json
import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

import checkpoints
from algorithms import DeepAudioEstimation, DeepClustering, DeepMaskEstimation
from compat import nussl
from errors import UserError
from files import PROJECT

PARAMS = nussl.STFTParams(64, 16, "sqrt_hann")
METADATA = {"stft_params": PARAMS, "sample_rate": 8000, "num_channels": 1}
STATE = {
    "step": 7,
    "weights": torch.arange(5.0),
    "best": {"loss": 0.25, "names": ["a", "b"]},
    "nothing": None,
}


def tiny_model(seed=0):
    torch.manual_seed(seed)
    return nussl.ml.SeparationModel(
        nussl.ml.networks.builders.build_recurrent_dpcl(
            num_features=33,
            hidden_size=4,
            num_layers=1,
            bidirectional=False,
            dropout=0.0,
            embedding_size=3,
            embedding_activation=["unit_norm"],
        )
    )


@pytest.fixture
def model_path(tmp_path):
    checkpoints.save_model(tmp_path / "best.model.pth", tiny_model(), METADATA)
    return tmp_path / "best.model.pth"


def refusal(path, load=checkpoints.load):
    with pytest.raises(UserError) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def test_a_state_comes_back_as_it_was_saved(tmp_path):
    checkpoints.save(tmp_path / "runs" / "latest.pth", STATE)
    state = checkpoints.load(tmp_path / "runs" / "latest.pth")
    assert torch.equal(state.pop("weights"), STATE["weights"])
    assert state == {key: value for key, value in STATE.items() if key != "weights"}


def test_a_save_that_fails_leaves_the_old_state_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "latest.pth"
    checkpoints.save(path, STATE)
    before = path.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="latest.pth: cannot be written .No space left on device"):
        checkpoints.save(path, {"step": 8})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["latest.pth"]


def test_a_model_that_cannot_be_saved_leaves_the_old_one(model_path):
    before = model_path.read_bytes()

    class Broken:
        def save(self, file, metadata):
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoints.save_model(model_path, Broken(), METADATA)
    assert model_path.read_bytes() == before
    assert os.listdir(model_path.parent) == ["best.model.pth"]


def test_a_model_comes_back_with_its_weights_and_metadata_ready_to_use(model_path):
    model, metadata = checkpoints.load_model(model_path)
    assert not model.training
    assert metadata["stft_params"] == PARAMS
    assert (metadata["sample_rate"], metadata["num_channels"]) == (8000, 1)
    expected = tiny_model().state_dict()
    assert model.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())
    magnitude = torch.rand(2, 10, 33, 1)
    with torch.inference_mode():
        assert torch.equal(
            model({"mix_magnitude": magnitude})["embedding"],
            tiny_model().eval()({"mix_magnitude": magnitude})["embedding"],
        )


def test_a_model_that_is_written_again_is_read_again(model_path):
    before, _ = checkpoints.load_model(model_path)
    assert checkpoints.load_model(model_path)[0] is before
    model, metadata = tiny_model(), checkpoints.load(model_path)["metadata"]
    for weights in model.parameters():
        torch.nn.init.ones_(weights)
    checkpoints.save_model(model_path, model, metadata)
    after, _ = checkpoints.load_model(model_path)
    assert all((weights == 1).all() for weights in after.parameters())


def test_a_model_file_is_read_once_and_gives_what_nussl_reads(model_path, monkeypatch):
    expected, described = nussl.ml.SeparationModel.load(str(model_path))
    read, calls = torch.load, []

    def counted(*args, **kwargs):
        calls.append(args)
        return read(*args, **kwargs)

    monkeypatch.setattr(torch, "load", counted)
    model, metadata = checkpoints.load_model(model_path)
    assert len(calls) == 1
    assert {key: metadata[key] for key in described} == described
    assert str(model) == str(expected)


def test_weights_that_are_not_finite_are_reported(model_path):
    def spoil(content):
        content["state_dict"]["layers.embedding.linear.bias"][0] = float("nan")

    assert "weights that are NaN or infinite" in altered(model_path, spoil)


def test_it_needs_nothing_else_to_have_been_imported():
    """As documented: the shipped model, whose modules are ours."""
    code = "import checkpoints; checkpoints.load_model('best_model/checkpoints/best.model.pth')"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)


# what cannot be loaded


def test_a_missing_file_is_reported_with_what_would_make_it(tmp_path):
    assert "no such checkpoint; train the model" in refusal(tmp_path / "best.model.pth")


def test_a_folder_is_reported(tmp_path):
    assert "is a folder where a checkpoint file is expected" in refusal(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"this is a text\n",
        "naïve: ein Text ü".encode(),
        b"info:\n  name: dpcl\n",
        b"PK\x03\x04 not a zip",
        b"{}",
        b"\x80\x02",
        b"\x80\x05K\x01",
        b".",
        b"hello.",
        b"\xff" * 100,
        np.random.default_rng(0).bytes(4096),
    ],
    ids=range(13),
)
def test_what_is_no_checkpoint_is_reported(tmp_path, content):
    path = tmp_path / "best.model.pth"
    path.write_bytes(content)
    assert "no checkpoint" in (text := refusal(path)) or "is not a checkpoint" in text
    assert "checkpoint" in refusal(path, checkpoints.load_model)


def test_a_zip_file_that_is_none_is_reported(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("readme.txt", "hello")
    assert "is not a checkpoint, or is cut short" in refusal(tmp_path / "a.zip")


def test_a_reason_that_is_a_number_alone_is_reported_with_its_kind(tmp_path):
    (tmp_path / "a.pth").write_text("hello")
    assert "cut short (KeyError 101)" in refusal(tmp_path / "a.pth")


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.75, 0.95, 0.999])
def test_a_file_cut_short_is_reported(model_path, share):
    os.truncate(model_path, int(share * model_path.stat().st_size))
    assert "is cut short" in refusal(model_path)
    assert "is cut short" in refusal(model_path, checkpoints.load_model)


def test_a_damaged_file_is_reported_or_read_but_never_a_traceback(tmp_path):
    checkpoints.save(tmp_path / "good.pth", STATE)
    good = (tmp_path / "good.pth").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for number in range(150):
        damaged = bytearray(good)
        first = int(rng.integers(len(good) - 8))
        damaged[first : first + 8] = rng.bytes(8)
        path = tmp_path / f"{number}.pth"
        path.write_bytes(damaged)
        try:
            checkpoints.load(path)
        except UserError:
            refused += 1
    assert refused > 0


class Bomb:
    """What a hostile pickle does: call a function of its choice on being loaded."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return open, (self.mark, "w")


@pytest.mark.parametrize("load", [checkpoints.load, checkpoints.load_model])
@pytest.mark.parametrize("way", ["torch", "torch, old", "pickle", "among weights"])
def test_a_file_that_would_run_code_is_refused_and_does_not_run(tmp_path, way, load):
    mark, path = tmp_path / "it ran", tmp_path / "hostile.pth"
    content = {"state_dict": {}, "metadata": {}, "config": Bomb(mark)}
    if way == "pickle":
        path.write_bytes(pickle.dumps(content))
    elif way == "among weights":
        torch.save({"state_dict": {"w": torch.zeros(3), "x": Bomb(mark)}, "metadata": {}}, path)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=way == "torch")
    text = refusal(path, load)
    assert "refused, it holds more than weights and plain data" in text
    assert not mark.exists()


# what holds no model


def test_the_state_of_a_training_is_no_model(tmp_path):
    checkpoints.save(tmp_path / "latest.pth", STATE)
    text = refusal(tmp_path / "latest.pth", checkpoints.load_model)
    assert "holds no model (found: step, weights, best, nothing); give the *.model.pth" in text


@pytest.mark.parametrize("content", [torch.zeros(3), [1, 2], {"state_dict": {}}, 7])
def test_other_data_is_no_model(tmp_path, content):
    checkpoints.save(tmp_path / "x.pth", content)
    assert "holds no model (found: " in refusal(tmp_path / "x.pth", checkpoints.load_model)


def altered(path, change):
    content = checkpoints.load(path)
    change(content)
    torch.save(content, path)
    return refusal(path, checkpoints.load_model)


def test_a_model_of_modules_that_are_not_here_is_reported(model_path):
    def unknown(content):
        graph = json.loads(content["config"])
        next(m for m in graph["modules"].values() if "class" in m)["class"] = "TheirOwnModule"
        content["config"] = json.dumps(graph)

    text = altered(model_path, unknown)
    assert "TheirOwnModule" in text
    assert "needs modules of model/extras/" in text


def test_weights_that_do_not_fit_the_graph_are_reported(model_path):
    def other(content):
        name = next(iter(content["state_dict"]))
        content["state_dict"][name] = torch.zeros(1, 2, 3)

    assert "its weights and its description do not fit" in altered(model_path, other)


@pytest.mark.parametrize("key", ["state_dict", "metadata", "config"])
def test_a_model_with_something_else_in_a_part_of_it_is_reported(model_path, key):
    def spoil(content):
        content[key] = 7

    assert "cannot be built" in altered(model_path, spoil)


@pytest.mark.parametrize("key", ["nussl_version", "sample_rate", "num_channels", "stft_params"])
def test_a_model_that_lacks_a_part_of_its_description_is_reported(model_path, key):
    assert key in altered(model_path, lambda content: content["metadata"].pop(key))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sample_rate", 0),
        ("num_channels", -1),
        ("labels", 3),
        ("labels", ["vocals", 1]),
        ("labels", ["vocals", "vocals"]),
        ("level_db", "-20"),
        ("level_db", {"mean": -20.0}),
        ("level_db", {"mean": float("nan"), "std": 1.0}),
        ("level_db", {"mean": -20.0, "std": -1.0}),
    ],
)
def test_metadata_that_separation_cannot_work_with_is_reported(model_path, key, value):
    text = altered(model_path, lambda content: content["metadata"].update({key: value}))
    assert f"{key} in its metadata is {value!r}, not " in text


def test_a_model_of_another_kind_is_reported_with_the_algorithm_for_it(model_path):
    given = checkpoints.load_model(model_path)[0].output_keys
    ours = [DeepAudioEstimation, DeepClustering, DeepMaskEstimation]
    kind = next(one for one in ours if one.output_key in given)
    other = next(one for one in ours if one.output_key not in given)
    kind.load(model_path, "cpu")
    message = f"{other.__name__} needs; the algorithm for it is {kind.__name__}"
    with pytest.raises(UserError, match=message):
        other.load(model_path, "cpu")
