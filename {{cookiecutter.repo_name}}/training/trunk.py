"""Trunk and heads of a network: the heads run on a few excerpts at a time, to save memory.

The embedding of a batch is many times larger than the activations before it, and it is read and
written over and over in the loss and its gradient. Head and loss of one excerpt at a time fit into
the cache of a CPU; the gradients are the same.
"""

import copy

import torch

from errors import UserError

NUSSL_HEADS = ("Alias", "Mask")  # modules of model/extras/ declare `is_head` themselves


class TrunkAndHeads:
    """A nussl SeparationModel in two models that share its weights.

    Attributes:
        trunk: the connections of the graph before the heads; its outputs are the `boundary`.
        heads: the rest of the graph, which reads the `boundary` and maybe some features.
        boundary: names of the trunk's outputs that the heads read.

    Args:
        model: one that `can_split`.
    """

    def __init__(self, model):
        cut = _first_head(model)
        of_trunk = {name for name, _ in model.connections[:cut]}
        read = [i for _, inputs in model.connections[cut:] for i in inputs if isinstance(i, str)]
        self.boundary = sorted({name for name in read if name.split(":")[0] in of_trunk})
        features = sorted({name for name in read if name in model.input})
        self.trunk, self.heads = copy.copy(model), copy.copy(model)
        self.trunk.connections = model.connections[:cut]
        self.trunk.output_keys = self.boundary
        self.heads.connections = model.connections[cut:]
        self.heads.input = {name: name for name in (*self.boundary, *features)}

    @staticmethod
    def can_split(model, losses):
        """Can heads and losses be computed on a few items at a time?

        The model has to end with heads, which give all its outputs, and to begin with other
        modules; all losses have to be means over the items of a batch (`mean_over_items`).
        """
        # what the class itself declares, not a base class: a subclass may compute something else
        means = all(vars(type(loss)).get("mean_over_items", False) for loss in losses)
        cut = _first_head(model)
        of_heads = {name for name, _ in model.connections[cut:]}
        outputs = {key.split(":")[0] for key in model.output_keys}
        return means and 0 < cut < len(model.connections) and outputs <= of_heads

    def backward(self, features, items, forward, backward):
        """The forward and backward pass of a batch: trunk, then heads and losses of `items`
        excerpts at a time, then the gradients of all of them back through the trunk.

        Args:
            features: {name: (batch, ...)} of the front end.
            items: excerpts at a time.
            forward: function(features, network) -> outputs.
            backward: function(outputs, features, fraction of the batch) -> the losses of the heads
                on some items, after their backward pass.

        Returns:
            [what `backward` returned], an entry for each `items` excerpts.
        """
        boundary = forward(features, self.trunk)
        count = len(next(iter(boundary.values())))
        losses = []
        gradients = {name: [] for name in self.boundary}
        for first in range(0, count, items):
            rows = slice(first, min(first + items, count))
            part = {key: value[rows] for key, value in features.items()}
            leaves = {  # below a frozen trunk nothing needs a gradient
                name: value[rows].detach().requires_grad_(value.requires_grad)
                for name, value in boundary.items()
            }
            outputs = forward({**part, **leaves}, self.heads)
            losses.append(backward(outputs, part, (rows.stop - rows.start) / count))
            for name, leaf in leaves.items():
                gradients[name].append(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad)
            del part, leaves, outputs
        trained = [name for name in self.boundary if boundary[name].requires_grad]
        if trained:
            torch.autograd.backward(
                [boundary[name] for name in trained],
                [torch.cat(gradients[name]) for name in trained],
            )
        return losses


def _first_head(model):
    """The index of the first connection of the heads: how many connections the trunk has."""
    cut = len(model.connections)
    while cut and _is_head(model.layers[model.connections[cut - 1][0]]):
        cut -= 1
    return cut


def _is_head(module):
    return vars(type(module)).get("is_head", type(module).__name__ in NUSSL_HEADS)


def trunk_and_heads(trainer):
    """`TrunkAndHeads` of a Trainer's model, or None if the whole batch is computed at once.

    It is used where `train.head_items` asks for it, and on a CPU wherever it is possible.

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
