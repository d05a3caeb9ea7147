"""What separating a long file takes, beside stock nussl: memory, CPU time, and if masks agree.

    python -m benchmarks.separation [--quick] [--stock-minutes M] [--json FILE]

The file is stereo at 44.1 kHz, made of tones and noise; the model is the one that ships. Each run
is a process of its own. Stock nussl (repaired so that it runs) reads the same file into an
AudioSignal and takes it through its own DeepClustering, whose k-means here begins once; where it
runs out of memory, a tenth less is tried, until what it did is the longest that it can do here.
"""

import argparse
import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

PROJECT = Path(__file__).parents[1] / "{{cookiecutter.repo_name}}"
MODEL = PROJECT / "best_model/checkpoints/best.model.pth"
RATE = 44100
sys.path.insert(0, str(PROJECT))


def make_file(path, seconds):
    """Two voices of tones that start and stop, and noise: stereo, 16 bits."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for second in range(seconds):
            time_ = second + np.arange(RATE) / RATE
            low = 0.3 * np.sin(2 * np.pi * 300 * time_ + 5 * np.sin(12 * time_))
            high = 0.2 * np.sign(np.sin(2 * np.pi * 110 * time_)) * (second % 3 > 0)
            sides = np.stack([low + 0.5 * high, 0.5 * low + high], axis=1)
            file.write(sides + 0.01 * rng.standard_normal((RATE, 2)))


def ours(path, folder):
    import memory

    memory.keep_freed_memory()  # as every script does, before torch is imported
    import streams
    from algorithms import DeepClustering, Streamed

    make = functools.partial(DeepClustering, num_sources=2, model_path=str(MODEL))
    recording = streams.FileRecording(path)
    with streams.SourceFiles(folder, recording.sample_rate, recording.length) as sources:
        for piece in Streamed(make, recording).pieces():
            sources.write(piece)
        sources.finish({})


def stock(path, folder):
    import model  # noqa: F401  (registers our modules)
    from compat import nussl

    mix = nussl.AudioSignal(str(path))
    algorithm = nussl.separation.deep.DeepClustering(mix, 2, str(MODEL), n_init=1)
    for number, estimate in enumerate(algorithm()):
        estimate.write_audio_to_file(str(folder / f"source{number}.wav"))


def child(name, path, folder):
    if os.path.exists("/proc/self/oom_score_adj"):  # if memory ends, this one has to go
        Path("/proc/self/oom_score_adj").write_text("1000")
    began = time.process_time()
    {"ours": ours, "stock": stock}[name](path, folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3  # kB -> MB
    print(json.dumps({"cpu": time.process_time() - began, "peak": peak}))


def run(name, seconds, folder):
    """{"cpu": seconds, "peak": MB} of a process of its own; None if it did not get to the end."""
    path = folder / f"{seconds}.wav"
    if not path.exists():
        make_file(path, seconds)
    with tempfile.TemporaryDirectory(dir=folder) as target:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", __file__, "--child", name, str(path), target],
            capture_output=True,
            text=True,
        )
    if done.returncode:
        print(f"{name}, {seconds} s: {done.stderr.strip().splitlines()[-1:] or 'killed'}")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def agreement(folder):
    """Correlation of our masks with nussl's, of one chunk and from the same first centres."""
    import checkpoints
    from algorithms import DeepClustering
    from compat import nussl

    make_file(folder / "short.wav", 8)
    mix = nussl.AudioSignal(str(folder / "short.wav"))
    mix.audio_data = mix.audio_data.mean(axis=0, keepdims=True)
    mix.resample(16000)
    _, metadata = checkpoints.load_model(str(MODEL), "cpu")
    mix.stft_params = metadata["stft_params"]
    # ours brings the mixture to the level of the training data, nussl reads it as it is
    level = 10 * np.log10(np.square(mix.audio_data).mean())
    mix.audio_data = mix.audio_data * 10 ** ((metadata["level_db"]["mean"] - level) / 20)
    here = DeepClustering(mix, 2, str(MODEL))
    there = nussl.separation.deep.DeepClustering(mix, 2, str(MODEL), random_state=0)
    masks = [np.stack([mask.mask for mask in x.run()]).ravel() for x in (here, there)]
    return abs(float(np.corrcoef(*masks)[0, 1]))  # clusters have no names


def measure(quick, stock_seconds):
    """Rows of what `--json` writes."""
    rows = []

    def row(name, mine, theirs, goal, holds):
        ratio = None if theirs is None else round(mine / theirs, 3)
        rows.append(
            {
                "name": f"separation: {name}",
                "ours": round(mine, 5),
                "theirs": theirs and round(theirs, 3),
                "ratio": ratio,
                "goal": goal,
                "holds": holds,
            }
        )
        beside = "" if theirs is None else f", stock nussl {theirs:.4g}, ratio {ratio}"
        verdict = "" if holds is None else f", goal {goal}: {'holds' if holds else 'MISSED'}"
        print(f"{rows[-1]['name']}: {mine:.5g}{beside}{verdict}", flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        value = agreement(folder)
        row("correlation of the masks with nussl's", value, None, "> 0.999", value > 0.999)
        # three minutes: several batches of chunks; shorter files do not fill one
        short, long = (run("ours", s, folder) for s in (180, 300 if quick else 600))
        share = long["peak"] / short["peak"]
        row("peak memory of 3 min stereo (MB)", short["peak"], None, None, None)
        title = f"peak memory of {5 if quick else 10} min over that of 3 min"
        row(title, share, None, "<= 1.3", share <= 1.3)
        theirs = None
        while theirs is None and stock_seconds >= 30:
            theirs = run("stock", stock_seconds, folder)
            stock_seconds = stock_seconds if theirs else stock_seconds * 9 // 10
        mine = run("ours", stock_seconds, folder)
        share = mine["cpu"] / theirs["cpu"]
        row(
            f"CPU seconds for {stock_seconds} s",
            mine["cpu"],
            theirs["cpu"],
            "<= 1/3 of theirs",
            share <= 1 / 3,
        )
        row(f"peak memory for {stock_seconds} s (MB)", mine["peak"], theirs["peak"], None, None)
        if not quick:
            hour = run("ours", 3600, folder)
            row(
                "CPU seconds for one hour",
                hour["cpu"] if hour else -1.0,
                None,
                "completes",
                hour is not None,
            )
            row("peak memory of one hour (MB)", hour["peak"] if hour else -1.0, None, None, None)
    return rows


def main():
    if sys.argv[1:2] == ["--child"]:
        return child(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="shorter files, and no hour")
    parser.add_argument("--stock-minutes", type=float, help="what stock nussl begins with")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    rows = measure(args.quick, int(60 * (args.stock_minutes or (1 if args.quick else 10))))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    return int(any(row["holds"] is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
