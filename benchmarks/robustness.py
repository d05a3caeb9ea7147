"""How the shipped model's scores change with level, sample rate, channels, coding and clipping.

    python -m benchmarks.robustness [--quick] [--items N] [--folder STEMS] [--config YAML]
        [--json FILE]

Snippets of the built-in sample's test split (synthesised), or with --folder tracks of the test
split of a folder of stems. Each is changed, separated at its new rate and channels, and scored
against references that were changed alike (those of coded and clipped mixtures are as before):
the mean improvement of SI-SDR over the mixture in dB. --config: another experiment's algorithm, for
example a file that includes best_model/config.yml and changes an argument.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).parents[1] / "{{cookiecutter.repo_name}}"
sys.path.insert(0, str(PROJECT))

import audio  # noqa: E402  (found by the line above)
from dataset import Sample  # noqa: E402
from evaluation import score_item  # noqa: E402

from benchmarks.recordings import PARAMS, RATE, item_of, methods, of_folder  # noqa: E402

METHOD = "model"


def gain(decibels):
    return lambda mix, sources: (
        10 ** (decibels / 20) * mix,
        {label: 10 ** (decibels / 20) * sound for label, sound in sources.items()},
        RATE,
    )


def rate(target):
    return resampled(RATE, target)


def tuned(cents):
    """Every note higher by so many cents, and faster by that."""
    return resampled(round(RATE * 2 ** (cents / 1200)), RATE)


def resampled(given, target):
    """From one rate, which need not be the recording's, to another."""

    def changed(mix, sources):
        new = {label: audio.convert(sound, given, target) for label, sound in sources.items()}
        return sum(new.values()), new, target

    return changed


def channels(count):
    """The sources at places of their own: other levels in each channel."""

    def changed(mix, sources):
        angles = np.linspace(0.3, 1.2, count)
        pans = dict(zip(sorted(sources), (np.cos(angles), np.sin(angles)), strict=True))
        new = {label: pans[label][:, None] * sound for label, sound in sources.items()}
        return sum(new.values()), {k: v.astype(np.float32) for k, v in new.items()}, RATE

    return changed


def coded(kilobits):
    """MP3."""
    return lambda mix, sources: (audio.mp3_round_trip(mix, RATE, kilobits), sources, RATE)


def clipped(decibels):
    """Everything above the peak less so many decibels is cut."""

    def changed(mix, sources):
        most = 10 ** (-decibels / 20) * np.abs(mix).max()
        return np.clip(mix, -most, most), sources, RATE

    return changed


def with_silence(seconds):
    """Silence in the middle."""

    def changed(mix, sources):
        def parted(sound):
            half = sound.shape[1] // 2
            hole = np.zeros((len(sound), int(seconds * RATE)), np.float32)
            return np.concatenate([sound[:, :half], hole, sound[:, half:]], axis=1)

        return parted(mix), {label: parted(sound) for label, sound in sources.items()}, RATE

    return changed


CHANGES = {
    "as it is": gain(0),
    **{f"level {decibels:+d} dB": gain(decibels) for decibels in (-40, -20, 20)},
    **{f"{hertz / 1000:g} kHz": rate(hertz) for hertz in (8000, 22050, 44100, 48000, 96000)},
    **{f"{count} channels": channels(count) for count in (2, 6)},
    **{f"tuned {cents:+d} cents": tuned(cents) for cents in (-45, -25, 25, 45)},
    **{f"MP3, {kilobits} kbit/s": coded(kilobits) for kilobits in (64, 32)},
    **{f"clipped {decibels} dB below its peak": clipped(decibels) for decibels in (3, 6, 12)},
    "4 s of silence in its middle": with_silence(4),
}


def items_of(folder, count):
    """Yields (mix, {label: (1, samples)})."""
    if folder is not None:
        for _, _, item in of_folder(folder, count):
            yield item["mix"].audio_data, {k: s.audio_data for k, s in item["sources"].items()}
        return
    with tempfile.TemporaryDirectory() as temporary:
        data = Sample(temporary, "test", RATE, 1, PARAMS)
        chosen = np.linspace(0, len(data) - 1, count).round().astype(int).tolist()
        data.ensure(chosen)
        for index in chosen:
            sources = dict(zip(data.labels, data.excerpt(index), strict=True))
            yield sum(sources.values()), sources


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5 items instead of 30")
    parser.add_argument("--items", type=int, help="so many items")
    parser.add_argument("--folder", type=Path, help="of stems, instead of the built-in sample")
    parser.add_argument("--config", type=Path, default=PROJECT / "best_model/config.yml")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    folder, target = args.folder and args.folder.absolute(), args.json and args.json.absolute()
    file = args.config.absolute()
    os.chdir(PROJECT)  # paths in a config mean the project's folder
    kinds = methods(METHOD, file)
    unordered, ordered = ({k: v for k, v in kind.items() if k == METHOD} for kind in kinds)
    scores = {}
    for mix, sources in items_of(folder, args.items or (5 if args.quick else 30)):
        for name, change in CHANGES.items():
            new_mix, new_sources, new_rate = change(mix, sources)
            item = item_of(name, new_sources, new_mix, new_rate)
            for row in score_item(item, unordered, ordered):
                if row["method"] == METHOD:
                    key = name, row["source"]
                    scores.setdefault(key, []).append(row["si_sdr_improvement"])
    kind = "recorded" if folder else "synthesised"
    rows = []
    for name in CHANGES:
        found = {label: np.mean(scores[name, label]) for label in ("vocals", "accompaniment")}
        count = len(scores[name, "vocals"])
        print(
            f"robustness ({kind}, {count} items): {name}: "
            + ", ".join(f"{label} {value:.2f} dB" for label, value in found.items())
        )
        rows.append({"name": f"robustness ({kind}): {name}", **found})
    if target:
        target.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
