"""Memory of a training step, and the largest batch that fits on a GPU, for dry_run."""

import os

import torch

from .cuda_graphs import Graphs

CARDS = (8, 12, 24, 40, 80)  # GB of memory
CONTEXT = 0.6e9  # bytes of the CUDA context and libraries
USABLE = 0.95  # of the rest: memory is fragmented


def peak_of(function, device):
    """Peak memory of a call of `function`, in bytes above the memory in use before it."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        function()
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # no messages on stderr at start and stop
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        function()
    # the tables of the profiler have only sums; the peak is found from single allocations
    records = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    used = peak = 0
    for record in sorted(records, key=lambda record: record.start_ns()):
        used += record.nbytes()  # negative: freed
        peak = max(peak, used)
    return peak


def held_by(trainer):
    """Bytes of weights, their average, gradients and the optimizer's state, after a step."""
    tensors = [*trainer.model.parameters(), *trainer.model.buffers()]
    if trainer.average is not None:
        tensors += [*trainer.average.parameters(), *trainer.average.buffers()]
    tensors += [p.grad for p in trainer.model.parameters() if p.grad is not None]
    tensors += [
        value
        for state in trainer.optimizer.state.values()
        for value in state.values()
        if torch.is_tensor(value)
    ]
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(storages.values())


def memory_of_steps(trainer, batch):
    """The memory of a step as a linear function of the batch size, from steps of one and two
    excerpts.

    Args:
        trainer: that has taken a step. The measured steps change its weights.
        batch: of the run, on the device.

    Returns:
        (bytes for any batch size, bytes for each excerpt that is computed at the same time).
    """
    if isinstance(trainer.network, Graphs):  # CUDA graphs keep the memory of every batch size
        trainer.network = trainer.model
    held = held_by(trainer)  # includes the gradients, which a step frees first
    gradients = sum(p.grad.nbytes for p in trainer.model.parameters() if p.grad is not None)

    def peak(items):
        part = _repeated(batch, items * trainer.settings.accumulate)
        trainer.optimizer.zero_grad(set_to_none=True)
        return peak_of(lambda: trainer.train_step(part), trainer.device)

    one, two = peak(1), peak(2)
    per_item = max(two - one, 1)
    return max(held, held - gradients + one - per_item), per_item


def fitting(trainer, batch):
    """The lines of dry_run on memory."""
    fixed, per_item = memory_of_steps(trainer, batch)
    parts = trainer.shard[1] * trainer.settings.accumulate
    size = trainer.plan.batches.batch_size
    lines = [
        f"\nmemory of a step, measured on {trainer.device} in {trainer.precision}: "
        f"{fixed / 1e6:.0f} MB, and {per_item / 1e6:.3g} MB for each excerpt of a batch",
        f"    batch_size {size:<6} {(fixed + per_item * size / parts) / 1e9:.3g} GB",
    ]
    for card in CARDS:
        free = USABLE * (card * 1e9 - CONTEXT) - fixed
        largest = int(max(free, 0) / per_item) * parts
        fits = f"batch_size up to {largest}" if largest else "not even one excerpt"
        lines.append(f"    {f'{card} GB card':17} {fits}")
    return lines


def _repeated(batch, count):
    """A batch of `count` items: those of `batch`, over and over."""
    rows = [number % len(batch["name"]) for number in range(count)]
    return {
        key: value[rows] if torch.is_tensor(value) else [value[row] for row in rows]
        for key, value in batch.items()
    }
