"""How hard the built-in sample is: what no separation, a fixed equaliser and ideal masks score.

    python -m benchmarks.sample [--quick] [--songs N] [--folder DATA] [--json FILE]

Of each test song one snippet is scored. The static mask is one gain a frequency, the share of
each source in the power of training songs: a set that it solves would teach nothing. The ideal
ratio and binary masks know the sources: a set that they cannot solve could not be learned.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "{{cookiecutter.repo_name}}"))

from compat import nussl  # noqa: E402  (the template is found by the line above)
from dataset import Sample  # noqa: E402
from evaluation import ORACLES, si_sdr, summarize  # noqa: E402

RATE = 16000
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
# (system, source, bound on the mean SI-SDR improvement in dB)
GOALS = {("static mask", "vocals"): ("<", 1.5), ("ideal ratio mask", "vocals"): (">", 8.0),
         ("ideal ratio mask", "accompaniment"): (">", 4.0)}


def static_mask(train, indices):
    """(sources, bins): the share of each source in the power at each frequency."""
    power = 0
    for index in indices:
        sources = train[index]["sources"].values()
        power = power + np.stack([(np.abs(s.stft()) ** 2).sum(axis=(1, 2)) for s in sources])
    return power / power.sum(axis=0)


def masked(mix, gains):
    """The mixture through a fixed equaliser for each source: [AudioSignal]."""
    spectrum, estimates = mix.stft(), []
    for gain in gains:
        estimate = mix.make_copy_with_stft_data(spectrum * gain[:, None, None], verbose=False)
        estimate.istft(truncate_to_length=mix.signal_length)
        estimates.append(estimate)
    return estimates


def measure(folder, songs):
    """{(system, source): (SI-SDR of each snippet, improvement of each snippet)}."""
    train, test = (Sample(folder, split, RATE, 1, PARAMS) for split in ("train", "test"))
    # snippets 0, 7, 4, 1, ... of songs 0, 1, 2, 3, ...
    indices = [10 * song + 7 * song % 10 for song in range(songs)]
    for data in (train, test):
        data.ensure(indices)
    gains = static_mask(train, indices)
    systems = {"mixture": lambda mix, sources: [mix] * len(sources),
               "static mask": lambda mix, sources: masked(mix, gains), **ORACLES}
    scores = {(system, source): ([], []) for system in systems for source in test.labels}
    for index in indices:
        item = test[index]
        mix, sources = item["mix"], item["sources"]
        for system, separate in systems.items():
            estimates = separate(mix, list(sources.values()))
            for (label, source), estimate in zip(sources.items(), estimates, strict=True):
                score = si_sdr(estimate.audio_data, source.audio_data)
                before = si_sdr(mix.audio_data, source.audio_data)
                scores[system, label][0].append(score)
                scores[system, label][1].append(score - before)
    return scores


def rows_of(scores):
    """What `--json` writes: the mean improvement of each system and source, and if it holds."""
    rows = []
    for (system, source), (_, improvement) in scores.items():
        ours = summarize(improvement)["mean"]
        sign, bound = GOALS.get((system, source), (None, None))
        holds = None if sign is None else bool(ours < bound if sign == "<" else ours > bound)
        rows.append({"name": f"sample: {system}, {source}, SI-SDR improvement (dB)",
                     "ours": round(ours, 3), "theirs": None, "ratio": None,
                     "goal": None if sign is None else f"{sign} {bound}", "holds": holds})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="8 songs a split instead of 60")
    parser.add_argument("--songs", type=int, help="songs a split, one snippet of each")
    parser.add_argument("--folder", type=Path, help="keep the snippets here (default: nowhere)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    songs = args.songs or (8 if args.quick else 60)
    with tempfile.TemporaryDirectory() as temporary:
        scores = measure(args.folder or temporary, songs)
    rows = rows_of(scores)
    print(f"The built-in sample, {songs} test songs, {RATE} Hz mono: SI-SDR and its improvement, "
          "means in dB [95 %]")
    for ((system, source), (absolute, improvement)), row in zip(scores.items(), rows, strict=True):
        score, gain = summarize(absolute), summarize(improvement)
        verdict = "" if row["holds"] is None else (
            f"  goal {row['goal']}: {'holds' if row['holds'] else 'MISSED'}")
        print(f"{system:18} {source:14} {score['mean']:7.2f}   {gain['mean']:+7.2f} "
              f"[{gain['low']:+.2f}, {gain['high']:+.2f}]{verdict}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    return int(any(row["holds"] is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
