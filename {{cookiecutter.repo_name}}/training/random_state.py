"""The state of every random number generator, as plain data that a checkpoint can hold."""

import random

import numpy as np
import torch


def seed(number, rank=0, world_size=1):
    """Seed the generators of python, numpy and torch, differently in each process."""
    if world_size > 1:
        number = int(np.random.SeedSequence([number, rank, world_size]).generate_state(1)[0])
    random.seed(number)
    np.random.seed(number % 2**32)
    torch.manual_seed(number)


def capture(device):
    """The states of the generators of python, numpy and torch, on the CPU and on `device`."""
    version, numbers, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def restore(state, device):
    """Set all generators to what `capture(device)` returned."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
