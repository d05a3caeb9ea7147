"""Deep clustering by unmodified nussl and by this project, trained for the same CPU time.

    python -m benchmarks.stock --folder data/debian [--minutes 20] [--items 100] [--json FILE]

The folder is the one that data_prep/debian/songs.yml makes. Both train on it at once, each in a
process of its own on one thread; reading the data is part of the time.

- nussl: its MixSourceFolder (with the mixture made of the sources), transforms, recurrent graph (2
  BLSTMs of 150 units, 20 dimensions), loss and TrainClosure with Adam, on excerpts of 400 frames;
  its DeepClustering separates. `compat` makes nussl run.
- ours: experiments/real_songs.yml, with as many steps as fit into the time.

Both are scored on the folder's test split (recorded) and on the built-in sample's (synthesised):
mean improvements of SI-SDR, with estimates in the better order.
"""

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import PROJECT, common
from benchmarks.trainers import trainer_on

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported
BATCH, FRAMES = 10, 400
PROBED = 6  # steps, after the first two, from which the number that fits is estimated


def train_stock(folder, minutes, output):
    """Train until the CPU time is used up; returns (steps, the checkpoint's path)."""
    import torch
    from compat import nussl

    torch.set_num_threads(1)
    torch.manual_seed(0)
    params = nussl.STFTParams(512, 128, "sqrt_hann")
    transforms = nussl.datasets.transforms
    pipeline = transforms.Compose(
        [
            transforms.PhaseSensitiveSpectrumApproximation(),
            transforms.MagnitudeWeights(),
            transforms.ToSeparationModel(),
            transforms.GetExcerpt(FRAMES),
        ]
    )
    data = nussl.datasets.MixSourceFolder(
        str(folder / "train"),
        make_mix=True,
        ext=[".flac"],
        stft_params=params,
        sample_rate=16000,
        transform=pipeline,
    )
    graph = nussl.ml.networks.builders.build_recurrent_dpcl(
        257, 150, 2, True, 0.3, 20, ["sigmoid", "unit_norm"]
    )
    model = nussl.ml.SeparationModel(graph)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    closure = nussl.ml.train.closures.TrainClosure(
        {"DeepClusteringLoss": {"weight": 1.0}}, optimizer, model
    )
    steps, start = 0, time.process_time()
    while True:
        for batch in torch.utils.data.DataLoader(data, BATCH, shuffle=True, drop_last=True):
            tensors = {key: v.float() for key, v in batch.items() if torch.is_tensor(v)}
            closure(None, tensors)  # as nussl's engines prepare it
            steps += 1
            if time.process_time() - start > 60 * minutes:
                path = output / "stock.pth"
                model.save(str(path), {**data.metadata, "num_channels": 1})
                return steps, path


def train_ours(folder, minutes, output):
    """Train for as many steps as fit into the CPU time; returns (steps, the checkpoint's path)."""
    import torch
    from memory import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(1)
    start = time.process_time()
    trainer = our_trainer(folder, output / "probe", 1000)
    batches = trainer.training_batches()
    for _ in range(2):
        trainer.train_step(next(batches))
    begun = time.process_time()
    for _ in range(PROBED):
        trainer.train_step(next(batches))
    of_step = (time.process_time() - begun) / PROBED
    batches.close()
    left = 60 * minutes - (time.process_time() - start)
    steps = max(1, int(0.9 * left / of_step))  # the rest is for validation, and for slower steps
    trainer = our_trainer(folder, output / "ours", steps)
    trainer.fit()
    print(f"ours: {time.process_time() - start:.0f} CPU s", flush=True)
    return steps, trainer.best


def our_trainer(folder, output, steps):
    """The trainer of experiments/real_songs.yml for one epoch of `steps`."""

    def in_folder(plain):
        for section in plain["datasets"].values():
            section["args"]["folder"] = str(folder)
        return plain["datasets"]

    changes = {"num_workers": 0, "epochs": 1, "excerpts_per_epoch": steps * BATCH}
    changes |= {"batch_size": BATCH, "device": "cpu", "checkpoint_every": None}
    changes |= {"scheduler": {"class": "CosineAnnealingLR", "args": {"T_max": steps}}}
    return trainer_on("real_songs.yml", in_folder, output, scheduler_every="step", **changes)


TRAINED = {"stock nussl": train_stock, "ours": train_ours}


def train(name, folder, minutes, output, pipe):
    """Train one of them, and send its steps and its checkpoint."""
    pipe.send(TRAINED[name](folder, minutes, output))


def separators(paths):
    """{name: function(mixture) -> estimates}; paths: {name: checkpoint}."""
    import config
    import experiment
    from algorithms import estimates_of
    from compat import nussl

    plain = config.load(PROJECT / "experiments/real_songs.yml").to_dict()
    plain["info"]["output_folder"] = str(paths["ours"].parents[1])
    settings = config.Config.model_validate(plain)
    ours = experiment.build_separator(settings, "cpu")

    def stock(mix):
        return nussl.separation.deep.DeepClustering(mix, 2, model_path=str(paths["stock nussl"]))

    return {
        "stock nussl": lambda mix: estimates_of(stock(mix), mix),
        "ours": lambda mix: estimates_of(ours(mix), mix),
    }


def items(folder, count):
    """Yields ("recorded" or "synthesised", item)."""
    from benchmarks.items import of_folder, of_sample

    for _, _, item in of_folder(folder, count):
        yield "recorded", item
    for item in of_sample(os.environ.get("DATA_DIRECTORY", "data") + "/sample", count):
        yield "synthesised", item


def score(unordered, chosen):
    """{(what, method, source): [SI-SDR improvement of each item, in dB]}"""
    from benchmarks.recordings import improvements

    found = {}
    for what, item in chosen:
        for (method, source), value in improvements(item, unordered, {}).items():
            if method in unordered and source != "all sources":
                found.setdefault((what, method, source), []).append(value)
    return found


def main():
    parser = common.parser(__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="of stems: train, val and test")
    parser.add_argument("--minutes", type=float, default=20, help="of CPU time for each")
    parser.add_argument("--items", type=int, default=100, help="of each of the two test splits")
    args = common.parse(parser)
    context, pipes, paths = multiprocessing.get_context("spawn"), {}, {}
    with tempfile.TemporaryDirectory() as output:
        for name in TRAINED:
            pipes[name], theirs = context.Pipe(duplex=False)
            given = (name, args.folder, args.minutes, Path(output), theirs)
            context.Process(target=train, args=given).start()
            theirs.close()
        for name, pipe in pipes.items():
            steps, paths[name] = pipe.recv()
            print(f"{name}: {steps} steps in {args.minutes:g} CPU minutes", flush=True)
        found = score(separators(paths), items(args.folder, args.items))
    results = common.Results(args.json)
    for (what, method, source), values in sorted(found.items()):
        mean = round(statistics.mean(values), 2)
        row = {"name": f"{what}, {source}: {method}", "mean": mean, "items": len(values)}
        results.add(row, f"{what}, {len(values)} items, {source}: {method}: {mean} dB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
