"""Many processes that train one model: who is who, and what they tell each other.

Started by `torchrun --nproc-per-node N -m scripts.train ...` or `srun -n N python -m scripts.train
...`; with neither there is one process, and everything here does nothing. The work is pytorch
ignite's (`ignite.distributed`), over NCCL where there is a GPU for each process, else over gloo.
"""

import atexit
import os
import sys

import torch

from files import UserError


def started_together():
    """How many processes torchrun or srun started for this training; 1 if neither did."""
    for name in ("WORLD_SIZE", "SLURM_NTASKS"):
        if os.environ.get(name, "").isdecimal():
            # a SLURM script's own python has SLURM_NTASKS too, but no number among the tasks
            if name == "SLURM_NTASKS" and "SLURM_PROCID" not in os.environ:
                continue
            return int(os.environ[name])
    return 1


def run(function):
    """Call `function()` in each of the processes, connected with each other.

    Raises:
        UserError: another process is gone.
    """
    if started_together() == 1:
        return function()
    import ignite.distributed as idist

    try:
        with idist.Parallel(backend="nccl" if torch.cuda.is_available() else "gloo") as parallel:
            return parallel.run(lambda local_rank: function())
    except torch.distributed.DistError as error:
        raise _gone(error) from error
    except RuntimeError as error:
        if any(word in str(error) for word in ("gloo", "Connection", "NCCL", "Socket")):
            raise _gone(error) from error
        raise


def leave(leaving=None):
    """End this process if it is one of many, as the SystemExit `leaving` would; else do nothing.

    The interpreter's own end is left out but for what was to be called at exit: during it, a thread
    of gloo that lets go of a tensor may abort the process (pytorch issue 190489), and torchrun
    would take what is done for failed.
    """
    if started_together() == 1:
        return
    code = leaving.code if leaving else 0
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _gone(error):
    return UserError(
        f"process {os.environ.get('RANK', os.environ.get('SLURM_PROCID'))}: another process of "
        f"this training is gone ({str(error).splitlines()[0][:160]}); its own message says why. "
        "Start the same command again to go on from the last checkpoint"
    )


def _connected():
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def number():
    """This process's number, from 0."""
    return torch.distributed.get_rank() if _connected() else 0


def count():
    """How many processes there are."""
    return torch.distributed.get_world_size() if _connected() else 1


def local_number():
    """This process's number on its machine: that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0")))


def is_first():
    """Is this the process that writes?"""
    return number() == 0


def total(tensor):
    """The sum of a tensor over all processes, on each of them."""
    if count() == 1:
        return tensor
    import ignite.distributed as idist

    # over NCCL only what lies on the GPU can be sent; the sum is made in place
    return idist.all_reduce(tensor.detach().clone().to(idist.device())).to(tensor.device)


def any_of(flag):
    """Is `flag` true in any process? The same answer on each of them."""
    if count() == 1:
        return bool(flag)
    return bool(total(torch.tensor(float(bool(flag)))).item() > 0)


def gathered(thing):
    """[what each process gave], plain data and tensors, on each of them."""
    if count() == 1:
        return [thing]
    things = [None] * count()
    torch.distributed.all_gather_object(things, thing)
    return things


def one_after_the_first(function):
    """Call `function` in the first process of each machine, then in the others: what it leaves on
    the disk is there for them."""
    if count() == 1:
        return function()
    if local_number() == 0:
        result = function()
    torch.distributed.barrier()
    return result if local_number() == 0 else function()
