"""What users register, a loss or an optimizer or a module, is checked like everything else."""

import pytest
import torch
import yaml

import config
import experiment
from training import LOSSES, OPTIMIZERS

torch.set_num_threads(1)


class Plain(torch.nn.Module):
    """A loss of one's own without DEFAULT_KEYS, that needs a number."""

    def forward(self, estimates, source_magnitudes):
        difference = (estimates - source_magnitudes).abs().mean()
        return difference if difference.item() >= 0 else -difference


KEYS = {"estimates": "estimates", "source_magnitudes": "source_magnitudes"}


@pytest.fixture
def with_loss(write_config, monkeypatch):
    """A function that writes a training with a loss of one's own."""
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
    assert trainer.halves is None  # which would show it one excerpt at a time
    sizes.clear()
    trainer.fit()
    assert sizes == [4, 4, 4, 4, 2]  # two steps, then the ten excerpts of the validation


def test_an_optimizer_of_ones_own_is_the_one_that_trains(write_config, monkeypatch):
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


@pytest.mark.parametrize("change, message", [
    ({"class": "RecurrentStak"}, "modules.stack.class: there is no 'RecurrentStak'; did you mean "
                                 "'RecurrentStack'"),
    ({"class": "Linear", "args": {"in_feature": 3}},
     "modules.stack.args.in_feature: Linear has no argument 'in_feature'; did you mean 'in_fea"),
    ({"class": "Embedding", "args": {"num_features": 33}},
     "modules.stack.args: Embedding needs the argument 'activation'; add it"),
])  # fmt: skip
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
