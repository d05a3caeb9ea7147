"""Networks of other packages, by their dotted path: trained, separated with, refused."""

import json
import sys

import pytest
import torch
import yaml
from trainings import fit, write

import checkpoints
import config
import experiment
from config import ConfigError
from errors import UserError
from model.extras import external

PACKAGE = '''
"""A package of networks that this project does not know."""
import torch
from torch import nn

class Net(nn.Module):
    """(batch, channels, samples) -> (batch, sources, channels, samples)"""
    def __init__(self, channels: int, sources: int = 2, width: int = 8):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(channels, width, 9, padding=4), nn.Tanh(),
            nn.Conv1d(width, channels * sources, 9, padding=4),
        )
        self.sources = sources

    def forward(self, audio):
        return self.layers(audio).unflatten(1, (self.sources, -1))

class Turned(Net):
    """(samples, batch) -> (sources, batch, samples), 100 samples short"""
    def forward(self, audio):
        return super().forward(audio.T[:, None])[:, :, 0, 100:].transpose(0, 1)

class Losing(Net):
    """With sources: (batch, sources, channels, samples), the mean square of what is wrong."""
    def forward(self, audio, truth=None):
        out = super().forward(audio)
        return out if truth is None else (out - truth).square().mean()

class Turning(Turned):
    """With sources, (sources, batch, samples)"""
    def forward(self, audio, truth=None):
        out = super().forward(audio)
        return out if truth is None else (out - truth[..., 100:]).square().mean()

class Returning(Net):
    def forward(self, audio, truth=None):
        return super().forward(audio)

class Short(Net):
    """(batch, sources, channels, kept)"""
    def __init__(self, kept: int):
        super().__init__(1)
        self.kept = kept

    def forward(self, audio):
        return super().forward(audio)[..., : self.kept]

class Asserting(Net):
    """Takes stereo alone."""
    def __init__(self, said: str | None = None, at_once: bool = False):
        super().__init__(1)
        self.said = said
        assert not at_once, "no such depth"

    def forward(self, audio):
        if self.said is None:
            assert audio.shape[1] == 2
        assert audio.shape[1] == 2, self.said

class Nothing(nn.Module):
    def forward(self, audio):
        return torch.stack([audio, audio], dim=1)

def function():
    pass
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that is on the path, by a name that only this test has: its name."""
    name = f"networks_of_{abs(hash(tmp_path)) % 10**9}"
    (tmp_path / f"{name}.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(external, "_allowed", set())
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def write_model(write_config):
    """A function that writes a training run of `model`: (path of the file)."""

    def write_one(model, name="small", loss=None, **train):
        loss = loss or {"si_sdr": {"class": "SISDRLoss", "args": {"permutation_invariant": False}}}
        path = write_config(name, builder="conv_tasnet", loss=loss, **train)
        plain = yaml.safe_load(path.read_text())
        plain |= {"model": model, "algorithm": {"class": "DeepAudioEstimation"}}
        return write(path, plain)

    return write_one


def problems(path):
    with pytest.raises(ConfigError) as caught:
        experiment.check(config.load(path))
    return str(caught.value)


def separated(path):
    settings = config.load(path)
    item = experiment.build_dataset(settings, "val")[0]
    return item["mix"], experiment.separate_item(experiment.build_separator(settings, "cpu"), item)


@pytest.mark.parametrize(
    "name, args, axes",
    [
        ("Net", {"channels": 1}, {}),
        ("Net", {"channels": 1, "width": 4}, {"output": "batch sources channels samples"}),
        ("Turned", {"channels": 1}, {"input": "samples batch", "output": "sources batch samples"}),
    ],
)
def test_a_network_of_any_package_trains_resumes_and_separates(
    package, write_model, name, args, axes
):
    model = {"module": f"{package}.{name}", "args": args, **axes}
    path = write_model(model, epochs=2)
    experiment.check(config.load(path))
    trainer = fit(path)
    losses = [row["train_loss"] for row in trainer.history.rows]
    assert losses[1] < losses[0]
    path = write_model(model, epochs=3)
    assert len(fit(path).history.rows) == 3
    mix, result = separated(path)
    assert len(result.estimates) == 2
    together = sum(estimate.audio_data for estimate in result.estimates)
    assert together.shape == mix.audio_data.shape
    assert abs(together - mix.audio_data).max() < 1e-4


AXES = {"input": "samples batch", "output": "sources batch samples"}
OWN = {"own": {"class": "ModelLoss"}}


@pytest.mark.parametrize("name, axes", [("Losing", {}), ("Turning", AXES)])
def test_the_loss_of_a_networks_own_forward_trains_it(package, write_model, name, axes):
    model = {"module": f"{package}.{name}", "args": {"channels": 1}, "target": "truth", **axes}
    path = write_model(model, loss=OWN, epochs=3)
    experiment.check(config.load(path))
    trainer = experiment.build_trainer(config.load(path))
    batch = trainer.front_end(next(iter(trainer.plan.validation_batches())))
    estimates = trainer.model.eval()({"mix_audio": batch["mix_audio"]})["audio"]
    lost = 100 if axes else 0  # samples at the beginning, which are missing at the end
    length = estimates.shape[2] - lost
    wrong = estimates[:, :, :length] - batch["source_audio"][:, :, lost:]
    total, terms = trainer.compute_losses(trainer.forward(batch, trainer.model), batch)
    assert torch.allclose(total, wrong.square().mean(), rtol=1e-5) and [*terms] == ["own"]
    rows = fit(path).history.rows
    assert rows[2]["train_own"] == rows[2]["train_loss"] < rows[0]["train_loss"]
    assert rows[2]["val_loss"] < rows[0]["val_loss"]
    mix, result = separated(path)
    assert len(result.estimates) == 2
    assert result.estimates[0].audio_data.shape == mix.audio_data.shape


@pytest.mark.parametrize(
    "model, loss, message",
    [
        ({"target": "truht"}, OWN, "model.target: is 'truht', no argument of Losing.forward"),
        ({}, OWN, "train.loss.own: a ModelLoss needs a model.target"),
        (
            {"target": "truth"},
            {**OWN, "si_sdr": {"class": "SISDRLoss"}},
            "train.loss.own: a ModelLoss needs a model.target, and is the only loss",
        ),
        (
            {"module": None, "builder": "conv_tasnet", "args": {}, "target": "truth"},
            OWN,
            "model.target: is only valid with 'module'",
        ),
    ],
)
def test_a_loss_that_no_network_has_is_one_clear_error(package, write_model, model, loss, message):
    model = {"module": f"{package}.Losing", "args": {"channels": 1}, **model}
    model = {key: value for key, value in model.items() if value is not None}
    assert message in problems(write_model(model, loss=loss))


def test_a_network_that_returns_no_loss_is_refused_before_the_first_step(package, write_model):
    model = {"module": f"{package}.Returning", "args": {"channels": 1}, "target": "truth"}
    with pytest.raises(UserError, match="given the sources as truth, returns shape .* and no loss"):
        fit(write_model(model, loss=OWN))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"module": "no_such_package.Net"}, "model.module: cannot be used: no_such_package cannot"),
        ({"module": "{}.Nett"}, "has no Nett"),
        ({"module": "{}.function"}, "has a function that is no torch.nn.Module"),
        ({"module": "Net"}, "'Net' is no dotted path of a class"),
        ({"module": "{}.Nothing", "args": {}}, "model: has no parameters; there is nothing to tr"),
        ({"module": "{}.Asserting", "args": {"at_once": True}}, "cannot be built: no such depth"),
        ({"args": {"channels": 1, "depth": 3}}, "Net has no argument 'depth'"),
        ({"args": {}}, "Net needs the argument 'channels'"),
        ({"output": "batch stems samples"}, "'batch stems samples' does not name the axes batch"),
        ({"input": "batch batch samples"}, "'batch batch samples' does not name the axes"),
        ({"output": ["audio"]}, "model.output: must name the axes of a module's output"),
        ({"builder": "chimera"}, "has both a 'builder' and a 'module'; keep one"),
        ({"modules": {"mix_audio": {}}}, "has both a 'module' and a graph (modules); keep one"),
    ],
)
def test_what_makes_no_network_is_one_clear_error(package, write_model, changes, message):
    model = {"module": f"{package}.Net", "args": {"channels": 1}, **changes}
    model["module"] = model["module"].format(package)
    assert message in problems(write_model(model))


def test_an_input_goes_with_a_module_only(write_model):
    model = {"builder": "conv_tasnet", "input": "batch samples"}
    assert "model.input: is only valid with 'module'" in problems(write_model(model))


@pytest.mark.parametrize(
    "output, message",
    [
        ("batch sources samples", r"gives shape .*, which is not model.output 'batch sources samp"),
        ("batch channels sources samples", "gives 2 channels of .* samples for 1 of"),
        ("batch sources samples channels", "are the axes of model.input and model.output right"),
    ],
)
def test_other_axes_than_the_networks_are_refused_before_the_first_step(
    package, write_model, output, message
):
    model = {"module": f"{package}.Net", "args": {"channels": 1}, "output": output}
    with pytest.raises(UserError, match=message):
        fit(write_model(model))


@pytest.mark.parametrize("kept", [0, 2, 1800])
def test_most_of_an_excerpt_is_never_padding(package, write_model, kept):
    path = write_model({"module": f"{package}.Short", "args": {"kept": kept}})
    with pytest.raises(UserError, match=f"gives 1 channels of {kept} samples for 1 of 3.*axes"):
        fit(path)


@pytest.mark.parametrize("said, shown", [("stereo alone", "stereo alone"), (None, "Assertion")])
def test_an_assertion_of_a_network_is_one_clear_error(package, write_model, said, shown):
    path = write_model({"module": f"{package}.Asserting", "args": {"said": said}})
    with pytest.raises(UserError, match=rf"the data do not fit \({shown}"):
        fit(path)


def test_a_recording_as_short_as_the_frames_of_a_network_is_separated(package):
    external.allow(f"{package}.Short")
    network = external.ExternalNetwork(f"{package}.Short", {"kept": 2}).eval()
    assert network(torch.zeros(1, 1, 50)).shape == (1, 1, 50, 2)


def test_a_checkpoint_alone_has_nothing_imported(package, write_model, tmp_path):
    path = write_model({"module": f"{package}.Net", "args": {"channels": 1}}, epochs=1)
    best = fit(path).best
    del sys.modules[package]
    external._allowed.clear()
    checkpoints._load_model.cache_clear()
    with pytest.raises(UserError, match=f"{best}: its network is {package}.Net; a file that"):
        checkpoints.load_model(best)
    assert package not in sys.modules
    plain = yaml.safe_load(path.read_text())
    alone = {key: plain[key] for key in ("info", "datasets", "algorithm")}
    with pytest.raises(UserError, match="a file that names it has it imported"):
        separated(write(tmp_path / "alone.yml", alone))
    assert package not in sys.modules
    assert len(separated(path)[1].estimates) == 2


def test_another_version_of_the_package_is_refused(package, write_model, monkeypatch):
    monkeypatch.setattr(external, "package_of", lambda path: ("networks", "1.0"))
    monkeypatch.setattr("model.external.package_of", lambda path: ("networks", "1.0"))
    path = write_model({"module": f"{package}.Net", "args": {"channels": 1}}, epochs=1)
    best = fit(path).best
    assert len(separated(path)[1].estimates) == 2
    monkeypatch.setattr(external, "package_of", lambda path: ("networks", "2.0"))
    checkpoints._load_model.cache_clear()
    with pytest.raises(UserError) as caught:
        checkpoints.load_model(best)
    assert str(caught.value) == (
        f"{best}: its network was made by networks 1.0, and 2.0 is installed; "
        "pip install networks==1.0"
    )


def test_the_version_is_that_of_the_installed_package():
    assert external.package_of("yaml.Loader") == ("PyYAML", yaml.__version__)
    assert external.package_of("experiment.check") == (None, None)


# networks of real packages, where they are installed

REAL = {
    "bs_roformer.BSRoformer": {
        "dim": 16,
        "depth": 1,
        "num_stems": 2,
        "heads": 2,
        "dim_head": 8,
        "time_transformer_depth": 1,
        "freq_transformer_depth": 1,
        "flash_attn": False,
    },
    "bs_roformer.MelBandRoformer": {
        "dim": 16,
        "depth": 1,
        "num_stems": 2,
        "heads": 2,
        "dim_head": 8,
        "time_transformer_depth": 1,
        "freq_transformer_depth": 1,
        "sample_rate": 16000,
        "flash_attn": False,
    },
    "demucs.htdemucs.HTDemucs": {
        "sources": ["accompaniment", "vocals"],
        "audio_channels": 1,
        "samplerate": 16000,
        "channels": 8,
        "segment": 2,
        "t_layers": 1,
        "bottom_channels": 0,
        "use_train_segment": False,
    },
    "asteroid.models.ConvTasNet": {"n_src": 2, "n_filters": 16, "n_blocks": 1, "n_repeats": 1}
    | {"bn_chan": 8, "hid_chan": 8, "skip_chan": 8},
}


@pytest.mark.parametrize("path", REAL)
def test_a_network_of_a_real_package_trains_a_step_and_separates(path, write_model):
    pytest.importorskip(path.partition(".")[0])
    model = {"module": path, "args": REAL[path]}
    if path.startswith("asteroid"):
        model["output"] = "batch sources samples"
    file = write_model(model, epochs=1, segment=1.0, excerpts_per_epoch=2, validation_excerpts=2)
    experiment.check(config.load(file))
    trainer = fit(file)
    assert trainer.history.rows[0]["train_gradient_norm"] > 0
    content = torch.load(trainer.best, weights_only=True)
    audio = json.dumps(content["metadata"]["config"]["modules"]["audio"]["args"])
    assert path in audio and external.package_of(path)[1] in audio
    assert len(separated(file)[1].estimates) == 2


def test_the_loss_of_bs_roformer_trains_it(write_model):
    path = "bs_roformer.BSRoformer"
    pytest.importorskip("bs_roformer")
    model = {"module": path, "args": REAL[path], "target": "target"}
    few = {"segment": 1.0, "excerpts_per_epoch": 2, "validation_excerpts": 2}
    row = fit(write_model(model, loss=OWN, epochs=1, **few)).history.rows[0]
    assert row["train_own"] > 0 and row["train_gradient_norm"] > 0
