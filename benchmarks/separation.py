"""The cost of separating a long file, compared with unmodified nussl, and the masks of both.

    python -m benchmarks.separation [--quick] [--stock-minutes M] [--json FILE]

The file is stereo at 44.1 kHz, made of tones and noise; the model is the shipped one. Each run is a
process of its own. nussl (`compat` makes it run) reads the same file into an AudioSignal and
separates it by its own DeepClustering, whose k-means has one initialisation here. If it runs out of
memory, a file that is a tenth shorter is tried, and so on.
"""

import functools
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from benchmarks import PROJECT, common
from benchmarks.common import MODEL

RATE = 44100


def make_file(path, seconds):
    """Write two sources of tones, one of which pauses, and noise: stereo, 16-bit WAV."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for second in range(seconds):
            times = second + np.arange(RATE) / RATE
            low = 0.3 * np.sin(2 * np.pi * 300 * times + 5 * np.sin(12 * times))
            high = 0.2 * np.sign(np.sin(2 * np.pi * 110 * times)) * (second % 3 > 0)
            sides = np.stack([low + 0.5 * high, 0.5 * low + high], axis=1)
            file.write(sides + 0.01 * rng.standard_normal((RATE, 2)))


def ours(path, folder):
    """Separate a file as `scripts.separate` does."""
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
    """Separate a file by nussl."""
    import model  # noqa: F401  (registers our modules)
    from compat import nussl

    mix = nussl.AudioSignal(str(path))
    algorithm = nussl.separation.deep.DeepClustering(mix, 2, str(MODEL), n_init=1)
    for number, estimate in enumerate(algorithm()):
        estimate.write_audio_to_file(str(folder / f"source{number}.wav"))


def child(name, path, folder):
    """Separate a file, and print the CPU time and the peak memory of this process."""
    if Path("/proc/self/oom_score_adj").exists():  # the process to be ended if memory runs out
        Path("/proc/self/oom_score_adj").write_text("1000")
    began = time.process_time()
    {"ours": ours, "stock": stock}[name](path, folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3  # kB -> MB
    print(json.dumps({"cpu": time.process_time() - began, "peak": peak}))


def run(name, seconds, folder):
    """{"cpu": seconds, "peak": MB} of a process that separates a file; None if it failed."""
    path = folder / f"{seconds}.wav"
    if not path.exists():
        make_file(path, seconds)
    with tempfile.TemporaryDirectory(dir=folder) as target:
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.separation", "--child"]
        command += [name, str(path), target]
        done = subprocess.run(command, cwd=PROJECT.parent, capture_output=True, text=True)
    if done.returncode:
        print(f"{name}, {seconds} s: {done.stderr.strip().splitlines()[-1:] or 'killed'}")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def agreement(folder):
    """Correlation of our masks with nussl's, for one chunk and the same initial clusters."""
    import checkpoints
    from algorithms import DeepClustering
    from compat import nussl

    make_file(folder / "short.wav", 8)
    mix = nussl.AudioSignal(str(folder / "short.wav"))
    mix.audio_data = mix.audio_data.mean(axis=0, keepdims=True)
    mix.resample(16000)
    _, metadata = checkpoints.load_model(str(MODEL), "cpu")
    mix.stft_params = metadata["stft_params"]
    # our algorithm scales the mixture to the level of the training data, nussl's does not
    level = 10 * np.log10(np.square(mix.audio_data).mean())
    mix.audio_data = mix.audio_data * 10 ** ((metadata["level_db"]["mean"] - level) / 20)
    here = DeepClustering(mix, 2, str(MODEL))
    there = nussl.separation.deep.DeepClustering(mix, 2, str(MODEL), random_state=0)
    masks = [np.stack([mask.mask for mask in x.run()]).ravel() for x in (here, there)]
    return abs(float(np.corrcoef(*masks)[0, 1]))  # the order of clusters is arbitrary


def measure(results, folder, quick, stock_seconds):
    """Add all comparisons to the results."""
    name = "separation: correlation of the masks with nussl's"
    results.compare(name, agreement(folder), goal=(">", 0.999))
    # three minutes: several batches of chunks; shorter files do not fill one
    short, long = (run("ours", s, folder)["peak"] for s in (180, 300 if quick else 600))
    results.compare("separation: 3 min of stereo, peak memory (MB)", short)
    name = f"separation: peak memory for {5 if quick else 10} min, as a multiple of that for 3 min"
    results.compare(name, long / short, goal=("<=", 1.3))
    theirs = None
    while theirs is None and stock_seconds >= 30:
        theirs = run("stock", stock_seconds, folder)
        stock_seconds = stock_seconds if theirs else stock_seconds * 9 // 10
    mine = run("ours", stock_seconds, folder)
    name = f"separation: {stock_seconds} s, compared with nussl's"
    results.compare(f"{name}, CPU time (s)", mine["cpu"], theirs["cpu"], ("<=", 1 / 3))
    results.compare(f"{name}, peak memory (MB)", mine["peak"], theirs["peak"])
    if not quick:
        hour = run("ours", 3600, folder)
        results.compare("separation: one hour, CPU time (s)", hour["cpu"])
        results.compare("separation: one hour, peak memory (MB)", hour["peak"])


def main():
    if sys.argv[1:2] == ["--child"]:
        return child(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    parser = common.parser(__doc__, quick="shorter files, and no hour")
    parser.add_argument("--stock-minutes", type=float, help="length of the file for nussl")
    args = common.parse(parser)
    results = common.Results(args.json)
    with tempfile.TemporaryDirectory() as folder:
        minutes = args.stock_minutes or (1 if args.quick else 10)
        measure(results, Path(folder), args.quick, int(60 * minutes))
    return results.status()


if __name__ == "__main__":
    sys.exit(main())
