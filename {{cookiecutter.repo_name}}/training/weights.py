"""The weights of a model: compiled, data parallel, averaged over steps."""

import contextlib

import torch
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import distributed
from errors import UserError, in_one_line


def compiled(model, enabled):
    """The model through torch.compile, if `enabled`; its weights are the same tensors. Compiled for
    each length by itself: excerpts have another one only in another stage of the curriculum, and
    torch cannot compile the remainders of a length that it does not know."""
    return torch.compile(model, dynamic=False) if enabled else model


@contextlib.contextmanager
def compiling():
    """A context for what is compiled when it is first called: forward and backward passes.

    Raises:
        UserError: torch cannot compile it here.
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
    """Have all stacks of blocks in a model compute their activations twice: attribute
    `checkpointing` of `model.extras.sequences.Blocks`.

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
    """Give all processes the buffers of the first, whose model is kept: on CPUs the statistics of
    batch normalisation are those of the excerpts that each process has seen."""
    for buffer in model.buffers():
        distributed.broadcast(buffer)


def averaged(model, decay):
    """An exponential moving average of the weights, a model of its own; None without a `decay`.

    Its buffers are the model's. Polyak and Juditsky, "Acceleration of stochastic approximation by
    averaging", SIAM J. Control Optim. 1992.
    """
    if decay is None:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
