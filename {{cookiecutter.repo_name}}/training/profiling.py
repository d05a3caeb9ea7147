"""What training would take: shapes, parameters, seconds and memory of its steps, for dry_run."""

import contextlib
import resource
import sys
import time

import torch

from errors import amount, duration

from .fitting import fitting
from .shapes import meta_step


def peak_memory(device):
    """Peak memory so far in bytes: allocated on the GPU, or resident of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(trainer, steps=3):
    """Measure a few steps on real batches. They change the weights, so that the trainer cannot be
    used for training afterwards.

    Returns:
        {"first": seconds of the first step, "seconds": of the others (median), "loading": seconds
        to load a batch (median), "memory": peak above the memory in use before, in bytes, "batch":
        the last batch}.
    """
    plan = trainer.plan
    first = plan.batches.keys(0)[: (steps + 1) * plan.batches.batch_size]
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
        "batch": batch,
    }


def summarize(trainer):
    """The report of dry_run, as text: shapes, parameters, and the results of `measure`."""
    settings, plan = trainer.settings, trainer.plan
    items = plan.batches.batch_size // (plan.shard[1] * settings.accumulate)
    features, outputs, _, _ = meta_step(trainer, items)
    lines = [f"\nshapes of a batch{' (a part of it)' if settings.accumulate > 1 else ''}"]
    for title, tensors in (("data and features", features), ("outputs of the model", outputs)):
        lines.append(f"  {title}")
        lines += [f"    {name:20} {tuple(tensor.shape)}" for name, tensor in tensors.items()]
    lines.append("\nparameters")
    for name, layer in trainer.model.layers.items():
        if size := sum(p.numel() for p in layer.parameters()):
            lines.append(f"    {name:20} {size:>12,}  {type(layer).__name__}")
    took = measure(trainer)
    step = max(took["seconds"], took["loading"] / max(settings.num_workers, 1))
    steps, epochs = plan.steps_per_epoch, settings.epochs
    lines.append(
        f"\na step on {trainer.device}: {duration(took['seconds'])} (the first: "
        f"{duration(took['first'])}), its data {duration(took['loading'])}\n"
        f"memory above that of the idle program: {took['memory'] / 1e6:.0f} MB\n"
        f"an epoch of {amount(steps, 'step')}: about {duration(steps * step)} without validation; "
        f"{amount(epochs, 'epoch')}, {amount(epochs * steps, 'step')}: "
        f"{duration(epochs * steps * step)}"
    )
    lines += [*fitting(trainer, took["batch"]), "no results were written"]
    return "\n".join(lines)
