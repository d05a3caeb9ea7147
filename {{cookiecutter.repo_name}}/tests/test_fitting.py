"""Memory of a training step, and the batches that fit on a card."""

import contextlib
import ctypes
import re
import sys
import types
from pathlib import Path

import pytest
import torch
from trainings import fit

from model.extras import ConvolutionalStack
from training import fitting, profiling

CPU = torch.device("cpu")


def test_the_peak_is_the_most_memory_held_at_a_time():
    def function():
        first = torch.zeros(10_000_000)
        second = first + 1
        del first
        return second.sum() + torch.zeros(5_000_000).sum()

    assert fitting.peak_of(function, CPU) == pytest.approx(80e6, rel=1e-4)


def resident():
    """(peak, now) bytes of memory of this process."""
    status = dict(x.split(":", 1) for x in Path("/proc/self/status").read_text().splitlines())
    return [1024 * int(status[name].split()[0]) for name in ("VmHWM", "VmRSS")]


@pytest.mark.skipif(sys.platform != "linux", reason="Linux says how much memory a process holds")
def test_the_peak_of_a_step_is_about_that_of_the_process():
    stack, data = ConvolutionalStack(64, 32, 128, 6, 2), torch.randn(4, 2000, 64)

    def step():
        stack.zero_grad()
        stack(data).square().mean().backward()

    step()
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(-3, 2**16)  # M_MMAP_THRESHOLD: what is freed is given back at once
    try:
        libc.malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak
        _, before = resident()
        step()
        grown = resident()[0] - before
    finally:
        libc.mallopt(-3, 24 * 2**20)  # as memory.keep_freed_memory
    # the process holds more: whole pages, and what the allocator keeps between pieces
    assert 0.4 * grown < fitting.peak_of(step, CPU) < 1.2 * grown


def first_batch(trainer):
    with contextlib.closing(trainer.training_batches()) as batches:  # and their workers
        return trainer.to_device(next(batches))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_what_two_steps_take_says_what_larger_ones_take(write_config, accumulate):
    trainer = fit(write_config(builder="conv_tasnet", segment=1.0, accumulate=accumulate, epochs=1))
    batch = first_batch(trainer)
    fixed, per_item = fitting.memory_of_steps(trainer, batch)
    weights = sum(p.nbytes for p in trainer.model.parameters())
    assert fixed >= 4 * weights  # gradients, and Adam's two means
    of_six = fitting._repeated(batch, 6 * accumulate)
    trainer.optimizer.zero_grad(set_to_none=True)
    grown = fitting.peak_of(lambda: trainer.train_step(of_six), CPU)
    assert fixed + 6 * per_item == pytest.approx(grown + 3 * weights, rel=0.1)


def test_gradients_are_counted_once():
    """Weights, gradients and Adam's two means of 4 MB each, and 1 MB for each excerpt."""
    model = torch.nn.Linear(1000, 1000, bias=False)
    optimizer = torch.optim.Adam(model.parameters())

    def train_step(batch):
        excerpts = torch.zeros(len(batch["name"]), 250_000)
        model(torch.ones(1, 1000)).sum().backward()
        del excerpts

    train_step({"name": ["a"]})
    optimizer.step()
    trainer = types.SimpleNamespace(
        model=model,
        network=model,
        average=None,
        optimizer=optimizer,
        settings=types.SimpleNamespace(accumulate=1),
        device=CPU,
        train_step=train_step,
    )
    fixed, per_item = fitting.memory_of_steps(trainer, {"name": ["a", "b"]})
    assert fixed == pytest.approx(16e6, rel=0.01) and per_item == pytest.approx(1e6, rel=0.01)


def test_the_first_step_which_takes_longer_is_timed_by_itself(monkeypatch):
    now, loading, computing = [0.0], iter((5.0, 0.1, 0.3, 0.2)), iter((9.0, 1.0, 3.0, 2.0))

    def batches():
        for seconds in loading:
            now[0] += seconds
            yield {}

    def train_step(batch):
        now[0] += next(computing)

    clock = types.SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(profiling, "time", clock)
    ensured = []
    keys = [(0, index, 0) for index in range(10)]
    trainer = types.SimpleNamespace(
        plan=types.SimpleNamespace(
            batches=types.SimpleNamespace(keys=lambda epoch: keys, batch_size=2)
        ),
        train_data=types.SimpleNamespace(ensure=ensured.extend),
        training_batches=batches,
        to_device=lambda batch: batch,
        train_step=train_step,
        device=CPU,
    )
    took = profiling.measure(trainer)
    assert (took["first"], took["seconds"]) == pytest.approx((9, 2))
    assert took["loading"] == pytest.approx(0.2)
    assert ensured == [*range(8)]  # of four batches of two


def test_the_largest_batch_fills_the_card(write_config):
    trainer = fit(write_config(builder="conv_tasnet", epochs=1, accumulate=2))
    batch = first_batch(trainer)
    fixed, per_item = fitting.memory_of_steps(trainer, batch)
    text = "\n".join(fitting.fitting(trainer, batch))
    largest = dict(re.findall(r"(\d+) GB card +batch_size up to (\d+)", text))
    assert [*largest] == ["8", "12", "24", "40", "80"]
    for card, size in largest.items():
        taken = fixed + per_item * int(size) / 2  # two parts, one at a time
        assert taken == pytest.approx(0.95 * (float(card) - 0.6) * 1e9, rel=0.05)
