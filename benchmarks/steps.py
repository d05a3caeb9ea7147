"""CPU time and memory of training steps, measured in processes that take turns (Linux)."""

import multiprocessing
import os
import statistics
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported


def memory_used():
    """(peak, current) bytes of memory of this process; the peak since the last `reset_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = dict(line.split(":", 1) for line in lines)
    return tuple(1024 * int(found[name].split()[0]) for name in ("VmHWM", "VmRSS"))


def reset_peak():
    """Start a new measurement of the peak."""
    Path("/proc/self/clear_refs").write_text("5")


def measure(step, before):
    """(CPU seconds, bytes) of a step: the peak above `before`, bytes that the process used before
    its first step. What an earlier step has freed and the allocator keeps is counted too, as it is
    part of the memory that training needs."""
    reset_peak()
    start = time.process_time()
    step()
    return time.process_time() - start, memory_used()[0] - before


def measure_in_turn(makers, rounds, as_scripts=("ours",)):
    """Measure steps of several networks, each in a process of its own, on one thread, in turn.

    Args:
        makers: {name: function() -> function() that takes a step}; functions of modules.
        rounds: steps of each that are measured.
        as_scripts: names of those that keep freed memory, as `scripts.train` does.

    Returns:
        {name: [(CPU seconds, bytes)]}; the first step of each is left out.
    """
    context, pipes = multiprocessing.get_context("spawn"), {}
    for name, make in makers.items():
        pipes[name], theirs = context.Pipe()
        args = (make, name in as_scripts, theirs)
        context.Process(target=_take_steps, args=args, daemon=True).start()
    found = {name: [] for name in makers}
    for _ in range(rounds + 1):
        for name, pipe in pipes.items():
            pipe.send(True)
            found[name].append(pipe.recv())
    for pipe in pipes.values():
        pipe.send(False)
    return {name: steps[1:] for name, steps in found.items()}


def _take_steps(make, as_script, pipe):
    """Take two steps at each request, and answer with the measurement of the second: while other
    processes had their turns, the caches of the CPU have lost what the first needs."""
    if as_script:
        from memory import keep_freed_memory

        keep_freed_memory()
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    step = make()
    _, before = memory_used()
    while pipe.recv():
        step()
        pipe.send(measure(step, before))


def compare_steps(results, name, ours, theirs, goals=(None, None)):
    """Add the CPU time and the peak memory of steps to the results: medians, and the medians of the
    ratios of steps that were measured side by side.

    Args:
        ours, theirs: what `measure_in_turn` returned.
        goals: for the time and for the memory.
    """
    columns = (("CPU time (s)", 1.0), ("peak memory (MB)", 1e6))
    for number, (what, unit) in enumerate(columns):
        pairs = [(a[number] / unit, b[number] / unit) for a, b in zip(ours, theirs, strict=True)]
        results.compare(
            f"{name}, {what}",
            *(statistics.median(values) for values in zip(*pairs, strict=True)),
            goals[number],
            ratio=statistics.median(a / b for a, b in pairs),
        )
