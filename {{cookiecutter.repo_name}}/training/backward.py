"""The forward and backward pass of a batch, in parts that save memory."""

import torch

from errors import UserError

from . import weights


def accumulate_gradients(trainer, batch):
    """Add the gradients of a batch of waveforms to the weights of `trainer.model`.

    The batch is computed in `train.accumulate` parts, whose gradients add up, and the heads of a
    network on a few excerpts at a time where that is possible (`TrunkAndHeads`).

    Returns:
        {"loss": the total loss, and each of its terms}: scalar tensors without gradient.
    """
    losses = {}
    parts = _parts(batch, trainer.settings.accumulate)
    for number, part in enumerate(parts):
        fraction = len(part["name"]) / len(batch["name"])
        # processes exchange their gradients once, after the last part
        with weights.no_sync(trainer.network, number < len(parts) - 1), weights.compiling():
            _add(losses, _backward(trainer, trainer.front_end(part), fraction))
    return losses


def _parts(batch, count):
    """The batch in `count` parts."""
    if count == 1:
        return [batch]
    rows = torch.arange(len(batch["name"])).tensor_split(count)
    return [
        {key: value[part[0] : part[-1] + 1] for key, value in batch.items()}
        for part in rows
        if len(part)
    ]


def _backward(trainer, features, fraction):
    """The forward and backward pass of a part, which is `fraction` of the batch.

    Returns:
        {name: loss of the part times `fraction`}, so that the parts add up to the batch.
    """

    def backward(outputs, features, of_part=1.0):
        total, terms = trainer.compute_losses(outputs, features)
        weight = fraction * of_part
        trainer.scaler.scale(weight * total).backward()
        return {name: weight * loss.detach() for name, loss in {"loss": total, **terms}.items()}

    def forward(features, network):
        outputs = trainer.forward(features, network)
        if not isinstance(outputs, dict):
            raise UserError(
                f"{type(trainer).__name__}.forward returns a {type(outputs).__name__}; it has to "
                "return a dict of name: tensor, the outputs of the network"
            )
        return outputs

    if trainer.trunk_and_heads is None:
        return backward(forward(features, trainer.network), features)
    losses = {}
    items = trainer.settings.head_items or 1
    for part in trainer.trunk_and_heads.backward(features, items, forward, backward):
        _add(losses, part)
    return losses


def _add(sums, losses):
    for name, loss in losses.items():
        sums[name] = sums.get(name, 0.0) + loss
