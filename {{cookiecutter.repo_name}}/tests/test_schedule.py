"""The learning rate from step to step: schedulers, and a warm-up on top of any."""

import math
import warnings

import pytest
import torch
from ignite.engine import Events
from trainings import fit, trainer_of

import config
import experiment
from errors import UserError
from training import precision
from training.schedule import Schedule

torch.set_num_threads(1)

SGD = {"class": "SGD", "args": {"lr": 0.1}}


def test_the_learning_rate_warms_up_and_follows_its_scheduler_step_by_step(write_config):
    cosine = {"class": "CosineAnnealingLR", "args": {"T_max": 6}}
    trainer = trainer_of(
        write_config(optimizer=SGD, scheduler=cosine, scheduler_every="step", warmup_steps=3)
    )
    rates = []

    @trainer.engine.on(Events.ITERATION_COMPLETED)
    def note(engine):
        rates.append(engine.state.output["learning_rate"])

    trainer.fit()
    wave = [0.05 * (1 + math.cos(math.pi * step / 6)) for step in range(6)]
    ramp = [1 / 4, 2 / 4, 3 / 4, 1, 1, 1]
    assert rates == pytest.approx([a * b for a, b in zip(wave, ramp, strict=True)], rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "args", "every"),
    [
        ("OneCycleLR", {"max_lr": 1.0, "total_steps": 12}, "step"),
        ("CosineAnnealingWarmRestarts", {"T_0": 2}, "step"),
        ("ExponentialLR", {"gamma": 0.5}, "epoch"),
    ],
)
def test_a_warm_up_multiplies_the_rates_of_any_scheduler(kind, args, every):
    def schedule(steps):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.5)
        scheduler = getattr(torch.optim.lr_scheduler, kind)(optimizer, **args)
        return Schedule(optimizer, scheduler, every, steps)

    def rates(one, count):
        for step in range(count):
            yield one.rate
            one.after_step()
            if step % 2:
                one.after_epoch(0.0)

    plain, warm = [*rates(schedule(None), 10)], schedule(4)
    ramp = [min(1.0, step / 5) for step in range(1, 11)]
    expected = [factor * rate for factor, rate in zip(ramp, plain, strict=True)]
    first = [*rates(warm, 2)]  # stopped within the warm-up
    resumed = schedule(4)
    resumed.optimizer.load_state_dict(warm.optimizer.state_dict())
    resumed.load_state_dict(warm.state_dict())
    assert first + [*rates(resumed, 8)] == pytest.approx(expected, rel=1e-12)


@pytest.mark.filterwarnings("error")
def test_a_scheduler_is_checked_and_trains_without_a_warning(write_config):
    path = write_config(epochs=2, scheduler={"class": "StepLR", "args": {"step_size": 1}})
    experiment.check(config.load(path))
    fit(path)


@pytest.mark.parametrize(
    "section, kind, args, message",
    [
        ("optimizer", "Adam", {"capturable": True}, "optimizer.args: refused: .*capturable"),
        ("optimizer", "Adam", {"differentiable": True}, "optimizer.args: refused: a leaf"),
        ("optimizer", "LBFGS", {}, "optimizer.class: there is no 'LBFGS'"),
        ("optimizer", "SparseAdam", {}, "optimizer.class: there is no 'SparseAdam'"),
        ("scheduler", "StepLR", {"step_size": 0}, "scheduler.args: refused: .*zero"),
        ("scheduler", "CosineAnnealingLR", {"T_max": 0}, "scheduler.args: refused: .*zero"),
    ],
)
def test_what_would_fail_at_a_step_is_refused_before_data_are_read(
    write_config, section, kind, args, message
):
    path = write_config(**{section: {"class": kind, "args": args}})
    with pytest.raises(config.ConfigError, match=message):
        experiment.check(config.load(path))


def test_what_another_device_takes_is_not_tried_on_the_cpu(write_config):
    optimizer = {"class": "Adam", "args": {"capturable": True}}
    experiment.check(config.load(write_config(optimizer=optimizer, device="cuda")))


@pytest.mark.parametrize("every, total", [("epoch", 3), ("step", 6)])
def test_a_cycle_has_to_last_as_long_as_the_run(write_config, every, total):
    def path(total, **changes):
        args = {"max_lr": 0.1, "total_steps": total}
        cycle = {"class": "OneCycleLR", "args": args}
        optimizer = {"class": "SGD", "args": {"lr": 0.01, "momentum": 0.9}}
        return write_config(optimizer=optimizer, scheduler=cycle, scheduler_every=every, **changes)

    with pytest.raises(UserError, match=f"total_steps: {total}, or lower train.epochs to 2 "):
        trainer_of(path(total - 1))
    assert len(fit(path(total)).history.rows) == 3
    with pytest.raises(UserError, match="or lower train.epochs to 3 "):
        trainer_of(path(total, epochs=4))
    if every == "step":  # not to 0
        with pytest.raises(UserError, match=f"write total_steps: {total} .a run that has begun"):
            trainer_of(path(1))


def test_a_first_step_that_float16_leaves_out_counts_without_a_warning_of_torch():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scaler = precision.scaler(torch.device("cpu"), "float16")
        parameter = torch.nn.Parameter(torch.ones(1))
        optimizer = torch.optim.SGD([parameter], lr=0.1)
        schedule = Schedule(optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 1), "step")
        scaler.scale(parameter.sum() * torch.inf).backward()
        scaler.step(optimizer)
        scaler.update()
        schedule.after_step()
    assert caught == []
    assert parameter.item() == 1 and schedule.rate == pytest.approx(0.01)


def test_a_run_of_an_earlier_version_is_not_warmed_up_again():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = Schedule(optimizer, warmup_steps=9)
    assert schedule.rate == pytest.approx(0.01)
    optimizer.param_groups[0]["lr"] = 0.1  # as its checkpoint has it
    schedule.load_state_dict({})
    schedule.after_step()
    assert schedule.rate == 0.1 and not schedule.warming_up
