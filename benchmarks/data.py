"""The cost of reading training data, compared with unmodified nussl, and the loader's speed.

    python -m benchmarks.data [--quick] [--json FILE]

An excerpt has 400 frames of all sources with their features (STFT magnitudes, phase-sensitive
targets, ideal binary mask, weights). nussl's is an item of MixSourceFolder with the transforms
PhaseSensitiveSpectrumApproximation, MagnitudeWeights, ToSeparationModel and GetExcerpt (`compat`
makes nussl run). CPU time is the median of several excerpts in one process, on one thread; peak
memory is that of a process of its own.
"""

import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
from compat import nussl
from dataset import Sample, StemFolder
from features import FrontEnd
from training.loading import Excerpts, load
from training.sampling import ShuffledBatches, Spread

from benchmarks import common
from benchmarks.steps import memory_used

FRAMES = 400
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
FEATURES = ("mix_magnitude", "weights", "source_magnitudes", "ideal_binary_mask")  # stock nussl's
STEMS = ("bass", "drums", "other", "vocals")


def write_song(folder, minutes, rate=44100):
    """Write a stereo song of noise: 4 stems and their mixture, 16-bit WAV."""
    rng, total = np.random.default_rng(0), 0
    for stem in STEMS:
        minute = rng.integers(-4000, 4000, (60 * rate, 2), dtype=np.int16)
        sound = np.tile(minute, (minutes, 1))
        total = total + sound
        _save(folder / stem / "song.wav", sound, rate)
    _save(folder / "mix" / "song.wav", total.astype(np.int16), rate)


def write_snippets(folder, sample, count):
    """Write snippets of the built-in sample: a folder for each source, and one for mixtures."""
    for index in range(count):
        sources = dict(zip(sample.labels, sample.excerpt(index)[:, 0], strict=True))
        for name, sound in {**sources, "mix": sum(sources.values())}.items():
            _save(folder / name / f"{index:04d}.wav", sound, sample.sample_rate)


def _save(path, sound, rate):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, subtype="PCM_16")


def ours(folder, rate, channels):
    """function(number) that reads an excerpt with its features."""
    front_end = FrontEnd(
        PARAMS.window_length, PARAMS.hop_length, PARAMS.window_type, names=FEATURES
    )
    data = StemFolder(folder, "train", rate, channels, PARAMS, mixture="sum")
    excerpts = Excerpts(data, front_end.num_samples(FRAMES), seed=0)

    def make(number):
        item = excerpts[number, number % len(data)]
        with torch.no_grad():
            return front_end({key: item[key][None] for key in ("mix", "sources")})

    return make


def stock(folder, rate, channels):
    """The same by nussl."""
    transforms = nussl.datasets.transforms
    data = nussl.datasets.MixSourceFolder(
        str(folder),
        sample_rate=rate,
        num_channels=channels,
        stft_params=PARAMS,
        transform=transforms.Compose(
            [
                transforms.PhaseSensitiveSpectrumApproximation(),
                transforms.MagnitudeWeights(),
                transforms.ToSeparationModel(),
                transforms.GetExcerpt(FRAMES),
            ]
        ),
    )
    return lambda number: data[number % len(data)]


def cpu_seconds(make, numbers):
    """Median CPU time of make(number)."""
    times = []
    for number in numbers:
        began = time.process_time()
        make(number)
        times.append(time.process_time() - began)
    return statistics.median(times)


def compared(folder, rate, channels, our_count, stock_count):
    """CPU seconds of an excerpt: (ours, nussl's). Half of ours are read before nussl's."""
    our_excerpt, stock_excerpt = ours(folder, rate, channels), stock(folder, rate, channels)
    our_excerpt(0)  # which takes longer than the others
    before = cpu_seconds(our_excerpt, range(1, our_count // 2 + 1))
    stock_seconds = cpu_seconds(stock_excerpt, range(stock_count))
    after = cpu_seconds(our_excerpt, range(our_count // 2 + 1, our_count + 1))
    return (before + after) / 2, stock_seconds


def peak_memory(side, folder):
    """MB of a process that reads excerpts, with everything that it imports."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=_read_excerpts, args=(side, folder, answers))
    process.start()
    megabytes = answers.get()
    process.join()
    return megabytes


def _read_excerpts(side, folder, answers):
    torch.set_num_threads(1)
    excerpt = {"ours": ours, "stock": stock}[side](folder, 44100, 2)
    for number in range(3 if side == "ours" else 1):
        excerpt(number)
    answers.put(memory_used()[0] / 1e6)


def batches_per_second(data, batches, workers=2):
    """(batches per second from the loader's workers, and if the files were only read as bytes)."""
    front_end = FrontEnd(PARAMS.window_length, PARAMS.hop_length, PARAMS.window_type)
    excerpts = Excerpts(data, front_end.num_samples(FRAMES), seed=0)
    order = ShuffledBatches(Spread([1] * len(data), len(data)), 40, seed=0)
    stream = load(excerpts, order, num_workers=workers)
    for _ in range(4):  # until all workers have started
        next(stream)
    began = time.perf_counter()
    for _ in range(batches):
        next(stream)
    speed = batches / (time.perf_counter() - began)
    files = [f for track in data.tracks for stem in track.stems.values() for f in stem]
    began = time.perf_counter()
    for path in files:
        Path(path).read_bytes()
    return speed, len(data) / 40 / (time.perf_counter() - began)


def seconds_to_list(folder, tracks):
    """CPU seconds to list so many tracks of two sources (hard links to one file)."""
    for source in ("a", "b"):
        _save(folder / source / "00000.wav", np.zeros(100), 16000)
        for number in range(1, tracks):
            (folder / source / f"{number:05d}.wav").hardlink_to(folder / source / "00000.wav")
    began = time.process_time()
    StemFolder(folder, "train", 16000, 1, PARAMS)
    return time.process_time() - began


def measure(results, folder, quick):
    """Add all comparisons to the results."""
    minutes, snippets = (1, 40) if quick else (4, 160)
    write_song(folder / "song", minutes)
    results.compare(
        f"data: an excerpt of a song of {minutes} min, 44.1 kHz, stereo, 4 stems, compared with "
        "nussl's, CPU time (s)",
        *compared(folder / "song", 44100, 2, 40, 1 if quick else 3),
        goal=None if quick else ("<=", 1 / 200),
    )
    sample = Sample(folder / "sample", "train", 16000, 1, PARAMS)
    sample.ensure(range(snippets))
    write_snippets(folder / "snippets", sample, snippets)
    results.compare(
        "data: an excerpt of snippets of 4 s, 16 kHz, mono, 2 sources, compared with nussl's, "
        "CPU time (s)",
        *compared(folder / "snippets", 16000, 1, 200, 40),
        goal=("<=", 1 / 8),
    )
    longer = 2 if quick else 8
    write_song(folder / "short", 1)
    write_song(folder / "long", longer)
    short, long = (peak_memory("ours", folder / name) for name in ("short", "long"))
    of_nussl = peak_memory("stock", folder / "long") if quick else None
    results.compare(f"data: excerpts of a song of {longer} min, peak memory (MB)", long, of_nussl)
    name = f"data: peak memory for a song of {longer} min, as a multiple of that for one of 1 min"
    results.compare(name, long / short, goal=("<=", 1.1))
    sample.tracks, sample.items = sample.tracks[:snippets], sample.items[:snippets]
    wavs = StemFolder(folder / "snippets", "train", 16000, 1, PARAMS, mixture="sum")
    for data, kind in ((wavs, "2 WAV files each"), (sample, "4 WAV files each, the sample")):
        speed, bytes_alone = batches_per_second(data, 10 if quick else 40)
        name = f"data: 40 excerpts of 400 frames, 2 workers, snippets of {kind}, batches per second"
        results.compare(name, speed, goal=(">", 10))
        results.compare(f"{name}, if the files were only read as bytes", bytes_alone)
    tracks = 2000 if quick else 10000
    seconds = seconds_to_list(folder / "many", tracks)
    results.compare(f"data: listing {tracks} tracks, CPU time (s)", seconds)


def main():
    args = common.parse(common.parser(__doc__, quick="shorter songs, fewer excerpts"))
    torch.set_num_threads(1)
    results = common.Results(args.json)
    with tempfile.TemporaryDirectory() as temporary:
        measure(results, Path(temporary), args.quick)
    return results.status()


if __name__ == "__main__":
    sys.exit(main())
