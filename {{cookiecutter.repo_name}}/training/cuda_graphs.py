"""CUDA graphs: the kernels of a forward and backward pass, recorded once and replayed in each step.

A recurrent network is thousands of short kernels, which Python starts more slowly than a GPU runs
them; a graph starts all of them by one call.
"""

import contextlib
import copy

import torch
from torch import nn

import distributed
from errors import UserError, in_one_line

SCALED = 1.01  # factor of the weights with which a recorded graph is compared with the network
TOLERANCE = 0.02  # of the largest value: half-precision kernels that add in another order


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
    if trainer.device.type != "cuda":
        raise UserError(
            f"train.cuda_graphs needs a CUDA device, and this run is on {trainer.device}; write "
            "false"
        )
    incompatible = {
        "train.compile: true": settings.compile,
        "train.checkpointing: true": settings.checkpointing,
        "train.accumulate above 1": settings.accumulate > 1,
        "train.head_items": settings.head_items is not None,
        "more than one process": distributed.world_size() > 1,
    }
    clashing = [name for name, is_used in incompatible.items() if is_used]
    if clashing:
        raise UserError(
            f"train.cuda_graphs does not go with {', '.join(clashing)}; write cuda_graphs: false, "
            "or leave the other out"
        )
    return Graphs(trainer.model, allow_unused=bool(unused))


class Graphs(nn.Module):
    """A network that records its forward and backward pass for inputs of a new shape, and replays
    the recording for further inputs of this shape.

    Outputs and gradients lie in the memory of the graph: the next pass overwrites them.

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

        Recording runs the model a few times; random numbers and running statistics are restored
        afterwards.

        Raises:
            UserError: the model does something that cannot be recorded.
        """
        device = next(self.model.parameters()).device
        low, enabled = torch.get_autocast_dtype(device.type), torch.is_autocast_enabled(device.type)
        tensors = tuple(value.detach().clone() for value in inputs.values())
        with (
            _state_restored(self.model, device),
            _without_flattening(self.model),
            torch.autocast(device.type, dtype=low, enabled=enabled, cache_enabled=False),
        ):
            eager = _Positional(self.model, list(inputs))
            try:
                recorded = torch.cuda.make_graphed_callables(
                    copy.copy(eager), tensors, allow_unused_input=self.allow_unused
                )
                same = _same_passes(eager, recorded, tensors)
            except RuntimeError as error:
                raise UserError(
                    "train.cuda_graphs: this network cannot be recorded "
                    f"({in_one_line(error, 200)}); write false"
                ) from error
        if not same:
            raise UserError(
                "train.cuda_graphs: the graph recorded of this network gives other outputs or "
                "gradients than the network itself; write false"
            )
        return recorded


class _Positional(nn.Module):
    """A network whose inputs are given by their order."""

    def __init__(self, model, names):
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *tensors):
        return self.model(dict(zip(self.names, tensors, strict=True)))


@contextlib.contextmanager
def _state_restored(model, device):
    """A context at whose end the weights and buffers of a model, and torch's random state, are what
    they were at its beginning."""
    tensors = [*model.buffers(), *model.parameters()]
    values = [tensor.detach().clone() for tensor in tensors]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
    with torch.no_grad():
        for tensor, value in zip(tensors, values, strict=True):
            tensor.copy_(value)


@contextlib.contextmanager
def _without_flattening(model):
    """A context in which recurrent layers do not flatten their weights, as nussl's do in each pass:
    that moves them in memory, and a graph reads them where they were recorded."""
    layers = [module for module in model.modules() if isinstance(module, nn.RNNBase)]
    for layer in layers:
        layer.flatten_parameters = lambda: None
    try:
        yield
    finally:
        for layer in layers:
            del layer.flatten_parameters


def _same_passes(eager, recorded, tensors):
    """Do both give the same outputs and gradients, for other weights than at the recording?"""
    with torch.no_grad():
        for parameter in eager.parameters():
            parameter.mul_(SCALED)
    trained = [parameter for parameter in eager.parameters() if parameter.requires_grad]
    expected = _passes(eager, tensors, trained)
    replayed = _passes(recorded, tensors, trained)
    for ours, theirs in zip(expected, replayed, strict=True):
        limit = TOLERANCE * max((value.abs().max() for value in ours), default=torch.zeros(()))
        if any((a - b).abs().max() > limit for a, b in zip(ours, theirs, strict=True)):
            return False
    return True


def _passes(network, tensors, parameters):
    """([outputs], [gradients of the sum of their means]), float32."""
    torch.manual_seed(0)  # the same dropout in both
    outputs = [value for value in network(*tensors).values() if value.requires_grad]
    total = sum(value.float().mean() for value in outputs)
    gradients = torch.autograd.grad(total, parameters, materialize_grads=True)
    return [[value.detach().float().clone() for value in values] for values in (outputs, gradients)]
