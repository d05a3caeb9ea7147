"""How the shipped model's scores change with level, sample rate, channels, coding and clipping.

    python -m benchmarks.robustness [--quick] [--items N] [--folder STEMS] [--config YAML]
        [--json FILE]

Snippets of the built-in sample's test split (synthesised), or with --folder tracks of the test
split of a folder of stems (recorded). Each is changed, separated at its new sample rate and number
of channels, and scored against references that are changed in the same way (references of coded and
clipped mixtures are unchanged): the mean improvement of SI-SDR over the mixture in dB. --config:
another experiment's algorithm, for example of a file that includes best_model/config.yml and
changes an argument.
"""

import sys
import tempfile
from pathlib import Path

import audio
import numpy as np
from evaluation import score_item

from benchmarks import PROJECT, common
from benchmarks.items import LABELS, RATE, item_of, of_folder, of_sample
from benchmarks.recordings import methods

METHOD = "model"


def gain(decibels):
    """Mixture and sources louder."""
    return lambda mix, sources: (
        10 ** (decibels / 20) * mix,
        {label: 10 ** (decibels / 20) * sound for label, sound in sources.items()},
        RATE,
    )


def rate(target):
    """Another sample rate in Hz."""
    return resampled(RATE, target)


def tuned(cents):
    """Played faster, so that every note is higher by so many cents."""
    return resampled(round(RATE * 2 ** (cents / 1200)), RATE)


def resampled(given, target):
    """Resampled from the rate `given`, which need not be that of the item, to `target`."""

    def changed(mix, sources):
        new = {label: audio.convert(sound, given, target) for label, sound in sources.items()}
        return sum(new.values()), new, target

    return changed


def channels(count):
    """Sources at different positions: with different gains in each channel."""

    def changed(mix, sources):
        angles = np.linspace(0.3, 1.2, count)
        pans = dict(zip(sorted(sources), (np.cos(angles), np.sin(angles)), strict=True))
        new = {label: pans[label][:, None] * sound for label, sound in sources.items()}
        return sum(new.values()), {k: v.astype(np.float32) for k, v in new.items()}, RATE

    return changed


def coded(kilobits):
    """Coded as MP3."""
    return lambda mix, sources: (audio.mp3_round_trip(mix, RATE, kilobits), sources, RATE)


def clipped(decibels):
    """Clipped so many decibels below the peak."""

    def changed(mix, sources):
        most = 10 ** (-decibels / 20) * np.abs(mix).max()
        return np.clip(mix, -most, most), sources, RATE

    return changed


def with_silence(seconds):
    """With so many seconds of silence in the middle."""

    def changed(mix, sources):
        def with_pause(sound):
            half = sound.shape[1] // 2
            pause = np.zeros((len(sound), int(seconds * RATE)), np.float32)
            return np.concatenate([sound[:, :half], pause, sound[:, half:]], axis=1)

        return with_pause(mix), {label: with_pause(sound) for label, sound in sources.items()}, RATE

    return changed


CHANGES = {  # name: function(mix, sources) -> (mix, sources, sample rate)
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
    """Yields items of the built-in sample, or of a folder of stems."""
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            yield from of_sample(temporary, count)
    else:
        for _, _, item in of_folder(folder, count):
            yield item


def main():
    parser = common.parser(__doc__, quick="5 items instead of 30")
    parser.add_argument("--items", type=int, help="number of items")
    parser.add_argument("--folder", type=Path, help="of stems, instead of the built-in sample")
    parser.add_argument("--config", type=Path, default=PROJECT / "best_model/config.yml")
    args = common.parse(parser)
    kinds = methods(METHOD, args.config)
    unordered, ordered = ({k: v for k, v in kind.items() if k == METHOD} for kind in kinds)
    scores, count = {}, args.items or (5 if args.quick else 30)
    for item in items_of(args.folder, count):
        sources = {label: signal.audio_data for label, signal in item["sources"].items()}
        for name, change in CHANGES.items():
            mix, changed, sample_rate = change(item["mix"].audio_data, sources)
            for row in score_item(item_of(name, changed, mix, sample_rate), unordered, ordered):
                if row["method"] == METHOD:
                    key = name, row["source"]
                    scores.setdefault(key, []).append(row["si_sdr_improvement"])
    results, kind = common.Results(args.json), "recorded" if args.folder else "synthesised"
    for name in CHANGES:
        means = {label: float(np.mean(scores[name, label])) for label in reversed(LABELS)}
        text = ", ".join(f"{label} {mean:.2f} dB" for label, mean in means.items())
        title = f"robustness ({kind}, {len(scores[name, LABELS[0]])} items): {name}"
        results.add({"name": title, **means}, f"{title}: {text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
