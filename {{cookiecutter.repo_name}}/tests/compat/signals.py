"""What the tests of compat share: small signals and models, and a python of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from compat import nussl

PROJECT = Path(__file__).parents[2]
RATE = 8000
transforms = nussl.datasets.transforms


def needed(still_broken: bool, repair: str) -> None:
    assert still_broken, (
        f"the repair compat.{repair} is no longer needed: take it out, and this test"
    )


def tone(seconds=0.5, frequency=440.0, channels=1, dtype=np.float64):
    t = np.arange(int(seconds * RATE)) / RATE
    wave = np.sin(2 * np.pi * frequency * t).astype(dtype)
    return nussl.AudioSignal(audio_data_array=np.stack([wave] * channels), sample_rate=RATE)


class Tones(nussl.datasets.BaseDataset):
    def get_items(self, folder):
        return [0]

    def process_item(self, item):
        sources = {"a": tone(frequency=440.0), "b": tone(frequency=1000.0)}
        return {"mix": sources["a"] + sources["b"], "sources": sources}


def tones(transform):
    stft = nussl.STFTParams(window_length=64, hop_length=16, window_type="sqrt_hann")
    return Tones("nowhere", transform=transform, sample_rate=RATE, stft_params=stft, num_channels=1)


def mask_inference():
    torch.manual_seed(0)
    config = nussl.ml.networks.builders.build_recurrent_mask_inference(
        33, 4, 1, True, 0.0, 2, ["sigmoid"], normalization_class="BatchNorm"
    )
    return nussl.ml.SeparationModel(config).eval()


def training_pipeline():
    return transforms.Compose(
        [transforms.PhaseSensitiveSpectrumApproximation(), transforms.ToSeparationModel()]
    )


def run(arguments, **variables):
    """A python of its own, on a machine without ffmpeg, ffprobe and sox; what it printed last."""
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "NUMBA", "MKL")}
    environment = {**os.environ, **threads, "PATH": os.devnull, **variables}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
