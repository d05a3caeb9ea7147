"""What training data costs: ours against stock nussl on the same files, and the loader's speed.

    python -m benchmarks.data [--quick] [--json FILE]

An excerpt is 400 frames of all sources with its features (STFT magnitudes, phase-sensitive targets,
ideal binary mask, weights). Stock nussl is MixSourceFolder with the transforms
PhaseSensitiveSpectrumApproximation, MagnitudeWeights, ToSeparationModel and GetExcerpt, on a nussl
that only runs again (compat/). CPU seconds of one thread, the median of several excerpts, both
sides in one process; peak memory is that of processes of their own.
"""

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "{{cookiecutter.repo_name}}"))

import numpy as np  # noqa: E402  (the template is found by the line above)
import soundfile  # noqa: E402
import torch  # noqa: E402
from compat import nussl  # noqa: E402
from dataset import Sample, StemFolder  # noqa: E402
from features import FrontEnd  # noqa: E402
from training.loading import Excerpts, load  # noqa: E402
from training.sampling import ShuffledBatches, Spread  # noqa: E402

FRAMES = 400
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
FEATURES = ("mix_magnitude", "weights", "source_magnitudes", "ideal_binary_mask")  # stock nussl's
STEMS = ("bass", "drums", "other", "vocals")


def write_song(folder, minutes, rate=44100):
    """A stereo song of 4 stems and its mixture, 16-bit WAV; noise, whose content costs nothing."""
    rng, total = np.random.default_rng(0), 0
    for stem in STEMS:
        minute = rng.integers(-4000, 4000, (60 * rate, 2), dtype=np.int16)
        sound = np.tile(minute, (minutes, 1))
        total = total + sound
        _save(folder / stem / "song.wav", sound, rate)
    _save(folder / "mix" / "song.wav", total.astype(np.int16), rate)


def write_snippets(folder, sample, count):
    """Snippets of the built-in sample as a folder a source, and one of mixtures: 16-bit WAV."""
    for index in range(count):
        sources = dict(zip(sample.labels, sample.excerpt(index)[:, 0], strict=True))
        for name, sound in {**sources, "mix": sum(sources.values())}.items():
            _save(folder / name / f"{index:04d}.wav", sound, sample.sample_rate)


def _save(path, sound, rate):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, subtype="PCM_16")


def ours(folder, rate, channels):
    """A function of a number that makes an excerpt with features."""
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
    """Median CPU seconds of one call."""
    times = []
    for number in numbers:
        began = time.process_time()
        make(number)
        times.append(time.process_time() - began)
    return statistics.median(times)


def compared(folder, rate, channels, ours_times, stock_times):
    """(ours, theirs) in CPU seconds of an excerpt; ours measured before and after theirs."""
    make, theirs = ours(folder, rate, channels), stock(folder, rate, channels)
    make(0)  # the first call sets things up
    before = cpu_seconds(make, range(1, ours_times // 2 + 1))
    stocks = cpu_seconds(theirs, range(stock_times))
    after = cpu_seconds(make, range(ours_times // 2 + 1, ours_times + 1))
    return (before + after) / 2, stocks


def peak_of_three(side, folder, rate, channels, answer):
    """Peak memory in MB of a process that makes excerpts, with all that it has imported."""
    torch.set_num_threads(1)
    make = {"ours": ours, "stock": stock}[side](folder, rate, channels)
    for number in range(3 if side == "ours" else 1):
        make(number)
    status = Path("/proc/self/status").read_text()  # getrusage's peak begins with the parent's
    answer.put(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def peak(side, folder):
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=peak_of_three, args=(side, folder, 44100, 2, answer))
    process.start()
    megabytes = answer.get()
    process.join()
    return megabytes


def batches_per_second(data, batches, workers=2):
    """(batches a second from workers, reading the same bytes, in batches a second)."""
    front_end = FrontEnd(PARAMS.window_length, PARAMS.hop_length, PARAMS.window_type)
    excerpts = Excerpts(data, front_end.num_samples(FRAMES), seed=0)
    order = ShuffledBatches(Spread([1] * len(data), len(data)), 40, seed=0)
    stream = load(excerpts, order, num_workers=workers)
    for _ in range(4):  # until the workers are at it
        next(stream)
    began = time.perf_counter()
    for _ in range(batches):
        next(stream)
    speed = batches / (time.perf_counter() - began)
    files = [f for track in data.tracks for stem in track.stems.values() for f in stem]
    began = time.perf_counter()
    for path in files:
        path.read_bytes()
    return speed, len(data) / 40 / (time.perf_counter() - began)


def seconds_to_list(folder, tracks):
    """CPU seconds to list so many tracks of two sources."""
    for source in ("a", "b"):
        _save(folder / source / "00000.wav", np.zeros(100), 16000)
        for number in range(1, tracks):
            (folder / source / f"{number:05d}.wav").hardlink_to(folder / source / "00000.wav")
    began = time.process_time()
    StemFolder(folder, "train", 16000, 1, PARAMS)
    return time.process_time() - began


def row(name, value, theirs=None, goal=None, holds=None, digits=4):
    ratio = None if theirs is None else theirs / value
    shown = f"{name}: {value:.{digits}g}"
    if theirs is not None:
        shown += (
            f", stock nussl {theirs:.{digits}g}, ratio {ratio:.0f}"
            if ratio > 20
            else (f", stock nussl {theirs:.{digits}g}, ratio {ratio:.1f}")
        )
    if goal is not None:
        shown += f"; goal {goal}: {'holds' if holds else 'MISSED'}"
    print(shown, flush=True)
    return {
        "name": f"data: {name}",
        "ours": value,
        "theirs": theirs,
        "ratio": ratio,
        "goal": goal,
        "holds": None if holds is None else bool(holds),
    }


def measure(folder, quick):
    minutes, snippets = (1, 40) if quick else (4, 160)
    rows = []
    write_song(folder / "song", minutes)
    mine, theirs = compared(folder / "song", 44100, 2, 40, 1 if quick else 3)
    goal = theirs / mine >= 200
    rows.append(
        row(
            f"CPU-seconds an excerpt, song of {minutes} min, 44.1 kHz stereo, 4 stems",
            mine,
            theirs,
            None if quick else "at most 1/200",
            None if quick else goal,
        )
    )
    sample = Sample(folder / "sample", "train", 16000, 1, PARAMS)
    sample.ensure(range(snippets))
    write_snippets(folder / "snippets", sample, snippets)
    mine, theirs = compared(folder / "snippets", 16000, 1, 200, 40)
    rows.append(
        row(
            "CPU-seconds an excerpt, snippets of 4 s, 16 kHz mono, 2 sources",
            mine,
            theirs,
            "at most 1/8",
            theirs / mine >= 8,
        )
    )
    write_song(folder / "short", 1)
    write_song(folder / "long", 2 if quick else 8)
    short, long = peak("ours", folder / "short"), peak("ours", folder / "long")
    rows.append(
        row(
            f"peak MB of excerpts from a song of {2 if quick else 8} min",
            long,
            peak("stock", folder / "short") if quick else None,
        )
    )
    rows.append(
        row(
            f"the same over that of 1 min ({short:.1f} MB)",
            long / short,
            None,
            "at most 1.1",
            long / short <= 1.1,
        )
    )
    sample.tracks, sample.items = sample.tracks[:snippets], sample.items[:snippets]
    wavs = StemFolder(folder / "snippets", "train", 16000, 1, PARAMS, mixture="sum")
    for data, kind in ((wavs, "2 WAV files each"), (sample, "the sample, 4 WAV files each")):
        speed, disk = batches_per_second(data, 10 if quick else 40)
        name = f"batches a second of 40 x 400 frames, 2 workers, cached snippets of {kind}"
        rows.append(row(name, speed, None, "above 10", speed > 10))
        rows.append(row("  the same, if reading the bytes of the files were all", disk))
    tracks = 2000 if quick else 10000
    rows.append(
        row(f"CPU-seconds to list {tracks} tracks", seconds_to_list(folder / "many", tracks))
    )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="shorter songs, fewer excerpts")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        rows = measure(Path(temporary), args.quick)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    return int(any(row["holds"] is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
