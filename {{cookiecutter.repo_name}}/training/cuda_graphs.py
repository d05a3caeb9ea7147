"""CUDA graphs: the kernels of a network's forward and backward pass, launched at once.

An LSTM is thousands of short kernels, and Python takes longer to launch them than a GPU to run
them. A graph holds all of a pass, recorded on the first batch, for inputs of the same shapes.
"""

import torch

import distributed
from errors import UserError


def captured(network, trainer):
    """The network through CUDA graphs, if `train.cuda_graphs` and the device is a GPU.

    Raises:
        UserError: settings that do not go with it.
    """
    settings = trainer.settings
    if not settings.cuda_graphs:
        return network
    others = {  # gradients lie in the graph's own memory, which its next run overwrites
        "accumulate above 1": settings.accumulate > 1,
        "head_items": settings.head_items is not None,
        "compile (which may use them itself)": settings.compile,
        "checkpointing": settings.checkpointing,
        "many processes": distributed.world_size() > 1,
    }
    wrong = [name for name, given in others.items() if given]
    if wrong:
        raise UserError(f"train.cuda_graphs does not go with {' and '.join(wrong)}; write false")
    return CapturedNetwork(network) if trainer.device.type == "cuda" else network


class CapturedNetwork:
    """A nussl SeparationModel, called as itself; in training, its passes on inputs of the shapes
    that it was first called with are graphs.

    Attributes:
        model: whose weights they use. input: as the model's.
    """

    def __init__(self, model):
        self.model, self.input = model, model.input
        self._passes = self._shapes = None

    def __call__(self, inputs):
        if not (self.model.training and torch.is_grad_enabled()):
            return self.model(inputs)
        shapes = {name: tensor.shape for name, tensor in inputs.items()}
        if self._passes is None:
            self._passes, self._shapes = _Passes(self.model, inputs), shapes
        return self._passes(inputs) if shapes == self._shapes else self.model(inputs)


class _Passes:
    """The two graphs, recorded on copies of `inputs`, {name: tensor}."""

    def __init__(self, model, inputs):
        function = _OfTensors(model, list(inputs))
        samples = tuple(tensor.detach().clone() for tensor in inputs.values())
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        try:
            # passes that only warm up draw no numbers, and a norm has not seen them
            with _untouched_random_state(samples[0].device), _without_autocast_cache():
                self._run = torch.cuda.make_graphed_callables(
                    function, samples, allow_unused_input=True
                )
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"train.cuda_graphs: this network cannot be recorded ({reason}); write false"
            ) from error
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
        self._inputs, self._outputs = list(inputs), function.outputs

    def __call__(self, inputs):
        outputs = self._run(*(inputs[name] for name in self._inputs))
        return dict(zip(self._outputs, outputs, strict=True))


class _OfTensors(torch.nn.Module):
    """A SeparationModel as a function of tensors."""

    def __init__(self, model, names):
        super().__init__()
        self.model, self.names, self.outputs = model, names, None

    def forward(self, *tensors):
        found = self.model(dict(zip(self.names, tensors, strict=True)))
        self.outputs = list(found)
        return tuple(found.values())


def _untouched_random_state(device):
    return torch.random.fork_rng(devices=[device])


def _without_autocast_cache():
    """Autocast as it is here, but weights are rounded anew in each run: they change."""
    dtype = torch.get_autocast_dtype("cuda")
    enabled = torch.is_autocast_enabled("cuda")
    return torch.autocast("cuda", dtype=dtype, enabled=enabled, cache_enabled=False)
