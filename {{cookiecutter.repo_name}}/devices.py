"""Selects the torch device; no other module queries the hardware."""

import contextlib

import torch
from torch.overrides import TorchFunctionMode

import distributed
from errors import UserError


def choose(name="auto"):
    """The torch.device for "auto" (cuda, else mps, else cpu), "cpu", "cuda", "cuda:N" or "mps", or
    for a torch.device.

    In distributed training, "cuda" is the GPU whose index is the local rank.

    Raises:
        UserError: the device is not available. It is never silently replaced by the CPU.
    """
    names = available()
    name = str(name) if isinstance(name, torch.device) else name
    if not isinstance(name, str):
        raise UserError(f"device is {name!r}; write auto, {', '.join(names)}")
    name = names[0] if name == "auto" else name
    if name == "cuda" and distributed.launched_world_size() > 1:
        name = f"cuda:{distributed.local_rank()}"
    kind, colon, index = name.partition(":")
    if kind not in names:
        raise UserError(f"device {name!r} is not available; this machine has {', '.join(names)}")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if colon and not (index.isdecimal() and int(index) < count):
        raise UserError(
            f"device {name!r} is not available; this machine has {count} of kind {kind}, "
            "numbered from 0"
        )
    return torch.device(name)


def available():
    """Names of the devices of this machine, the fastest kind first."""
    names = ["cuda"] if torch.cuda.is_available() else []
    names += ["mps"] if torch.backends.mps.is_available() else []
    return [*names, "cpu"]


def describe(device):
    """The device with the name of the hardware, if it has one: "cuda:0 (NVIDIA A100)"."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return f"{device} ({name})" if name else str(device)


def computes_bfloat16(device):
    """Does the device have bfloat16 instructions? Without them torch may emulate it slowly."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return False


class _SkipRandomFill(TorchFunctionMode):
    """Makes `normal_` and `uniform_` return their tensor unchanged."""

    RANDOM = {torch.Tensor.normal_, torch.Tensor.uniform_}

    def __torch_function__(self, function, types, args=(), kwargs=None):
        return args[0] if function in self.RANDOM else function(*args, **(kwargs or {}))


@contextlib.contextmanager
def shapes_only():
    """Tensors created in this context are on the meta device: they have shapes but no data.

    Random initialisation is skipped: on the meta device it would import torch's compiler, which
    takes 2 s.
    """
    with torch.device("meta"), _SkipRandomFill():
        yield
