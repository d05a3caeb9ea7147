"""Do model, losses and data fit? A training step on the meta device, which computes nothing."""

import copy

import torch

from errors import UserError

ITEMS = 2  # in the batch


def meta_step(trainer, items=ITEMS, backward=False):
    """The tensors of a training step, on the meta device.

    A network or loss that needs numbers (`.item()`, a condition on a tensor) takes the step on the
    trainer's device, on noise.

    Args:
        backward: compute the gradients too.

    Returns:
        (features, outputs, total loss, the model).
    """
    try:
        return _step(trainer, items, "meta", backward)
    except (RuntimeError, NotImplementedError, TypeError) as error:
        if "meta" not in str(error).lower():
            raise
    devices = [trainer.device] if trainer.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):  # the training's random numbers stay as they are
        return _step(trainer, items, trainer.device, backward)


def _step(trainer, items, device, backward):
    model = copy.deepcopy(trainer.model).to(device).train()
    front_end = copy.deepcopy(trainer.front_end).to(device)
    data = trainer.train_data
    samples = trainer.front_end.segment(trainer.settings.segment, data.sample_rate)
    size = (items, len(data.labels), data.num_channels, samples)
    sources = torch.rand(size, device=device) - 0.5
    features = front_end({"mix": sources.sum(dim=1), "sources": sources})
    outputs = model({key: features[key] for key in model.input})
    total, _ = trainer.compute_losses(outputs, features)
    if backward:
        total.backward()
    return features, outputs, total, model


def check_shapes(trainer):
    """Take a step on the meta device.

    Returns:
        the names of the parameters that no loss reaches (unused parameters).

    Raises:
        UserError: the shapes of data, model and losses do not agree, or a loss has no gradient.
    """
    try:
        *_, model = meta_step(trainer, backward=True)
    except (ValueError, RuntimeError, KeyError, IndexError) as error:
        if "does not require grad" in str(error):
            raise UserError(
                "train.loss: has no gradient; a loss has to be computed by torch alone, "
                "without detach(), item() or numpy()"
            ) from error
        labels = trainer.train_data.labels
        raise UserError(
            f"the model, the losses and the data do not fit ({str(error).splitlines()[0]}); "
            f"the data have {len(labels)} sources: {', '.join(labels)}"
        ) from error
    return [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
