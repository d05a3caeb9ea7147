"""A step before the first one: with shapes alone, or for its time and memory."""

import contextlib
import copy
import resource
import sys
import time

import torch

ITEMS = 2  # in a batch without numbers


def shapes(trainer, items=ITEMS):
    """What a step of `trainer` handles, on the meta device, where nothing is computed or kept.

    A network or loss that needs numbers (`.item()`, a condition on a tensor) takes the step where
    it will train, on noise.

    Returns:
        (features, outputs, total loss, the model).
    """
    try:
        return _step(trainer, items, "meta")
    except (RuntimeError, NotImplementedError, TypeError) as error:
        if "meta" not in str(error):
            raise
    devices = [trainer.device] if trainer.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):  # what is drawn here is missed nowhere
        return _step(trainer, items, trainer.device)


def _step(trainer, items, device):
    model = copy.deepcopy(trainer.model).to(device).train()
    front_end = copy.deepcopy(trainer.front_end).to(device)
    data = trainer.train_data
    samples = trainer.front_end.segment(trainer.settings.segment, data.sample_rate)
    size = (items, len(data.labels), data.num_channels, samples)
    sources = torch.rand(size, device=device) - 0.5
    features = front_end({"mix": sources.sum(dim=1), "sources": sources})
    outputs = model({key: features[key] for key in model.input})
    total, _ = trainer.compute_losses(outputs, features)
    return features, outputs, total, model


def step_without_numbers(trainer):
    """Run a step with shapes alone: the names of the parameters that no loss reaches.

    Raises:
        ValueError, RuntimeError, ...: the shapes of data, model and losses do not agree.
    """
    _, _, total, model = shapes(trainer)
    total.backward()
    return [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]


def peak_memory(device):
    """Bytes at most in use so far: on the GPU, or by this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(trainer, steps=3):
    """Take a few steps on real batches.

    Returns:
        {"seconds": of a step, "loading": of a batch (medians), "first": seconds of the first step,
        "memory": bytes above those before}.

    The trainer is not fit to train afterwards: its weights have moved.
    """
    first = trainer.batches.keys(0)[: (steps + 1) * trainer.batches.batch_size]
    trainer.train_data.ensure([index for _, index, _ in first])
    before = peak_memory(trainer.device)
    loading, computing = [], []
    with contextlib.closing(trainer.training_batches()) as batches:  # and their workers
        for _ in range(steps + 1):
            start = time.monotonic()
            batch = trainer.to_device(next(batches))
            loaded = time.monotonic()
            trainer.train_step(batch)
            if trainer.device.type == "cuda":
                torch.cuda.synchronize(trainer.device)
            loading.append(loaded - start)
            computing.append(time.monotonic() - loaded)
    return {
        "first": computing[0],
        "seconds": sorted(computing[1:])[steps // 2],
        "loading": sorted(loading[1:])[steps // 2],
        "memory": peak_memory(trainer.device) - before,
    }
