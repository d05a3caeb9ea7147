"""The weights of a model: compiled, data parallel, averaged over steps."""

import contextlib

import torch
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import distributed


def compiled(model, enabled):
    """The model through torch.compile, if `enabled`; its weights are the same tensors."""
    return torch.compile(model) if enabled else model


def data_parallel(model, unused=()):
    """The model in DistributedDataParallel, or itself if there is one process.

    unused: names of parameters that get no gradient, which the processes must not wait for.
    """
    if distributed.world_size() == 1:
        return model
    device = next(model.parameters()).device
    if device.type == "cuda":
        model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return DistributedDataParallel(
        model,
        device_ids=[device] if device.type == "cuda" else None,
        find_unused_parameters=bool(unused),
    )


def no_sync(network, enabled):
    """A context in which the gradients of `network` are not exchanged between processes, if
    `enabled`."""
    if enabled and isinstance(network, DistributedDataParallel):
        return network.no_sync()
    return contextlib.nullcontext()


def averaged(model, decay):
    """An exponential moving average of the weights, a model of its own; None without a `decay`.

    Its buffers are the model's. Polyak and Juditsky, "Acceleration of stochastic approximation by
    averaging", SIAM J. Control Optim. 1992.
    """
    if decay is None:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
