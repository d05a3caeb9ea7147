"""Mixed precision: autocast, whether the device supports it, and loss scaling for float16."""

import copy
import warnings

import torch

from devices import computes_bfloat16
from errors import UserError

TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
FRAMES = 8  # of the STFT, in the excerpts of a probe


def choose(trainer, name):
    """The precision to train in: `name`, or for "auto" bfloat16 if the device has native support.

    Not every processor supports every layer (an LSTM in bfloat16 needs AVX-512), and torch raises
    an error only in the middle of a step. Therefore the network is tried on a small step first.

    Args:
        trainer: whose model and front end are on the device to train on.
        name: "auto", "float32", "bfloat16" or "float16".

    Returns:
        "float32", "bfloat16" or "float16".

    Raises:
        UserError: the device cannot compute this network in `name`.
    """
    if name == "auto":
        native = computes_bfloat16(trainer.device)
        return "bfloat16" if native and failure(trainer, "bfloat16") is None else "float32"
    reason = failure(trainer, name)
    if reason is not None:
        works = [other for other in TYPES if other != name and failure(trainer, other) is None]
        raise UserError(
            f"train.precision is {name}, in which {trainer.device} cannot compute this network "
            f"({reason}); write {' or '.join(['auto', 'float32', *works])}"
        )
    return name


def failure(trainer, name):
    """The error of a small step of the network in precision `name`; None if it works."""
    if name == "float32":
        return None
    model = copy.deepcopy(trainer.model).train()
    samples = trainer.front_end.num_samples(FRAMES)
    data = trainer.train_data
    size = (2, len(data.labels), data.num_channels, samples)
    sources = torch.zeros(size, device=trainer.device)
    devices = [trainer.device] if trainer.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):  # dropout must not draw here
            features = trainer.front_end({"mix": sources.sum(dim=1), "sources": sources})
            with autocast(trainer.device, name):
                outputs = model({key: features[key] for key in model.input})
            sum(output.float().sum() for output in outputs.values()).backward()
    except (RuntimeError, NotImplementedError) as error:
        return str(error).splitlines()[0].split(". ")[0]
    return None


def autocast(device, name):
    """A context in which the network computes in `name` ("float32": as it is)."""
    low = TYPES.get(name)
    return torch.autocast(device.type, dtype=low or torch.bfloat16, enabled=low is not None)


def scaler(device, name):
    """torch's GradScaler, which does nothing unless `name` is "float16": it scales up gradients
    that would be rounded to 0, and skips steps in which one overflows."""
    # if the first step is skipped, torch warns that the scheduler's step came first
    if name == "float16":
        warnings.filterwarnings("ignore", r"Detected call of `lr_scheduler\.step\(\)` before")
    return torch.amp.GradScaler(device.type, enabled=name == "float16")
