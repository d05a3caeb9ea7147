"""The cost of separating audio as it arrives: real-time factor and latency of causal networks.

    python -m benchmarks.streaming [--quick] [--json FILE]

Networks have the sizes of their builders and random weights, at 8 kHz, on one thread. The real-time
factor is the time to separate divided by the duration of the audio: below 1, the network keeps up.
Latency is the audio that the network needs to see, plus a block, plus the time that a block takes
(its 95th percentile).
"""

import sys
import time

import numpy as np
import torch
from algorithms import DeepAudioEstimation, DeepMaskEstimation
from compat import nussl
from model import BUILDERS
from realtime import Stream

from benchmarks import common

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


def stream_of(builder, args):
    """A stream of a network of random weights."""
    given = {"num_audio_channels": 1}
    if builder in ("mask_inference", "chimera"):
        given["num_features"] = 129
    model = nussl.ml.SeparationModel(BUILDERS[builder](**given, **args)).eval()
    params = nussl.STFTParams(256, 64, "sqrt_hann")
    about = {"stft_params": params, "sample_rate": RATE, "num_channels": 1}
    kind = DeepAudioEstimation if "audio" in model.output_keys else DeepMaskEstimation
    return Stream(kind, (model, about), {})


def measure(builder, args, block, seconds):
    """Separate seconds of noise in blocks, after one second that is not measured: a row."""
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
    args = common.parse(common.parser(__doc__, quick="small networks and 2 s"))
    torch.set_num_threads(1)
    results = common.Results(args.json)
    print(f"{'network':31} {'block':>6} {'real-time factor':>17} {'latency, ms':>12}")
    for name, (builder, changes) in NETWORKS.items():
        sizes = SMALL[builder] if args.quick else {}
        for block in BLOCKS:
            row = measure(builder, {**changes, **sizes}, block, 2 if args.quick else 10)
            text = f"{name:31} {block:6} {row['real_time_factor']:17.3f} {row['latency_ms']:12.1f}"
            results.add({"network": name, **row}, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
