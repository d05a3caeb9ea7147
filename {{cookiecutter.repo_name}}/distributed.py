"""Data-parallel training in several processes: ranks and collective operations.

Start the processes with `torchrun --nproc-per-node N -m scripts.train ...` or `srun -n N python -m
scripts.train ...`. Otherwise there is one process, and the collective operations do nothing. The
backend is NCCL for training on GPUs, else gloo, through `ignite.distributed`.
"""

import atexit
import os
import sys

import torch

from errors import UserError


def launched_world_size():
    """The number of processes that torchrun or srun started for this run; 1 if neither did."""
    for name in ("WORLD_SIZE", "SLURM_NTASKS"):
        if os.environ.get(name, "").isdecimal():
            # sbatch sets SLURM_NTASKS for the batch script too, but only srun sets SLURM_PROCID
            if name == "SLURM_NTASKS" and "SLURM_PROCID" not in os.environ:
                continue
            return int(os.environ[name])
    return 1


def run(function, device="auto"):
    """Call `function()`, within a process group if there are several processes.

    Args:
        device: the device that `function` uses, as in a YAML file.

    Returns:
        what `function` returns.

    Raises:
        UserError: another process has ended; there are fewer GPUs than processes.
    """
    if launched_world_size() == 1:
        return function()
    import ignite.distributed as idist

    backend = "nccl" if torch.cuda.is_available() and device != "cpu" else "gloo"
    if backend == "nccl" and local_rank() >= torch.cuda.device_count():
        raise UserError(
            f"this is process {local_rank()} of this machine (from 0), which has "
            f"{torch.cuda.device_count()} GPU; start a process for each GPU, or write device: cpu"
        )
    try:
        with idist.Parallel(backend=backend) as parallel:
            return parallel.run(lambda local_rank: function())
    except torch.distributed.DistError as error:
        raise _peer_lost(error) from error
    except RuntimeError as error:
        if any(word in str(error) for word in ("gloo", "Connection", "NCCL", "Socket")):
            raise _peer_lost(error) from error
        raise


def hard_exit(system_exit=None):
    """End this process at once if it is one of several; else do nothing.

    Exit handlers are called, but the rest of the interpreter's shutdown is skipped. During shutdown
    a gloo thread that releases a tensor may abort the process (pytorch issue 190489), and torchrun
    would report a finished training run as failed.

    Args:
        system_exit: the SystemExit whose status and message to use; None: status 0.
    """
    if launched_world_size() == 1:
        return
    code = system_exit.code if system_exit else 0
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _peer_lost(error):
    return UserError(
        f"process {os.environ.get('RANK', os.environ.get('SLURM_PROCID'))}: another process of "
        f"this training run has ended ({str(error).splitlines()[0][:160]}); its own message says "
        "why. "
        "Run the same command again to resume from the last checkpoint"
    )


def _is_initialized():
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def rank():
    """The rank of this process, from 0."""
    return torch.distributed.get_rank() if _is_initialized() else 0


def world_size():
    """The number of processes in the process group; 1 without one."""
    return torch.distributed.get_world_size() if _is_initialized() else 1


def local_rank():
    """The rank of this process on its machine, which is also the index of its GPU."""
    return int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0")))


def is_main_process():
    """Is this rank 0, which logs and writes files?"""
    return rank() == 0


def all_reduce(tensor):
    """The sum of `tensor` over all processes; every process gets it. `tensor` is not changed."""
    if world_size() == 1:
        return tensor
    import ignite.distributed as idist

    # NCCL needs the tensor on the GPU; all_reduce works in place
    return idist.all_reduce(tensor.detach().clone().to(idist.device())).to(tensor.device)


def broadcast(tensor):
    """Overwrite `tensor`, in place, by that of rank 0."""
    if world_size() > 1:
        torch.distributed.broadcast(tensor, src=0)


def any_process(flag):
    """Is `flag` true in any process? Every process gets the same answer."""
    if world_size() == 1:
        return bool(flag)
    return bool(all_reduce(torch.tensor(float(bool(flag)))).item() > 0)


def all_gather(item):
    """The items (plain data or tensors) of all processes in order of rank; every process gets the
    same list."""
    if world_size() == 1:
        return [item]
    items = [None] * world_size()
    torch.distributed.all_gather_object(items, item)
    return items


def local_main_process_first(function):
    """Call `function` in local rank 0 of each machine, then in the other processes, which find the
    files that the first call wrote.

    Returns:
        what `function` returned in this process.
    """
    if world_size() == 1:
        return function()
    if local_rank() == 0:
        result = function()
    torch.distributed.barrier()
    return result if local_rank() == 0 else function()
