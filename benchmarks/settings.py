"""How the settings of the shipped model's algorithm change its scores on validation data.

    python -m benchmarks.settings [--quick] [--items N] [--folder STEMS] [--sample DATA]
        [--json FILE]

Snippets of the validation split of the built-in sample (synthesised), and with --folder tracks of
the validation split of a folder of stems, as data_prep/debian/songs.yml makes it (recorded). Each
row changes one of the `args` of best_model/config.yml, or the level at which the network reads the
mixture: the mean improvement of SI-SDR over the mixture in dB, and the CPU time as a fraction of
the first row's. Rows of `ALONE` also show how much a source without the other one leaves in the
estimate of the other: its mean energy in dB relative to the source, of a voice without music in
`accompaniment`, and of music without a voice in `vocals`.
"""

import sys
import tempfile
import time
from pathlib import Path

import checkpoints
import config
import numpy as np
from algorithms import ALGORITHMS, estimates_of
from evaluation import score_item
from experiment import model_path

from benchmarks import common
from benchmarks.items import LABELS, item_of, of_folder, of_sample

METHOD = "model"
AS_SHIPPED = "as shipped"
CHANGES = {  # of one argument at a time
    "shifts": (1,),
    "chunk": (3.0, 5.0, 10.0),
    "beta": (2.0, 2.5, 3.0, 5.0),
    "mask_weight": (0.0, 0.2, 0.5, 1.0),
    "tuning": (None,),
    "absent_db": (None, -6.0, -15.0),
}
ALONE = ("mask_weight", "absent_db")
SOFTER_DB = (-10, -20)  # gains of the mixture
ANY_LEVEL = {"mean": 0.0, "std": 200.0}  # `level_db` with which every mixture stays as it is


def variants():
    """{title: (function(mixture) -> algorithm, gain of the mixture in dB)}"""
    settings = config.load("best_model/config.yml")
    kind, args = ALGORITHMS[settings.algorithm.class_name], dict(settings.algorithm.args)
    model, metadata = checkpoints.load_model(args.pop("model_path", None) or model_path(settings))

    def with_model(level=None, **changes):
        changed = metadata if level is None else {**metadata, "level_db": level}
        held = checkpoints.InMemory(model, changed)
        return lambda mix: kind(mix, model_path=held, **{**args, **changes})

    found = {AS_SHIPPED: (with_model(), 0)}
    for key, values in CHANGES.items():
        for value in values:
            found[f"{key}: {value}"] = (with_model(**{key: value}), 0)
    for gain in SOFTER_DB:
        found[f"{gain} dB"] = (with_model(), gain)
        found[f"{gain} dB, read at that level"] = (with_model(ANY_LEVEL), gain)
    return found


def scored(item, make, gain):
    """({source: SI-SDR improvement in dB}, CPU seconds of the separation)."""
    scale = 10 ** (gain / 20)
    sounds = {name: scale * signal.audio_data for name, signal in item["sources"].items()}
    softer = item_of(item["metadata"]["name"], sounds, scale * item["mix"].audio_data)
    began = time.process_time()
    estimates = estimates_of(make(softer["mix"]), softer["mix"])
    seconds = time.process_time() - began
    rows = score_item(softer, {}, {METHOD: lambda mix: estimates})
    return {r["source"]: r["si_sdr_improvement"] for r in rows if r["method"] == METHOD}, seconds


def left_by_each(item, make):
    """[dB]: the energy that each source, without the other one, leaves in the other's estimate."""
    left = []
    for name, other in zip(reversed(LABELS), (0, 1), strict=True):
        alone = item["sources"][name]
        estimate = estimates_of(make(alone), alone)[other].audio_data
        energies = [float(np.square(sound).sum()) for sound in (estimate, alone.audio_data)]
        left.append(10 * np.log10(max(energies[0], 1e-12) / max(energies[1], 1e-12)))
    return left


def items_of(sample, folder, count):
    """Yields (kind, item)."""
    for item in of_sample(sample, count, "val"):
        yield "sample (synthesised)", item
    if folder:
        for kind, _, item in of_folder(folder, count, "val"):
            yield f"{kind} (recorded)", item


def table(count, sample, folder):
    """[{"setting": ..., "time": ..., kind: "vocals/accompaniment"}], a row for each variant."""
    ways, found, left, seconds, kinds = variants(), {}, {}, {}, []
    for kind, item in items_of(sample, folder, count):
        kinds.append(kind)
        for title, (make, gain) in ways.items():
            scores, taken = scored(item, make, gain)
            found.setdefault((kind, title), []).append([scores[name] for name in reversed(LABELS)])
            seconds[title] = seconds.get(title, 0.0) + taken
            if title == AS_SHIPPED or title.startswith(ALONE):
                left.setdefault((kind, title), []).append(left_by_each(item, make))
    rows = []
    for title in ways:
        row = {"setting": title, "time": f"{seconds[title] / seconds[AS_SHIPPED]:.2f}"}
        for kind in dict.fromkeys(kinds):
            means = np.mean(found[kind, title], axis=0)
            row[f"{kind}, {kinds.count(kind)} items"] = "/".join(f"{mean:.2f}" for mean in means)
            alone = np.mean(left.get((kind, title), [[]]), axis=0)
            row[f"{kind}, alone"] = "/".join(f"{mean:.1f}" for mean in alone)
        rows.append(row)
    return rows


def main():
    parser = common.parser(__doc__, quick="5 items instead of 40")
    parser.add_argument("--items", type=int, help="number of snippets, and of tracks")
    parser.add_argument(
        "--folder", type=Path, help="of stems, whose validation split is scored too"
    )
    parser.add_argument("--sample", type=Path, help="keep the snippets here")
    args = common.parse(parser)
    with tempfile.TemporaryDirectory() as temporary:
        count = args.items or (5 if args.quick else 40)
        rows = table(count, args.sample or temporary, args.folder)
    results = common.Results(args.json)
    print(f"| {' | '.join(rows[0])} |\n{'|---' * len(rows[0])}|")
    for row in rows:
        results.add(row, f"| {' | '.join(row.values())} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
