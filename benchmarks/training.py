"""The cost of a training step, compared with unmodified nussl's on a batch of the same size.

    python -m benchmarks.training [--quick] [--json FILE]

Deep clustering of the published size (4 BLSTMs of 300 units in each direction, 257 bins, 400
frames, batch of 8, 20 dimensions) on one thread, each in a process of its own, in turn:

- nussl: its graph, loss and TrainClosure on features that are computed before (`compat` makes it
  run, which does not change its cost);
- ours: a step of the Trainer of experiments/deep_clustering.yml, from waveforms;
- the matrix products of such a step alone: a lower bound on this machine.

Memory is the peak of a step above what the process used before its first step.
"""

import statistics
import sys

from benchmarks import common
from benchmarks.steps import compare_steps, measure_in_turn
from benchmarks.trainers import trainer_on_noise

BATCH, FRAMES, BINS, HIDDEN, LAYERS, DIMS = 8, 400, 257, 300, 4, 20
GOALS = (("<=", 0.75), ("<=", 0.75))  # CPU time, memory


def stock_step(device="cpu"):
    """A function that takes a step of unmodified nussl."""
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
    """A function that takes a step of the project's Trainer, on waveforms of noise."""
    import torch

    trainer = trainer_on_noise("deep_clustering.yml", device=device, batch_size=BATCH)
    batch = trainer.to_device(next(iter(trainer.training_batches())))
    torch.manual_seed(0)
    return lambda: trainer.train_step(batch)


def products_step():
    """A function that computes the matrix products of a step: forward, and the gradients of the
    inputs and of the weights."""
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


STEPS = {"stock": stock_step, "ours": our_step, "products": products_step}


def main():
    args = common.parse(common.parser(__doc__, quick="3 steps of each instead of 9"))
    found = measure_in_turn(STEPS, 3 if args.quick else 9)
    results = common.Results(args.json)
    name = "training: a step of deep clustering, compared with nussl's"
    compare_steps(results, name, found["ours"], found["stock"], GOALS)
    seconds = statistics.median(seconds for seconds, _ in found["products"])
    results.compare("training: its matrix products alone, CPU time (s)", seconds)
    return results.status()


if __name__ == "__main__":
    sys.exit(main())
