"""What users register, a loss or an optimizer or a module, is checked like everything else."""

from types import SimpleNamespace

import pytest
import torch
import yaml
from trainings import fit, trainer_of

import config
import experiment
from compat import nussl
from errors import UserError
from model.causal import check_causal
from model.extras import EXTRAS, register
from training import LOSSES, OPTIMIZERS, TRAINERS, Trainer
from training.trunk import TrunkAndHeads

torch.set_num_threads(1)


class Plain(torch.nn.Module):
    """A loss of one's own without DEFAULT_KEYS, that needs a number."""

    def forward(self, estimates, source_magnitudes):
        difference = (estimates - source_magnitudes).abs().mean()
        return difference if difference.item() >= 0 else -difference


KEYS = {"estimates": "estimates", "source_magnitudes": "source_magnitudes"}


@pytest.fixture
def with_loss(write_config, monkeypatch):
    """A function that writes a training run with a loss of one's own."""
    monkeypatch.setitem(LOSSES, "Plain", Plain)
    return lambda **loss: write_config(
        builder="mask_inference", epochs=1, loss={"plain": {"class": "Plain", **loss}}
    )


def test_a_loss_without_default_keys_is_asked_for_its_keys(with_loss):
    with pytest.raises(config.ConfigError, match="loss.plain: Plain has no DEFAULT_KEYS; say"):
        experiment.check(config.load(with_loss()))


def test_a_loss_that_needs_numbers_trains_and_sees_whole_batches(with_loss, monkeypatch):
    sizes = []
    forward = Plain.forward

    def noted(self, estimates, source_magnitudes):
        sizes.append(len(estimates))
        return forward(self, estimates, source_magnitudes)

    monkeypatch.setattr(Plain, "forward", noted)
    settings = config.load(with_loss(keys=KEYS))
    experiment.check(settings)
    trainer = experiment.build_trainer(settings)
    assert trainer.trunk_and_heads is None  # which would show it one excerpt at a time
    sizes.clear()
    trainer.fit()
    assert sizes == [4, 4, 4, 4, 2]  # two steps, then the ten excerpts of the validation


def test_an_optimizer_of_your_own_is_the_one_that_trains(write_config, monkeypatch):
    class Careful(torch.optim.SGD):
        def __init__(self, params, rate: float):
            super().__init__(params, lr=rate)

    monkeypatch.setitem(OPTIMIZERS, "Careful", Careful)
    path = write_config(optimizer={"class": "Careful", "args": {"rate": 0.01}}, scheduler=None)
    experiment.check(config.load(path))
    assert isinstance(experiment.build_trainer(config.load(path)).optimizer, Careful)
    path = write_config(optimizer={"class": "Careful", "args": {"raet": 0.01}}, scheduler=None)
    with pytest.raises(config.ConfigError, match="optimizer.args.raet: .* did you mean 'rate'"):
        experiment.check(config.load(path))


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"class": "RecurrentStak"},
            "modules.stack.class: there is no 'RecurrentStak'; did you mean 'RecurrentStack'",
        ),
        (
            {"class": "Linear", "args": {"in_feature": 3}},
            "modules.stack.args.in_feature: Linear has no argument 'in_feature'; did you mean 'in",
        ),
        (
            {"class": "Embedding", "args": {"num_features": 33}},
            "modules.stack.args: Embedding needs the argument 'activation'; add it",
        ),
    ],
)
def test_modules_of_a_graph_are_checked_like_everything_else(write_config, change, message):
    path = write_config()
    plain = yaml.safe_load(path.read_text())
    plain["model"] = {
        "name": "graph",
        "modules": {"mix_magnitude": {}, "stack": change},
        "connections": [["stack", ["mix_magnitude"]]],
        "output": ["stack"],
    }
    path.write_text(yaml.safe_dump(plain))
    with pytest.raises(config.ConfigError) as problems:
        experiment.check(config.load(path))
    line = 1 + path.read_text().splitlines().index("    stack:")
    assert message in str(problems.value)
    assert line < int(str(problems.value).split(":")[1]) <= line + 4


class OneNumber(torch.nn.Module):
    """A loss whose `forward` a test replaces."""

    DEFAULT_KEYS = KEYS

    def forward(self, estimates, source_magnitudes):
        return (estimates - source_magnitudes).abs().mean()


def l1(estimates, source_magnitudes):
    return (estimates - source_magnitudes).abs()


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda a, b: float(l1(a, b).mean().item()), "train.loss.x: returns a float; it has to"),
        (lambda a, b: l1(a, b).mean(dim=(1, 2, 3, 4)), "train.loss.x: returns a tensor (3,)"),
        (lambda a, b: (l1(a, b).mean(), 1), "train.loss.x: returns a tuple"),
        (lambda a, b: None, "train.loss.x: returns a NoneType"),
        (lambda a, b: l1(a, b).mean().detach(), "train.loss: has no gradient"),
        (lambda a, b: torch.tensor(l1(a, b).detach().numpy()).mean(), "train.loss: has no"),
    ],
    ids=["item", "an item each", "tuple", "nothing", "detached", "numpy"],
)
def test_a_loss_that_returns_no_number_with_a_gradient_is_one_clear_error(
    write_config, monkeypatch, returned, message
):
    def forward(self, estimates, source_magnitudes):
        return returned(estimates, source_magnitudes)

    monkeypatch.setitem(LOSSES, "OneNumber", OneNumber)
    monkeypatch.setattr(OneNumber, "forward", forward)
    settings = config.load(
        write_config(builder="mask_inference", epochs=1, loss={"x": {"class": "OneNumber"}})
    )
    experiment.check(settings)
    with pytest.raises(UserError) as error:
        experiment.build_trainer(settings)
    assert message in str(error.value)


def test_a_key_for_an_argument_that_a_loss_does_not_take_is_refused(with_loss):
    keys = {"estimates": "estimate", "source_magnitudes": "source_magnitudes"}
    with pytest.raises(config.ConfigError, match="Plain takes no 'estimate'; it takes estimates, "):
        experiment.check(config.load(with_loss(keys=keys)))


@pytest.mark.parametrize(
    ("activation", "known"),
    [("sigmod", False), (["softmax", "x"], False), (3, False), (["sigmoid"], True)],
)
def test_an_activation_that_an_embedding_in_a_graph_would_leave_out_is_refused(
    write_config, tmp_path, activation, known
):
    plain = yaml.safe_load(write_config(builder="mask_inference").read_text())
    args = {"num_features": 129, "hidden_size": 129, "embedding_size": 2}
    embedding = {"class": "Embedding", "args": {**args, "activation": activation}}
    plain["model"] = {
        "name": "graph",
        "modules": {"mix_magnitude": {}, "mask": embedding, "estimates": {"class": "Mask"}},
        "connections": [["mask", ["mix_magnitude"]], ["estimates", ["mask", "mix_magnitude"]]],
        "output": ["mask", "estimates"],
    }
    path = tmp_path / "graph.yml"
    path.write_text(yaml.safe_dump(plain))
    try:
        experiment.check(config.load(path))
        said = ""
    except config.ConfigError as error:
        said = str(error)
    assert ("model.modules.mask.args.activation: cannot be used" not in said) == known
    assert known or "known are sigmoid, tanh" in said


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan", "1.0e+999"])
def test_an_argument_that_is_no_finite_number_is_refused(write_config, value):
    path = write_config(optimizer={"class": "Adam", "args": {"lr": 7.0}})
    path.write_text(path.read_text().replace("lr: 7.0", f"lr: {value}"))
    with pytest.raises(config.ConfigError, match="args.lr: must be a (finite )?number, f"):
        experiment.check(config.load(path))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"
        ),
    ],
)
def test_too_little_memory_is_one_line_that_says_what_to_lower(write_config, error):
    import scripts.common

    def main(_):
        raise error

    with pytest.raises(SystemExit, match=r"error: out of memory \(.+\); .* lower train.batch_size"):
        scripts.common.run(main, "", (), ["-p", str(write_config())])


class Scaled(OneNumber):
    """A loss with a weight of its own."""

    def __init__(self, learnt: bool = True):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()), requires_grad=learnt)

    def forward(self, estimates, source_magnitudes):
        return self.scale * l1(estimates, source_magnitudes).mean()


class Optimized(Trainer):
    """A trainer that trains the weights of a loss too."""

    def build_optimizer(self):
        self.register("loss", self.losses["x"].loss)
        optimizer = super().build_optimizer()
        optimizer.add_param_group({"params": [*self.losses["x"].loss.parameters()]})
        return optimizer


def test_weights_of_a_loss_that_nothing_trains_are_refused(write_config, monkeypatch):
    monkeypatch.setitem(LOSSES, "Scaled", Scaled)
    monkeypatch.setitem(TRAINERS, "Optimized", Optimized)
    common = {"builder": "mask_inference", "epochs": 1}
    loss = {"x": {"class": "Scaled"}}
    with pytest.raises(UserError, match="no part of the model: scale of train.loss.x; they would"):
        fit(write_config(loss=loss, **common))
    fit(write_config(name="fixed", loss={"x": {**loss["x"], "args": {"learnt": False}}}, **common))
    trainer = fit(write_config(name="trained", loss=loss, **common, **{"class": "Optimized"}))
    assert trainer.losses["x"].loss.scale.item() != 1.0


class Mask(torch.nn.Module):
    """A module with the name of one that the built-in networks have."""


def test_a_module_with_the_name_of_a_built_in_one_does_not_replace_it():
    before = vars(nussl.ml.networks.modules).copy()
    with pytest.raises(UserError, match="EXTRAS has 'Mask': Mask; nussl has a module of this name"):
        register({"Mask": Mask})
    with pytest.raises(UserError, match="EXTRAS has 'MyMask': Mask; keys are names of classes"):
        register({"MyMask": Mask})
    assert vars(nussl.ml.networks.modules) == before
    register(EXTRAS)  # again: these are ours


class Listed(torch.nn.Module):
    """A module that hides its layers from torch."""

    def __init__(self):
        super().__init__()
        self.layers = [torch.nn.Linear(129, 129)]

    def forward(self, data):
        return self.layers[0](data.squeeze(-1))


def test_layers_that_a_module_keeps_in_a_list_are_refused(write_config):
    nussl.ml.register_module(Listed)
    path = write_config(builder="mask_inference")
    plain = yaml.safe_load(path.read_text())
    plain["signal"] = {"window_length": 256, "hop_length": 64}
    mask = {"num_features": 129, "hidden_size": 129, "embedding_size": 2, "activation": "sigmoid"}
    plain["model"] = {
        "name": "graph",
        "modules": {
            "mix_magnitude": {},
            "hidden": {"class": "Listed"},
            "mask": {"class": "Embedding", "args": mask},
            "estimates": {"class": "Mask"},
        },
        "connections": [
            ["hidden", ["mix_magnitude"]],
            ["mask", ["hidden"]],
            ["estimates", ["mask", "mix_magnitude"]],
        ],
        "output": ["mask", "estimates"],
    }
    path.write_text(yaml.safe_dump(plain))
    with pytest.raises(UserError, match=r"a tensor \(129, 129\), a tensor \(129,\); they would be"):
        trainer_of(path)


class Gain(torch.nn.Module):
    """A module of one's own that says what it is."""

    is_head = True
    looks_ahead = False

    def forward(self, data):
        return 2.0 * data


class Centred(Gain):
    """Another, of which the statements of `Gain` are not true."""

    def forward(self, data):
        return data - data.mean()


def test_what_a_module_says_of_itself_holds_for_its_class_alone():
    def network(last):
        layers = {"first": torch.nn.LSTM(3, 3), "last": last}
        connections = [("first", ["mix"]), ("last", ["first"])]
        return SimpleNamespace(layers=layers, connections=connections, output_keys=["last"])

    assert TrunkAndHeads.can_split(network(Gain()), [])
    assert not TrunkAndHeads.can_split(network(Centred()), [])
    check_causal(SimpleNamespace(layers={"last": Gain()}))
    with pytest.raises(UserError, match=r"last \(Centred\) sees all frames"):
        check_causal(SimpleNamespace(layers={"last": Centred()}))
