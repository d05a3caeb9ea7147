"""What separating audio as it arrives takes: real-time factor and latency of each causal network.

    python -m benchmarks.streaming [--quick] [--json FILE]

Networks have the sizes of their builders and random weights, at 8 kHz, on one thread. The real-time
factor is the time to separate over the time that the audio lasts: below 1 keeps up. Latency is what
the network needs to see, plus a block, plus the time that a block takes (its 95th percentile).
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

PROJECT = Path(__file__).parents[1] / "{{cookiecutter.repo_name}}"
RATE = 8000
BLOCKS = (64, 256, 1024)  # samples
NETWORKS = {
    "conv_tasnet, causal": ("conv_tasnet", {"causal": True}),
    "tasnet, one direction": ("tasnet", {"bidirectional": False}),
    "mask_inference, one direction": ("mask_inference", {"bidirectional": False}),
    "chimera, one direction": ("chimera", {"bidirectional": False}),
}
SMALL = {
    "conv_tasnet": {"num_filters": 64, "num_channels": 32, "hidden_size": 64, "num_layers": 4},
    "tasnet": {"num_filters": 64, "hidden_size": 64},
    "mask_inference": {"hidden_size": 64},
    "chimera": {"hidden_size": 64},
}
sys.path.insert(0, str(PROJECT))


def stream_of(builder, args):
    """A stream of a network of random weights."""
    from algorithms import DeepAudioEstimation, DeepMaskEstimation
    from compat import nussl
    from model import BUILDERS
    from realtime import Stream

    given = {"num_audio_channels": 1}
    if builder in ("mask_inference", "chimera"):
        given["num_features"] = 129
    model = nussl.ml.SeparationModel(BUILDERS[builder](**given, **args)).eval()
    params = nussl.STFTParams(256, 64, "sqrt_hann")
    about = {"stft_params": params, "sample_rate": RATE, "num_channels": 1}
    kind = DeepAudioEstimation if "audio" in model.output_keys else DeepMaskEstimation
    return Stream(kind, (model, about), {})


def measure(builder, args, block, seconds):
    """A row: seconds of audio in blocks, after one second that is not counted."""
    stream = stream_of(builder, args)
    data = 0.1 * np.random.default_rng(0).standard_normal(int((seconds + 1) * RATE))
    times = []
    for first in range(0, len(data), block):
        start = time.perf_counter()
        stream(data[first : first + block])
        times.append(time.perf_counter() - start)
    times = times[RATE // block :]
    return {
        "block": block,
        "real_time_factor": sum(times) / (len(times) * block / RATE),
        "network_ms": 1000 * stream.latency / RATE,
        "latency_ms": 1000 * ((stream.latency + block) / RATE + float(np.percentile(times, 95))),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small networks and 2 s")
    parser.add_argument("--json", type=Path, help="write the rows to this file, too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    print(f"{'network':31} {'block':>6} {'real-time factor':>17} {'latency, ms':>12}")
    for name, (builder, args) in NETWORKS.items():
        sizes = SMALL[builder] if options.quick else {}
        for block in BLOCKS:
            row = measure(builder, {**args, **sizes}, block, 2 if options.quick else 10)
            rows.append({"network": name, **row})
            print(
                f"{name:31} {block:6} {row['real_time_factor']:17.3f} {row['latency_ms']:12.1f}",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
