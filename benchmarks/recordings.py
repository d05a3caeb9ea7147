"""The shipped model, or the model of another config, and classical algorithms on recordings.

    python -m benchmarks.recordings [--config YAML] [--folder STEMS] [--items N] [--json FILE]

--config: the experiment whose best model is scored (default: best_model/config.yml). Without
--folder: the excerpt of MUSDB18's test set in the package stempeg (6 seconds of one song; needs
ffmpeg), at 16 kHz in mono. With --folder: also the test split of a folder with train/, val/
and test/, as data_prep/debian/songs.yml makes it. Scores are the improvement of SI-SDR over the
mixture in dB; over a folder with 95 % intervals, by a bootstrap over speakers. Estimates without
names are matched to the references in the better order.
"""

import functools
import sys
from pathlib import Path

import config
import experiment
from algorithms import ALGORITHMS, estimates_of, labels_of
from evaluation import score_item, summarize

from benchmarks import common
from benchmarks.items import LABELS, of_folder, recorded_song

SHIPPED = "the shipped model"
CLASSICAL = ("HPSS", "FT2D", "RepetSim")


def methods(model_name=SHIPPED, file="best_model/config.yml"):
    """({name: function(mixture) -> estimates}, the same): methods without an order, and
    those that give them in the order of the sorted labels; file: the config of the model."""
    settings = config.load(file)
    separator = experiment.build_separator(settings, "cpu")
    model = experiment.load_model_of(settings, "cpu")
    labels = labels_of(ALGORITHMS[settings.algorithm.class_name], model)
    ours = {model_name: lambda mix: estimates_of(separator(mix), mix)}
    others = {
        name: lambda mix, make=ALGORITHMS[name]: estimates_of(make(mix), mix) for name in CLASSICAL
    }
    return (others, ours) if labels else ({**others, **ours}, {})


def improvements(item, unordered, ordered):
    """{(method, source): SI-SDR improvement in dB}"""
    rows = score_item(item, unordered, ordered)
    return {(row["method"], row["source"]): row["si_sdr_improvement"] for row in rows}


def shown(statistics):
    """A mean with its interval, which a single speaker has not."""
    if statistics["low"] is None:
        return f"{statistics['mean']:.2f}"
    return "{mean:.2f} ({low:.2f} to {high:.2f})".format(**statistics)


def main():
    parser = common.parser(__doc__)
    parser.add_argument("--config", type=Path, help="of the model; default: the shipped one")
    parser.add_argument("--folder", type=Path, help="of stems, whose test split is scored too")
    parser.add_argument("--items", type=int, default=100, help="number of its tracks")
    args = common.parse(parser)
    model = config.load(args.config).info.name if args.config else SHIPPED
    unordered, ordered = methods(model, args.config) if args.config else methods()
    score = functools.partial(improvements, unordered=unordered, ordered=ordered)
    results = common.Results(args.json)

    def add(title, method, scores):
        text = ", ".join(f"{label} {score}" for label, score in scores.items())
        results.add({"name": f"{title}: {method}", **scores}, f"{title}: {method}: {text}")

    found = score(recorded_song())
    for method in (*CLASSICAL, model):
        scores = {label: f"{found[method, label]:.2f}" for label in reversed(LABELS)}
        add("stempeg's excerpt (recorded)", method, scores)
    if args.folder is None:
        return 0
    of_kinds, speakers = {}, {}
    for kind, speaker, item in of_folder(args.folder, args.items):
        speakers.setdefault(kind, []).append(speaker)
        for key, value in score(item).items():
            of_kinds.setdefault((kind, *key), []).append(value)
    for kind in sorted(speakers):
        for method in (*CLASSICAL, model, "ideal ratio mask"):
            scores = {
                label: shown(summarize(of_kinds[kind, method, label], speakers[kind]))
                for label in reversed(LABELS)
            }
            add(f"{kind}, {len(speakers[kind])} items (recorded)", method, scores)
    return 0


if __name__ == "__main__":
    sys.exit(main())
