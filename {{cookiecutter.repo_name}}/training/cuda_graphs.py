"""CUDA graphs: the kernels of a forward and backward pass, recorded once and replayed in each step.

A recurrent network is thousands of short kernels, which Python starts more slowly than a GPU runs
them; a graph starts all of them by one call.
"""

import torch
from torch import nn

import distributed
from errors import UserError, in_one_line


def with_graphs(trainer, unused=()):
    """`trainer.model` in CUDA graphs for `train.cuda_graphs`; the model itself without it.

    Args:
        trainer: whose settings and model are known.
        unused: names of parameters that get no gradient.

    Raises:
        UserError: there is no CUDA device, or other settings do not go with it.
    """
    settings = trainer.settings
    if not settings.cuda_graphs:
        return trainer.model
    others = {
        "train.compile: true": settings.compile,
        "train.checkpointing: true": settings.checkpointing,
        "train.accumulate above 1": settings.accumulate > 1,
        "train.head_items": settings.head_items is not None,
        "more than one process": distributed.world_size() > 1,
    }
    if trainer.device.type != "cuda":
        raise UserError(
            f"train.cuda_graphs needs a CUDA device, and this run is on {trainer.device}; write "
            "false"
        )
    if clashing := [name for name, there in others.items() if there]:
        raise UserError(
            f"train.cuda_graphs does not go with {', '.join(clashing)}; write cuda_graphs: false, "
            "or leave the other out"
        )
    return Graphs(trainer.model, allow_unused=bool(unused))


class Graphs(nn.Module):
    """A network that records its passes when it first meets inputs of a shape, and replays them.

    Its outputs and gradients are memory of the graph: they hold until the next pass.

    Args:
        model: a nussl SeparationModel on a CUDA device.
        allow_unused: some of its parameters get no gradient.
    """

    def __init__(self, model, allow_unused=False):
        super().__init__()
        self.model, self.input, self.allow_unused = model, model.input, allow_unused
        self.recorded = {}  # {(name, shape) of each input: function(*tensors) -> outputs}

    def forward(self, inputs):
        """{name: tensor} -> {name: tensor}, as the model's."""
        shapes = tuple((name, tuple(value.shape)) for name, value in inputs.items())
        if shapes not in self.recorded:
            self.recorded[shapes] = self._record(inputs)
        return self.recorded[shapes](*inputs.values())

    def _record(self, inputs):
        """The model with these inputs as a function of their tensors.

        Recording runs the model a few times; what it draws and the statistics that it keeps are
        set back.

        Raises:
            UserError: the model does something that cannot be recorded.
        """
        device = next(self.model.parameters()).device
        buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        low = torch.get_autocast_dtype("cuda")
        enabled = torch.is_autocast_enabled("cuda")
        try:
            with (
                torch.random.fork_rng(devices=[device]),
                torch.autocast("cuda", dtype=low, enabled=enabled, cache_enabled=False),
            ):
                recorded = torch.cuda.make_graphed_callables(
                    _Positional(self.model, list(inputs)),
                    tuple(value.detach().clone() for value in inputs.values()),
                    allow_unused_input=self.allow_unused,
                )
        except RuntimeError as error:
            raise UserError(
                f"train.cuda_graphs: this network cannot be recorded ({in_one_line(error, 200)}); "
                "write false"
            ) from error
        with torch.no_grad():
            for name, buffer in self.model.named_buffers():
                buffer.copy_(buffers[name])
        return recorded


class _Positional(nn.Module):
    """A network whose inputs are given by their order."""

    def __init__(self, model, names):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *tensors):
        return self.model(dict(zip(self.names, tensors, strict=True)))
