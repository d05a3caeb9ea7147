"""Trunk and heads of a network: the heads run on a few excerpts at a time, to save memory.

The embedding of a batch is many times larger than the activations before it, and it is read and
written over and over in the loss and its gradient. Head and loss of one excerpt at a time fit into
the cache of a CPU; the gradients are the same.
"""

import copy

import torch

from errors import UserError

OF_NUSSL = ("Alias", "Mask")  # its heads; modules of ours say so themselves (model/extras/)


class TrunkAndHeads:
    """A nussl SeparationModel in two models that share its weights.

    Args:
        model: one that `can_split`.
    """

    def __init__(self, model):
        cut = _cut(model)
        before = {name for name, _ in model.connections[:cut]}
        read = [i for _, inputs in model.connections[cut:] for i in inputs if isinstance(i, str)]
        self.crossing = sorted({i for i in read if i.split(":")[0] in before})
        self.inputs = sorted({i for i in read if i in model.input})
        self.trunk, self.heads = copy.copy(model), copy.copy(model)
        self.trunk.connections = model.connections[:cut]
        self.trunk.output_keys = self.crossing
        self.heads.connections = model.connections[cut:]
        self.heads.input = {name: name for name in (*self.crossing, *self.inputs)}

    @staticmethod
    def can_split(model, losses):
        """Does the model end with heads, from which all its outputs come, and begin with other
        modules, and are all losses means over the items of a batch (`mean_over_items`)?"""
        # the class's own statement: what a subclass computes may be no mean
        means = all(vars(type(loss)).get("mean_over_items", False) for loss in losses)
        cut = _cut(model)
        of_heads = {name for name, _ in model.connections[cut:]}
        outputs = {key.split(":")[0] for key in model.output_keys}
        return means and 0 < cut < len(model.connections) and outputs <= of_heads

    def backward(self, features, items, forward, losses):
        """Losses and gradients of a batch, `items` excerpts at a time.

        Args:
            features: what the front end made.
            items: excerpts at a time.
            forward: function(features, network) -> outputs.
            losses: function(outputs, features, share) -> the losses, after its backward pass;
                share: of the batch.

        Returns:
            the losses of the batch: the sum of what `losses` returned.
        """
        crossing = forward(features, self.trunk)
        count = len(next(iter(crossing.values())))
        total, gradients = 0.0, {name: [] for name in self.crossing}
        for first in range(0, count, items):
            rows = slice(first, min(first + items, count))
            part = {key: value[rows] for key, value in features.items()}
            leaves = {  # below a frozen trunk nothing needs a gradient
                name: value[rows].detach().requires_grad_(value.requires_grad)
                for name, value in crossing.items()
            }
            outputs = forward({**part, **leaves}, self.heads)
            total = total + losses(outputs, part, (rows.stop - rows.start) / count)
            for name, leaf in leaves.items():
                gradients[name].append(leaf.grad if leaf.grad is not None else leaf * 0.0)
            del part, leaves, outputs
        reached = [name for name in self.crossing if crossing[name].requires_grad]
        if reached:
            torch.autograd.backward(
                [crossing[name] for name in reached],
                [torch.cat(gradients[name]) for name in reached],
            )
        return total


def _cut(model):
    """How many connections come before the heads."""
    cut = len(model.connections)
    while cut and _is_head(model.layers[model.connections[cut - 1][0]]):
        cut -= 1
    return cut


def _is_head(module):
    return vars(type(module)).get("is_head", type(module).__name__ in OF_NUSSL)


def trunk_and_heads(trainer):
    """The network of a Trainer in two, if its heads are to run on a few items at a time; else None.

    Raises:
        UserError: `train.head_items` is given, and the network or the losses do not allow it.
    """
    model, items = trainer.model, trainer.settings.head_items
    losses = [term.loss for term in trainer.losses.values()]
    possible = trainer.network is model and TrunkAndHeads.can_split(model, losses)
    if items is not None and not possible:
        raise UserError(
            "train.head_items needs a model that ends with heads and losses that are means "
            "over the items of a batch (mean_over_items = True), and goes neither with "
            "train.compile nor with many processes; write head_items: null"
        )
    useful = items is not None or (possible and trainer.device.type == "cpu")
    return TrunkAndHeads(model) if useful else None
