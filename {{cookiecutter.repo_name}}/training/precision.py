"""Arithmetic of half precision: where it is used, and the scale that keeps float16 above zero."""

import torch

from files import UserError

TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def refuse_what_there_is_not(device, name, model):
    """UserError for float16 in recurrent layers on a CPU, for which torch has no arithmetic."""
    recurrent = any(isinstance(module, torch.nn.RNNBase) for module in model.modules())
    if name == "float16" and device.type == "cpu" and recurrent:
        raise UserError(
            "train.precision is float16, which recurrent layers on a CPU cannot compute in; "
            "write bfloat16"
        )


def autocast(device, name):
    """A context in which the network computes in `name` ("float32": as it is)."""
    low = TYPES.get(name)
    return torch.autocast(device.type, dtype=low or torch.bfloat16, enabled=low is not None)


def scaler(device, name):
    """torch's GradScaler, which does nothing unless `name` is "float16": gradients that would be
    rounded to 0 are scaled up, and steps in which one overflows are left out."""
    return torch.amp.GradScaler(device.type, enabled=name == "float16")
