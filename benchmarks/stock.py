"""Stock nussl's deep clustering and ours, trained for the same CPU time on the same files.

    python -m benchmarks.stock --folder data/debian [--minutes 20] [--items 100] [--json FILE]

The folder is the one that data_prep/debian/songs.yml makes. One thread for each, in a process each,
at once; the data are read within that time.

- stock: nussl's MixSourceFolder (with the mixture made of the sources), transforms, recurrent graph
  (2 BLSTMs of 150 units, 20 dimensions), loss and TrainClosure with Adam, excerpts of 400 frames;
  its DeepClustering separates. `compat` repairs nussl, without which it does not run.
- ours: experiments/real_songs.yml, with as many steps as fit.

Both are scored on the folder's test split (recorded) and on the built-in sample's (synthesised):
mean improvements of SI-SDR, estimates in the better order.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.noise import PROJECT, trainer_on

os.environ["OMP_NUM_THREADS"] = "1"
BATCH, FRAMES = 10, 400
PROBED = 6  # steps, after two, that say how many fit


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
    steps = max(1, int(0.9 * left / of_step))  # and a validation, and a step may take longer later
    trainer = our_trainer(folder, output / "ours", steps)
    trainer.fit()
    print(f"ours: {time.process_time() - start:.0f} CPU s", flush=True)
    return steps, trainer.best


def our_trainer(folder, output, steps):
    def moved(plain):
        for section in plain["datasets"].values():
            section["args"]["folder"] = str(folder)
        return plain["datasets"]

    changes = {"num_workers": 0, "epochs": 1, "excerpts_per_epoch": steps * BATCH}
    changes |= {"batch_size": BATCH, "device": "cpu", "checkpoint_every": None}
    changes |= {"scheduler": {"class": "CosineAnnealingLR", "args": {"T_max": steps}}}
    return trainer_on("real_songs.yml", moved, output, scheduler_every="step", **changes)


TRAINED = {"stock nussl": train_stock, "ours": train_ours}


def train(name, folder, minutes, output, pipe):
    pipe.send(TRAINED[name](folder, minutes, output))


def separators(paths):
    """{name: a function from a mixture to its estimates}"""
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
    """Yields (what they are, item of nussl's)."""
    import numpy as np
    from dataset import Sample

    from benchmarks.recordings import PARAMS, RATE, item_of, of_folder

    for _, _, item in of_folder(folder, count):
        yield "recorded", item
    sample = Sample(os.environ.get("DATA_DIRECTORY", "data") + "/sample", "test", RATE, 1, PARAMS)
    chosen = np.linspace(0, len(sample) - 1, count).round().astype(int).tolist()
    sample.ensure(chosen)
    for index in chosen:
        sounds = dict(zip(sample.labels, sample.excerpt(index), strict=True))
        yield "synthesised", item_of(sample.tracks[index].name, sounds)


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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="of stems: train, val and test")
    parser.add_argument("--minutes", type=float, default=20, help="of CPU time for each")
    parser.add_argument("--items", type=int, default=100, help="of each of the two test splits")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    folder = args.folder.absolute()
    os.chdir(PROJECT)
    context, pipes, paths = multiprocessing.get_context("spawn"), {}, {}
    with tempfile.TemporaryDirectory() as output:
        for name in TRAINED:
            pipes[name], theirs = context.Pipe(duplex=False)
            given = (name, folder, args.minutes, Path(output), theirs)
            context.Process(target=train, args=given).start()
            theirs.close()
        for name, pipe in pipes.items():
            steps, paths[name] = pipe.recv()
            print(f"{name}: {steps} steps in {args.minutes:g} CPU minutes", flush=True)
        found = score(separators(paths), items(folder, args.items))
    rows = []
    for (what, method, source), values in sorted(found.items()):
        mean = round(statistics.mean(values), 2)
        print(f"{what}, {len(values)} items, {source}: {method}: {mean} dB")
        rows.append({"name": f"{what}, {source}: {method}", "mean": mean, "items": len(values)})
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
