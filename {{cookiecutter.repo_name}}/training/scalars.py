"""The numbers of a step: losses, norms, and whatever else a Trainer returns."""

import logging
import math

import torch

from errors import UserError

log = logging.getLogger("train")


def scalar(name, value):
    """What the loss `name` returned, if it is a scalar tensor.

    Raises:
        UserError: it is something else, or a complex number.
    """
    if isinstance(value, torch.Tensor) and value.ndim == 0 and not value.is_complex():
        return value
    found = _kind(value) if isinstance(value, torch.Tensor) else f"a {_kind(value)}"
    raise UserError(
        f"train.loss.{name}: returns {found}; it has to return a tensor with one real number, "
        "computed by torch alone, so that it has a gradient"
    )


def to_numbers(scalars, origin="train_step"):
    """{name: float} of {name: number or tensor with one number}, in one transfer from the device.

    Raises:
        UserError: `origin` returned something else.
    """
    if not isinstance(scalars, dict):
        kind = type(scalars).__name__
        raise UserError(f"{origin} returns a {kind}; it has to return a dict of name: number")
    tensors = {name: value for name, value in scalars.items() if torch.is_tensor(value)}
    try:
        if tensors:
            values = torch.stack([value.detach().float().squeeze() for value in tensors.values()])
            tensors = dict(zip(tensors, values.cpu().double().tolist(), strict=True))
        return {name: float(tensors.get(name, value)) for name, value in scalars.items()}
    except (RuntimeError, TypeError, ValueError) as error:
        kinds = ", ".join(f"{name}: {_kind(value)}" for name, value in scalars.items())
        raise UserError(f"{origin} returns {kinds}; each value has to be one number") from error


def _kind(value):
    if not torch.is_tensor(value):
        return type(value).__name__
    return f"a {'complex ' if value.is_complex() else ''}tensor {(*value.shape,)}"


def check_finite(scalars, batch, step, latest, overflow_allowed=False):
    """Raise an error before a step that would make the weights NaN or infinite.

    Args:
        scalars: {name: number} of the step.
        batch: the waveforms and their names; step: its number; latest: path of the last state. All
            for the message.
        overflow_allowed: in float16 the gradient may overflow: the GradScaler skips such a step.

    Raises:
        UserError: NaN or infinity; the text names the values, the files and the likely cause.
    """
    wrong = {name: value for name, value in scalars.items() if not math.isfinite(value)}
    if overflow_allowed:
        wrong.pop("gradient_norm", None)
    if not wrong:
        return
    pairs = zip(batch["name"], batch["mix"], strict=True)
    bad = [name for name, mix in pairs if not torch.isfinite(mix).all()]
    cause = (
        f"The audio of {', '.join(bad)} holds NaN or infinite samples: repair the files"
        if bad
        else "A smaller learning rate or gradient_clip may help"
    )
    saved = f"the last good state is in {latest}" if latest.exists() else "no state was saved yet"
    raise UserError(
        f"{', '.join(f'the {name} is {value}' for name, value in wrong.items())} at step {step} "
        f"with {', '.join(batch['name'])}; {saved}. {cause}"
    )


def warn_of_not_finite(scalars, batch):
    """Log which validation items have a loss that is NaN or infinite: the epoch then cannot be the
    best (`History.costs`).

    Args:
        scalars: {name: number} of the batch.
        batch: with its names.
    """
    wrong = [f"{name} is {value}" for name, value in scalars.items() if not math.isfinite(value)]
    if wrong:
        names = ", ".join(batch["name"])
        log.warning("validation of %s: %s", names, ", ".join(wrong))
