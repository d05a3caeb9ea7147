"""The device to compute on: the only place that looks at the hardware."""

import contextlib

import torch
from torch.overrides import TorchFunctionMode

import distributed
from errors import UserError


def choose(name="auto"):
    """torch.device for "auto" (cuda, else mps, else cpu), "cpu", "cuda", "cuda:N" or "mps".

    Of several processes each gets the GPU of its own number.

    Raises:
        UserError: the device is not available. It is never silently replaced by the CPU.
    """
    there = available()
    name = there[0] if name == "auto" else name
    if name == "cuda" and distributed.launched_world_size() > 1:
        name = f"cuda:{distributed.local_rank()}"  # a GPU for each process
    kind, colon, number = name.partition(":")
    if kind not in {device.partition(":")[0] for device in there}:
        raise UserError(f"device {name!r} is not there; this machine has {', '.join(there)}")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if colon and not (number.isdecimal() and int(number) < count):
        raise UserError(
            f"device {name!r} is not there; this machine has {count} of kind {kind}, "
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
    """Has the device instructions for bfloat16? Elsewhere torch may emulate it, which is slow."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":  # x86 and ARM name it differently
        there = torch.cpu.get_capabilities()
        return any(there.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return False


class _WithoutDraws(TorchFunctionMode):
    """Leaves tensors as they are where they would be filled with random numbers."""

    DRAWS = {torch.Tensor.normal_, torch.Tensor.uniform_}

    def __torch_function__(self, function, types, args=(), kwargs=None):
        return args[0] if function in self.DRAWS else function(*args, **(kwargs or {}))


@contextlib.contextmanager
def shapes_only():
    """Tensors that are made here have a shape and no numbers.

    Random numbers on the meta device alone would import torch's compiler, which takes 2 s.
    """
    with torch.device("meta"), _WithoutDraws():
        yield
