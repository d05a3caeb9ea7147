"""Mistakes in classes of one's own are one message each, before training."""

import pytest
import torch
import yaml
from trainings import fit, write

import config
import experiment
from compat import nussl
from dataset import DATASETS, StemDataset
from dataset.tracks import Track
from errors import UserError
from training import LOSSES, TRAINERS, Trainer

torch.set_num_threads(1)


def refusal(path, **changes):
    """The message by which an experiment is refused; changes: of sections, {section: {key: ..}}."""
    plain = yaml.safe_load(path.read_text())
    plain["signal"] = {"window_length": 256, "hop_length": 64}
    for section, change in changes.items():
        plain[section] = {**plain[section], **change}
    settings = config.load(write(path, plain))
    with pytest.raises((UserError, config.ConfigError)) as caught:
        experiment.check(settings)
        experiment.build_trainer(settings)
    return str(caught.value)


class Loss(torch.nn.Module):
    DEFAULT_KEYS = {"estimates": "estimates", "source_magnitudes": "targets"}

    def forward(self, estimates, targets):
        return (estimates - targets).abs().mean()


class NotInitialised(Loss):
    def __init__(self):
        self.power = 1


class Complex(Loss):
    def forward(self, estimates, targets):
        return torch.fft.fft(estimates - targets).mean()


class ItemsForSources(Loss):
    def forward(self, estimates, targets):
        return (estimates.mean((1, 2, 3)).sum(dim=1) - targets.mean((1, 2, 3))).abs().mean()


class NoModule:
    DEFAULT_KEYS = Loss.DEFAULT_KEYS

    def forward(self, estimates, targets):
        return (estimates - targets).abs().mean()


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (NotInitialised, "NotInitialised.__init__ has to call super().__init__() first"),
        (
            Complex,
            "train.loss.own: returns a complex tensor (); it has to return a tensor with one",
        ),
        (ItemsForSources, "the model, the losses and the data do not fit"),
        (NoModule, "train.loss.own: Own is not a torch.nn.Module"),
    ],
)
def test_a_loss(write_config, monkeypatch, loss, message):
    monkeypatch.setitem(LOSSES, "Own", loss)
    path = write_config(builder="mask_inference", loss={"own": {"class": "Own"}})
    assert message in (found := refusal(path)) and found.count("\n") == 0


class EarlyTrainer(Trainer):
    def __init__(self, setup):
        self.setup = setup


class NoTerms(Trainer):
    def compute_losses(self, outputs, features):
        return super().compute_losses(outputs, features)[0]


class EarlyPart(Trainer):
    def __init__(self, setup):
        self.part = self.register("part", torch.nn.Linear(1, 1))
        super().__init__(setup)


class PlainPart(Trainer):
    def __init__(self, setup):
        super().__init__(setup)
        self.counts = self.register("counts", {"steps": 0})


class NoOptimizer(Trainer):
    def build_optimizer(self):
        super().build_optimizer()


class NumberForScheduler(Trainer):
    def build_scheduler(self):
        return 0.9


class NoOutputs(Trainer):
    def forward(self, features, network):
        super().forward(features, network)


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        (EarlyPart, "EarlyPart.__init__ registers 'part' before it calls super().__init__(setup)"),
        (PlainPart, "the 'counts' of PlainPart is a dict; what is registered has to have"),
        (NoOptimizer, "the 'optimizer' of NoOptimizer is a NoneType; what is registered has to"),
        (NumberForScheduler, "build_scheduler returns a float; it has to return a scheduler"),
        (EarlyTrainer, "EarlyTrainer.__init__ has to call super().__init__(setup)"),
        (NoTerms, "NoTerms.compute_losses returns a Tensor; it has to return two things"),
    ],
)
def test_a_trainer(write_config, monkeypatch, trainer, message):
    monkeypatch.setitem(TRAINERS, "Own", trainer)
    assert message in refusal(write_config(), train={"class": "Own"})


@pytest.mark.parametrize("builder", ["deep_clustering", "mask_inference"])
def test_a_forward_that_returns_nothing(write_config, monkeypatch, builder):
    monkeypatch.setitem(TRAINERS, "Own", NoOutputs)
    with pytest.raises(UserError, match="NoOutputs.forward returns a NoneType; it has to return"):
        fit(write_config(builder=builder, **{"class": "Own"}))


class EarlyDataset(StemDataset):
    def __init__(self, folder, split, sample_rate, num_channels, stft_params):
        self.split = split


class Paths(StemDataset):
    def list_tracks(self, folder):
        return [folder / "a.wav"]


class OneFile(StemDataset):
    def list_tracks(self, folder):
        return (Track(name, {"voice": folder / f"{name}.wav"}) for name in "ab")


class ListsNothing(StemDataset):
    pass


class NoStems(StemDataset):
    def list_tracks(self, folder):
        return [Track("a", {})]


class NoFiles(StemDataset):
    def list_tracks(self, folder):
        return [Track("a", {"voice": [], "music": [folder / "a.wav"]})]


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (ListsNothing, "ListsNothing lists no tracks; give it a method list_tracks(folder)"),
        (NoStems, "NoStems.list_tracks gives the track 'a' no stems, or a stem without files"),
        (NoFiles, "NoFiles.list_tracks gives the track 'a' no stems, or a stem without files"),
        (EarlyDataset, "datasets.train: EarlyDataset.__init__ has to call super().__init__"),
        (Paths, "Paths.list_tracks returns a PosixPath"),
        (
            OneFile,
            "gives the track 'a' a stem that is not a list of files; it has to return",
        ),
    ],
)
def test_a_dataset(write_config, monkeypatch, tmp_path, dataset, message):
    monkeypatch.setitem(DATASETS, "Own", dataset)
    own = {"class": "Own", "args": {"folder": str(tmp_path)}}
    assert message in refusal(write_config(), datasets={"train": own})


class ReturnsNothing(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 2)

    def forward(self, data):
        self.layer(data.unsqueeze(-1))


class EarlyModule(torch.nn.Module):
    def __init__(self):
        self.sources = 2

    def forward(self, data):
        return data.unsqueeze(-1).expand(*data.shape, self.sources)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (ReturnsNothing, "(forward returns None; in the module own, ReturnsNothing)"),
        (EarlyModule, "model: cannot be built: EarlyModule.__init__ has to call super().__init__"),
    ],
)
def test_a_module(write_config, monkeypatch, module, message):
    monkeypatch.setattr(nussl.ml.networks.modules, module.__name__, module, raising=False)
    path = write_config(
        loss={
            "l1": {"class": "L1Loss", "keys": {"own": "estimates", "source_magnitudes": "targets"}}
        }
    )
    plain = yaml.safe_load(path.read_text())
    plain["model"] = {
        "name": "graph",
        "modules": {"mix_magnitude": {}, "own": {"class": module.__name__}},
        "connections": [["own", ["mix_magnitude"]]],
        "output": ["own"],
    }
    assert message in refusal(write(path, plain))
