"""A Trainer of one's own: its arguments, its state, and what its step returns."""

import csv

import pytest
import torch
import yaml
from ignite.engine import Events
from trainings import fit, trainer_of, write

import config
import experiment
from errors import UserError
from training import TRAINERS, Trainer

torch.set_num_threads(1)


class Counter:
    """State that is neither a module nor an optimizer."""

    def __init__(self):
        self.count = 0

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


class Counting(Trainer):
    def __init__(self, setup, step: int = 1):
        super().__init__(setup)
        self.step = step
        self.counter = self.register("counter", Counter())

    def train_step(self, batch):
        self.counter.count += self.step
        scalars = super().train_step(batch)
        return {**scalars, "counted": self.counter.count, "tenth": torch.tensor([0.1])}


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(TRAINERS, "Counting", Counting)


@pytest.fixture
def counting(write_config):
    """A function that writes the config of a training run by `Counting` with these `train.args`."""

    def write_one(name="Counting", train=None, **args):
        path = write_config(**(train or {}))
        plain = yaml.safe_load(path.read_text())
        plain["train"] |= {"class": name, "args": args}
        return write(path, plain)

    return write_one


def test_its_arguments_come_from_train_args(counting):
    trainer = trainer_of(counting(step=5))
    assert isinstance(trainer, Counting) and trainer.step == 5


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"stp": 5}, "train.args.stp: Counting has no argument 'stp'; did you mean 'step'?"),
        ({"step": "many"}, "train.args.step: must be a whole number, found the text 'many'"),
        ({"setup": 1}, "train.args.setup: 'setup' of Counting is set by the program; remove it"),
    ],
)
def test_wrong_arguments_are_refused_before_any_work(counting, args, message):
    with pytest.raises(config.ConfigError) as caught:
        experiment.check(config.load(counting(**args)))
    assert message in str(caught.value)


def test_the_trainer_itself_takes_no_arguments(counting):
    with pytest.raises(config.ConfigError, match="train.args.step: Trainer has no argument"):
        experiment.check(config.load(counting("Trainer", step=1)))


def test_what_it_registers_is_saved_and_restored(counting):
    path = counting(train={"checkpoint_every": 1}, step=2)
    trainer = trainer_of(path)

    @trainer.engine.on(Events.ITERATION_STARTED)
    def stop(engine):
        if engine.state.iteration == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.fit()
    assert torch.load(trainer.latest, weights_only=True)["counter"] == {"count": 6}
    assert fit(path).counter.count == 12  # 6 steps of 2, as without the interruption


def test_a_name_can_be_registered_once(write_config):
    trainer = trainer_of(write_config())
    for name in ("model", "history", "iteration"):
        with pytest.raises(ValueError, match=f"{name!r} already"):
            trainer.register(name, Counter())


def test_every_scalar_of_a_step_reaches_the_history_and_the_loggers(counting):
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    path = counting(train={"loggers": [{"class": "TensorBoard"}]})
    trainer = fit(path)
    with open(trainer.folder / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["train_counted"]) for row in rows] == [1.5, 3.5, 5.5]
    assert all(float(row["train_tenth"]) == pytest.approx(0.1) for row in rows)
    assert all(float(row["train_gradient_norm"]) > 0 for row in rows)
    events = event_accumulator.EventAccumulator(str(trainer.folder / "tensorboard")).Reload()
    assert [scalar.value for scalar in events.Scalars("step/counted")] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "Counting.train_step returns a NoneType; it has to return a dict of name: number"),
        ({"pair": torch.zeros(2)}, "returns pair: a tensor (2,); each value has to be one number"),
        ({"text": "high"}, "returns text: str; each value has to be one number"),
    ],
)
def test_a_step_that_returns_no_scalars_says_what_it_has_to_return(
    counting, monkeypatch, returned, message
):
    monkeypatch.setattr(Counting, "train_step", lambda self, batch: returned)
    with pytest.raises(UserError) as caught:
        fit(counting())
    assert message in str(caught.value)


@pytest.mark.parametrize("step", ["train_step", "validation_step"])
def test_a_step_that_returns_no_loss_says_so(counting, monkeypatch, step):
    path = counting()
    if step == "train_step":  # whose loss decides if nothing is validated
        plain = yaml.safe_load(path.read_text())
        del plain["datasets"]["val"]
        write(path, plain)
    monkeypatch.setattr(Counting, step, lambda self, batch: {"other": 1.0})
    with pytest.raises(UserError, match=f"{step} returns no 'loss', which decides"):
        fit(path)


@pytest.mark.parametrize("name", ["loss", "gradient_norm"])
def test_a_term_of_the_loss_may_not_take_the_name_of_another_column(write_config, name):
    path = write_config(loss={name: {"class": "DeepClusteringLoss"}})
    with pytest.raises(config.ConfigError, match=f"train.loss.{name}: cannot be called {name}"):
        experiment.check(config.load(path))


def test_a_validation_is_the_mean_over_its_items_not_its_batches(write_config):
    """Ten items in batches of four, four and two, each with the size of its batch as loss."""
    trainer = trainer_of(write_config(builder="conv_tasnet"))
    sizes = []

    def validation_step(batch):
        sizes.append(len(batch["name"]))
        return {"loss": torch.tensor(float(sizes[-1]))}

    trainer.validation_step = validation_step
    assert trainer.validate() == {"val_loss": pytest.approx((4 * 4 + 4 * 4 + 2 * 2) / 10)}
    assert sizes == [4, 4, 2]
