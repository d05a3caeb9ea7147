"""The speed of training steps on a GPU, and whether the data loader keeps up.

    pip install --no-deps asteroid asteroid-filterbanks huggingface_hub julius
    python -m benchmarks.gpu [--quick] [--json FILE]
    python -m benchmarks.gpu --device cpu --quick --batch 1 --only mask_inference   # a trial

- Steps of `scripts.train` for the experiments of published size and for the shipped model, on
  noise, in float32 (TF32 in convolutions and LSTMs, torch's default), in bfloat16, in bfloat16 with
  `cuda_graphs`, and compiled: steps per second, peak memory above what is allocated between steps,
  and the share of time in which the GPU computes (NVML).
- Forward and backward passes, compared with asteroid's networks of the same sizes, and a step of
  deep clustering, compared with unmodified nussl's: in turn, medians. Packages that are not
  installed are left out.
- Steps per second with the data loader (WAV files, as many workers as in the experiments), compared
  with steps on a batch in memory.

A GPU works asynchronously, so the clock is read after it has finished.
"""

import functools
import importlib.util
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import common
from benchmarks.networks import PAIRS, PUBLISHED, our_network, take_step, their_network
from benchmarks.trainers import trainer_on, trainer_on_noise

PRECISIONS = ("float32", "bfloat16")
KEYS = {  # settings that are measured one at a time: function(name) -> is it, for this network?
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
    """Take steps of each function in turn, for `seconds` of each.

    Args:
        steps: {name: function() that takes a step}.

    Returns:
        {name: [seconds of a step]}, without the first two.
    """
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
    """Percentage of the time in which the GPU computes while steps are taken; None on a CPU, and
    without nvidia-ml-py."""
    import torch

    if device.type != "cuda":
        return None
    found, end = [], time.perf_counter() + max(seconds, 0.6)
    while time.perf_counter() < end:
        step()
        try:
            found.append(torch.cuda.utilization(device))
        except ImportError:
            return None
    return statistics.median(found[len(found) // 2 :])


def settings_of(name, device):
    """Yields the settings of `train` with which an experiment is measured."""
    yield from ({"precision": precision} for precision in PRECISIONS)
    if device.type == "cuda":
        for key, is_measured in KEYS.items():
            if is_measured(name):
                yield {"precision": "bfloat16", key: True}


def measure_experiments(results, device, seconds, only, size):
    """Steps of the experiments of published size."""
    from training import fitting

    files = {**PUBLISHED, "shipped": SHIPPED}
    for name in only or files:
        for changes in settings_of(name, device):
            trainer = trainer_on_noise(files[name], device=device.type, **changes, **size)
            batch = trainer.to_device(next(trainer.training_batches()))
            step = functools.partial(trainer.train_step, batch)
            times = timed({"step": step}, device, seconds)["step"]
            title = ", ".join(
                [name, changes["precision"], *[key for key in changes if key in KEYS]]
            )
            results.compare(
                f"gpu: {title}, batch of {trainer.settings.batch_size}, steps per second",
                1 / statistics.median(times),
                **{"memory (MB)": round(fitting.peak_of(step, device) / 1e6)},
                **{"busy (%)": busy_share(step, device, seconds / 2)},
            )


def compare_times(results, title, times):
    """Add {"ours", "theirs": seconds of steps} to the results, as steps per second."""
    speeds = [1 / statistics.median(times[key]) for key in ("ours", "theirs")]
    results.compare(f"gpu: {title}, steps per second", *speeds)


def compare_with_asteroid(results, device, seconds):
    """Forward and backward passes of ours and of asteroid's networks, in each precision."""
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

                def forward(audio, call=call, precision=precision):
                    with autocast(device, precision):
                        output = call(audio)
                    return output.float()

                steps[key] = functools.partial(take_step, network, forward, audio)
            title = f"{name}, compared with asteroid's, {precision}, batch of {shape[0]}"
            compare_times(results, title, timed(steps, device, seconds))


def compare_with_nussl(results, device, seconds):
    """A step of deep clustering of published size: ours from waveforms, nussl's from features."""
    from benchmarks.training import BATCH, our_step, stock_step

    steps = {"ours": our_step(device.type), "theirs": stock_step(device.type)}
    title = f"deep clustering, compared with nussl's, float32, batch of {BATCH}"
    compare_times(results, title, timed(steps, device, seconds))


def write_songs(folder, rate, channels, labels, songs=24, seconds=12):
    """Write songs of noise, as a folder for each source."""
    import numpy as np
    import soundfile

    rng = np.random.default_rng(0)
    for label in labels:
        for split in ("train", "val"):
            (folder / split / label).mkdir(parents=True)
        for number in range(songs):
            noise = 0.1 * rng.standard_normal((seconds * rate, channels))
            soundfile.write(folder / "train" / label / f"{number}.wav", noise, rate)


def measure_loader(results, device, seconds, only, size):
    """Steps whose batches come from the data loader, compared with steps on a batch in memory."""

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
            trainer = trainer_on(file, functools.partial(songs, folder), folder / "out", **changes)
            batches = trainer.training_batches()

            def step_with_loader(trainer=trainer, batches=batches):
                trainer.train_step(trainer.to_device(next(batches)))

            step = functools.partial(trainer.train_step, trainer.to_device(next(batches)))
            alone = timed({"step": step}, device, seconds)["step"]
            for _ in range(trainer.settings.num_workers * 2 + 2):  # read meanwhile
                step_with_loader()
            start, steps = time.perf_counter(), 0
            while time.perf_counter() < start + 2 * seconds or steps < 3:
                step_with_loader()
                steps += 1
            wait_for(device)
            speed = steps / (time.perf_counter() - start)
            batches.close()
        title = f"gpu: {name} with {trainer.settings.num_workers} workers of the data loader, "
        title += f"compared with one batch in memory, {trainer.precision}, "
        title += f"batch of {trainer.settings.batch_size}, steps per second"
        results.compare(title, speed, 1 / statistics.median(alone))


def main():
    parser = common.parser(__doc__, quick="half a second of steps instead of two")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, help="batch size instead of the experiment's")
    parser.add_argument("--only", nargs="*", choices=[*PUBLISHED, "shipped"], help="these networks")
    args = common.parse(parser)
    import devices
    import torch
    from errors import UserError

    try:
        device = devices.choose(args.device)
    except UserError as error:
        sys.exit(f"benchmarks.gpu: {error}")
    print(f"{devices.describe(device)}, torch {torch.__version__}")
    results, seconds = common.Results(args.json), 0.5 if args.quick else 2.0
    size = {} if args.batch is None else {"batch_size": args.batch, "accumulate": 1}
    measure_experiments(results, device, seconds, args.only, size)
    measure_loader(results, device, seconds, args.only, size)
    if args.only:
        return 0
    compare_with_nussl(results, device, seconds)
    packages = {PAIRS[name][1][0].partition(".")[0] for name in AGAINST}
    if all(map(importlib.util.find_spec, packages)):
        compare_with_asteroid(results, device, seconds)
    else:
        print(f"{', '.join(sorted(packages))}: not installed, and left out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
