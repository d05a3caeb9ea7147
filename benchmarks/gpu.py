"""What a step of each network costs on a GPU, and whether the loader keeps up.

    pip install --no-deps asteroid asteroid-filterbanks huggingface_hub julius
    python -m benchmarks.gpu [--quick] [--json FILE]
    python -m benchmarks.gpu --device cpu --quick --batch 1 --only mask_inference   # tries itself

- Steps of `scripts.train` for the experiments of published size and for the shipped model, on
  noise, in float32 (which is TF32 in convolutions and LSTMs, torch's default), in bfloat16, in
  bfloat16 with `cuda_graphs`, and compiled: steps a second, the peak of memory above what is held
  between steps, the share of time in which the GPU computes (NVML).
- Forward and backward pass beside asteroid's networks of the same sizes, and a step of deep
  clustering beside stock nussl: in turn, medians. A package that is not installed is left out.
- Steps a second with the loader (WAV files, two workers as in the experiments), beside those
  without.

A GPU works while Python goes on, so every time is taken when it has finished.
"""

import argparse
import functools
import importlib.util
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.networks import PAIRS, PUBLISHED, our_network, their_network
from benchmarks.noise import PROJECT, trainer_on, trainer_on_noise

PRECISIONS = ("float32", "bfloat16")
KEYS = {  # each by itself: function(name) -> is it measured?
    "cuda_graphs": lambda name: name != "band_split_roformer",  # a batch in two parts
    "compile": lambda name: name == "conv_tasnet",  # the others hold LSTMs, or are slow to compile
}
SHIPPED = "../best_model/config.yml"
AGAINST = {"Conv-TasNet": (8, 1, 32000), "dual path": (8, 1, 32000)}  # 4 s at 8 kHz
LOADED = {"conv_tasnet": "conv_tasnet.yml", "chimera": "music/musdb18_vocals_chimera.yml"}


def wait_for(device):
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(steps, device, seconds):
    """Take steps of each function in turn: {name: [seconds of a step]}, the first two left out."""
    found = {name: [] for name in steps}
    for _ in range(200):
        for name, step in steps.items():
            wait_for(device)
            start = time.perf_counter()
            step()
            wait_for(device)
            found[name].append(time.perf_counter() - start)
        if sum(sum(times[2:]) for times in found.values()) > seconds * len(steps):
            break
    return {name: times[2:] for name, times in found.items()}


def busy_share(step, device, seconds):
    """Per cent of the time in which the GPU computes, while steps follow each other."""
    import torch

    if device.type != "cuda":
        return None
    found, end = [], time.perf_counter() + max(seconds, 0.6)
    while time.perf_counter() < end:
        step()
        try:
            found.append(torch.cuda.utilization(device))
        except ImportError:  # nvidia-ml-py
            return None
    return statistics.median(found[len(found) // 2 :])


def row(name, ours, theirs=None, unit="steps a second", **more):
    ratio = None if theirs is None else round(ours / theirs, 3)
    return {"name": name, "ours": round(ours, 3), "theirs": theirs and round(theirs, 3)} | {
        "ratio": ratio,
        "unit": unit,
        "goal": None,
        "holds": None,
        **more,
    }


def row_beside(name, times):
    """The row of {"ours", "theirs": seconds of steps}."""
    return row(name, *(1 / statistics.median(times[key]) for key in ("ours", "theirs")))


def print_row(line):
    beside = "" if line["theirs"] is None else f" beside {line['theirs']:g}, ratio {line['ratio']}"
    names = ("memory (MB)", "busy (%)")
    more = "".join(f", {key} {line[key]}" for key in names if line.get(key) is not None)
    print(f"{line['name']}: {line['ours']:g} {line['unit']}{beside}{more}", flush=True)


def ways_to_compute(name, device):
    """The settings of `train` that an experiment is measured with: yields {key: value}."""
    yield from ({"precision": precision} for precision in PRECISIONS)
    if device.type == "cuda":
        for key, possible in KEYS.items():
            if possible(name):
                yield {"precision": "bfloat16", key: True}


def experiments(device, seconds, only, size):
    """Steps of the experiments of published size."""
    from training import fitting

    files = {**PUBLISHED, "shipped": SHIPPED}
    for name in only or files:
        for changes in ways_to_compute(name, device):
            trainer = trainer_on_noise(files[name], device=device.type, **changes, **size)
            batch = trainer.to_device(next(trainer.training_batches()))

            def step(trainer=trainer, batch=batch):
                trainer.train_step(batch)

            times = timed({"step": step}, device, seconds)["step"]
            title = ", ".join(
                [name, changes["precision"], *[key for key in changes if key in KEYS]]
            )
            title += f", batch of {trainer.settings.batch_size}"
            yield row(
                f"gpu: {title}",
                1 / statistics.median(times),
                **{"memory (MB)": round(fitting.peak_of(step, device) / 1e6)},
                **{"busy (%)": busy_share(step, device, seconds / 2)},
            )


def beside_asteroid(device, seconds):
    """A forward and backward pass of ours and of asteroid's, in each precision."""
    import torch
    from training.precision import autocast

    for name, shape in AGAINST.items():
        for precision in PRECISIONS:
            steps = {}
            for key, make in (("ours", our_network), ("theirs", their_network)):
                torch.manual_seed(0)
                network, call, _ = make(name)
                network.to(device)
                audio = 0.1 * torch.randn(shape, device=device)

                def step(network=network, call=call, audio=audio, precision=precision):
                    network.zero_grad()
                    with autocast(device, precision):
                        output = call(audio)
                    output.float().abs().mean().backward()

                steps[key] = step
            title = f"gpu: {name} beside asteroid's, {precision}, batch of {shape[0]}"
            yield row_beside(title, timed(steps, device, seconds))


def beside_nussl(device, seconds):
    """A step of deep clustering of published size, ours from waveforms, nussl's from features."""
    from benchmarks.training import BATCH, our_step, stock_step

    steps = {"ours": our_step(device.type), "theirs": stock_step(device.type)}
    title = f"gpu: deep clustering beside stock nussl, float32, batch of {BATCH}"
    yield row_beside(title, timed(steps, device, seconds))


def write_songs(folder, rate, channels, labels, songs=24, seconds=12):
    import numpy as np
    import soundfile

    rng = np.random.default_rng(0)
    for label in labels:
        for split in ("train", "val"):
            (folder / split / label).mkdir(parents=True)
        for number in range(songs):
            noise = 0.1 * rng.standard_normal((seconds * rate, channels))
            soundfile.write(folder / "train" / label / f"{number}.wav", noise, rate)


def with_the_loader(device, seconds, only, size):
    """Steps that wait for their batches, beside steps on one that is there."""

    def songs(folder, plain):
        signal = plain["signal"]
        labels = ("accompaniment", "vocals")
        write_songs(folder, signal["sample_rate"], signal["num_channels"], labels)
        stems = {"class": "StemFolder", "args": {"folder": str(folder), "layout": "stems"}}
        augment = plain["datasets"]["train"].get("augment")
        return {"train": stems | ({"augment": augment} if augment else {})}

    changes = {"device": device.type, "precision": "auto", "epochs": 10000, **size}
    for name, file in LOADED.items():
        if only and name not in only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            there = functools.partial(songs, folder)
            trainer = trainer_on(file, there, folder / "out", **changes)
            batches = trainer.training_batches()

            def loaded(trainer=trainer, batches=batches):
                trainer.train_step(trainer.to_device(next(batches)))

            batch = trainer.to_device(next(batches))
            alone = timed({"": lambda t=trainer, b=batch: t.train_step(b)}, device, seconds)[""]
            for _ in range(trainer.settings.num_workers * 2 + 2):  # what was read meanwhile
                loaded()
            start, steps = time.perf_counter(), 0
            while time.perf_counter() < start + 2 * seconds or steps < 3:
                loaded()
                steps += 1
            wait_for(device)
            rate = steps / (time.perf_counter() - start)
            batches.close()
        title = f"gpu: {name} with {trainer.settings.num_workers} workers of the loader"
        title += f" beside without, {trainer.precision}, batch of {trainer.settings.batch_size}"
        yield row(title, rate, 1 / statistics.median(alone))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="half a second of steps, not two")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, help="excerpts in a batch, not the experiment's")
    parser.add_argument("--only", nargs="*", choices=[*PUBLISHED, "shipped"], help="these networks")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    os.chdir(PROJECT)
    import devices
    import torch
    from errors import UserError

    try:
        device = devices.choose(args.device)
    except UserError as error:
        sys.exit(f"benchmarks.gpu: {error}")
    print(f"{devices.describe(device)}, torch {torch.__version__}")
    seconds, rows = 0.5 if args.quick else 2.0, []
    size = {} if args.batch is None else {"batch_size": args.batch, "accumulate": 1}
    given = device, seconds, args.only, size
    parts = [experiments(*given), with_the_loader(*given)]
    if not args.only:
        parts.append(beside_nussl(device, seconds))
        theirs = {PAIRS[name][1][0].partition(".")[0] for name in AGAINST}
        if all(map(importlib.util.find_spec, theirs)):
            parts.append(beside_asteroid(device, seconds))
        else:
            print(f"{', '.join(sorted(theirs))}: not installed, and left out")
    for part in parts:
        for line in part:
            print_row(line)
            rows.append(line)
            if args.json:  # after each, so that nothing is lost
                args.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
