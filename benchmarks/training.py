"""What a step of training costs, beside stock nussl on the same batch.

    python -m benchmarks.training [--quick] [--json FILE]

Deep clustering of the published size (4 BLSTMs of 300 units a direction, 257 bins, 400 frames,
batch 8, 20 dimensions, one thread), three ways, in one process each, in turn:

- stock: nussl's graph, loss and TrainClosure, with features at hand (`compat` repairs nussl, which
  changes no cost of these);
- ours: the Trainer of experiments/deep_clustering.yml, from waveforms;
- the floor: the matrix products of the same step, alone, at this machine's measured speed.

CPU seconds are those of the process. Memory is the peak of a step above what the process held at
its start, optimiser and all (Linux).
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time
from pathlib import Path

from benchmarks.noise import PROJECT, trainer_on_noise

os.environ["OMP_NUM_THREADS"] = "1"
BATCH, FRAMES, BINS, HIDDEN, LAYERS, DIMS = 8, 400, 257, 300, 4, 20
GOALS = {"CPU time": 0.75, "peak memory": 0.5}


def stock_step(device="cpu"):
    """nussl alone: a function that takes a step."""
    import torch
    from compat import nussl

    graph = nussl.ml.networks.builders.build_recurrent_dpcl(
        BINS, HIDDEN, LAYERS, True, 0.3, DIMS, ["tanh", "unit_norm"]
    )
    model = nussl.ml.SeparationModel(graph).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    closure = nussl.ml.train.closures.TrainClosure(
        {"DeepClusteringLoss": {"weight": 1.0}}, optimizer, model
    )
    magnitude = torch.rand(BATCH, FRAMES, BINS, 1, device=device)
    mask = torch.nn.functional.one_hot(torch.randint(2, magnitude.shape), 2).float()
    mask = mask.to(device)
    batch = {
        "mix_magnitude": magnitude,
        "weights": torch.rand_like(magnitude),
        "ideal_binary_mask": mask,
        "source_magnitudes": mask * magnitude[..., None],
    }
    return lambda: closure(None, dict(batch))


def our_step(device="cpu"):
    """The project's own trainer, on waveforms of noise."""
    import torch

    trainer = trainer_on_noise("deep_clustering.yml", device=device, batch_size=BATCH)
    batch = trainer.to_device(next(iter(trainer.training_batches())))
    torch.manual_seed(0)
    return lambda: trainer.train_step(batch)


def floor_step():
    """The matrix products of a step: forward, gradient of the input, gradient of the weights."""
    import torch

    rows = BATCH * FRAMES
    sizes = [(BINS, 4 * HIDDEN), *[(2 * HIDDEN, 4 * HIDDEN)] * (LAYERS - 1)]
    products = [(rows, *size) for size in sizes for _ in range(2)]  # two directions
    products += [(rows, HIDDEN, 4 * HIDDEN)] * (2 * LAYERS)  # from frame to frame
    products.append((rows, 2 * HIDDEN, BINS * DIMS))
    pairs = [(torch.rand(n, k), torch.rand(k, m)) for n, k, m in products]

    def step():
        for a, b in pairs:
            for _ in range(3):
                a @ b

    return step


STEPS = {"stock": stock_step, "ours": our_step, "floor": floor_step}


def held():
    """(peak, now) bytes of memory of this process; the peak since it was last forgotten."""
    found = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return tuple(1024 * int(found[name].split()[0]) for name in ("VmHWM", "VmRSS"))


def forget_the_peak():
    Path("/proc/self/clear_refs").write_text("5")


def serve(name, pipe):
    """Take two steps whenever asked; answer with the CPU seconds and the memory of the second.

    The first one fetches what the system has taken from a process that waited for the others.
    """
    if name == "ours":
        from memory import keep_freed_memory

        keep_freed_memory()
    import torch

    torch.set_num_threads(1)
    step = STEPS[name]()
    while pipe.recv():
        step()
        forget_the_peak()
        _, before = held()
        start = time.process_time()
        step()
        seconds = time.process_time() - start
        pipe.send((seconds, held()[0] - before))


def measure(rounds):
    """{name: {"seconds", "memory"}}, medians of steps taken in turn, the first of each left out."""
    context = multiprocessing.get_context("spawn")
    pipes = {}
    for name in STEPS:
        mine, theirs = context.Pipe()
        context.Process(target=serve, args=(name, theirs), daemon=True).start()
        pipes[name] = mine
    found = {name: [] for name in STEPS}
    for _ in range(rounds + 1):
        for name, pipe in pipes.items():
            pipe.send(True)
            found[name].append(pipe.recv())
    for pipe in pipes.values():
        pipe.send(False)
    return {
        name: {"seconds": [s for s, _ in steps[1:]], "memory": [m for _, m in steps[1:]]}
        for name, steps in found.items()
    }


def table(found):
    """The rows that `--json` writes."""
    rows = []
    for title, key, unit in (("CPU time", "seconds", 1), ("peak memory", "memory", 1e6)):
        ours, theirs = found["ours"][key], found["stock"][key]
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        rows.append(
            {
                "name": f"training: a deep clustering step, {title} ({'s' if unit == 1 else 'MB'})",
                "ours": round(statistics.median(ours) / unit, 3),
                "theirs": round(statistics.median(theirs) / unit, 3),
                "ratio": round(ratio, 3),
                "goal": f"<= {GOALS[title]}",
                "holds": ratio <= GOALS[title],
            }
        )
    floor = statistics.median(found["floor"]["seconds"])
    rows.append(
        {
            "name": "training: its matrix products alone, CPU time (s)",
            "ours": None,
            "theirs": round(floor, 3),
            "ratio": None,
            "goal": None,
            "holds": None,
        }
    )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 steps of each instead of 9")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    os.chdir(PROJECT)  # where the project's paths begin
    rows = table(measure(3 if args.quick else 9))
    for row in rows:
        if row["ratio"] is None:
            print(f"{row['name']}: {row['theirs']:.2f}")
            continue
        verdict = "holds" if row["holds"] else "MISSED"
        print(
            f"{row['name']}: ours {row['ours']:.2f}, stock nussl {row['theirs']:.2f}, "
            f"ratio {row['ratio']:.2f}, goal {row['goal']}: {verdict}"
        )
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    return int(any(row["holds"] is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
