"""A model's weights: compiled, the same in all processes, averaged over steps."""

import contextlib

import torch
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import distributed


def compiled(model, wanted):
    """The model, through torch.compile if that is `wanted`; its weights are the same tensors."""
    return torch.compile(model) if wanted else model


def data_parallel(model, unreached=()):
    """The model, whose gradients are the mean over all processes; itself where there is one.

    unreached: names of parameters that get no gradient, for which nobody has to wait.
    """
    if distributed.world_size() == 1:
        return model
    device = next(model.parameters()).device
    if device.type == "cuda":
        model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return DistributedDataParallel(
        model,
        device_ids=[device] if device.type == "cuda" else None,
        find_unused_parameters=bool(unreached),
    )


def without_exchange(network, wanted):
    """A context in which gradients are added up here and not sent round, if that is `wanted`."""
    if wanted and isinstance(network, DistributedDataParallel):
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
