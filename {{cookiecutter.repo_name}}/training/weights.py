"""The weights of a model: compiled, data parallel, averaged over steps."""

import contextlib

import torch
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import distributed
from errors import UserError, in_one_line


def compiled(model, enabled):
    """The model through torch.compile, if `enabled`; its weights are the same tensors."""
    # static shapes: excerpts change their length only between the stages of a curriculum, and
    # torch cannot compile a remainder (%) of a symbolic length
    return torch.compile(model, dynamic=False) if enabled else model


@contextlib.contextmanager
def compiling():
    """A context for the forward and backward passes of a network, which torch.compile compiles
    when they first run.

    Raises:
        UserError: torch cannot compile the network on this machine.
    """
    try:
        yield
    except RuntimeError as error:
        if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        reason = in_one_line(str(error).partition("Set TORCH")[0], 200)
        raise UserError(
            f"train.compile: torch cannot compile this network here ({reason}); write false, or on "
            "a CPU install a C++ compiler (g++) if there is none"
        ) from error


def checkpoint_activations(model):
    """Turn on activation checkpointing: the stacks of blocks of a model do not keep their
    activations but compute them again in the backward pass (`model.extras.sequences.Blocks`).

    Raises:
        UserError: the model has no such stack.
    """
    stacks = [module for module in model.modules() if hasattr(module, "checkpointing")]
    if not stacks:
        raise UserError(
            "train.checkpointing: no module of this model is a stack of blocks, as those of "
            "conv_tasnet, dual_path, sepformer, band_split_rnn, band_split_roformer, tf_gridnet; "
            "write false (accumulate and head_items save memory too)"
        )
    for stack in stacks:
        stack.checkpointing = True


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


def share_buffers(model):
    """Give all processes the buffers of the main process, whose model is saved: without
    SyncBatchNorm, on CPUs, each process has running statistics of its own excerpts."""
    for buffer in model.buffers():
        distributed.broadcast(buffer)


def averaged(model, decay):
    """An exponential moving average (EMA) of the weights, as a model; None without a `decay`.

    Buffers are copied, not averaged. Polyak and Juditsky, "Acceleration of stochastic approximation
    by averaging", SIAM J. Control Optim. 1992.
    """
    if decay is None:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
