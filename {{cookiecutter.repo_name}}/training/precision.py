"""Arithmetic of half precision: where it is used, and the scale that keeps float16 above zero."""

import torch

TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def autocast(device, name):
    """A context in which the network computes in `name` ("float32": as it is)."""
    low = TYPES.get(name)
    return torch.autocast(device.type, dtype=low or torch.bfloat16, enabled=low is not None)


def scaler(device, name):
    """torch's GradScaler, which does nothing unless `name` is "float16": gradients that would be
    rounded to 0 are scaled up, and steps in which one overflows are left out."""
    return torch.amp.GradScaler(device.type, enabled=name == "float16")
