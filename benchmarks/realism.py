"""How real the built-in sample is: what can be measured of its sources, beside recordings.

    python -m benchmarks.realism [--songs N] [--folder STEMS] [--json FILE]

Recorded: the excerpt of MUSDB18's test set that the package stempeg contains (6 seconds of one
song; needs ffmpeg). With --folder: also the test split of stems as data_prep/debian/songs.yml makes
them, recorded voices over recorded music. Everything at 16 kHz in mono, in pieces of 4 seconds, of
which medians are shown; of each style of the built-in sample one snippet of each of N test songs
(without the packages that sampled instruments need, of the plain one only). The static mask of a
set is learnt from its own train split, that of the one song from the folder's.
"""

import argparse
import functools
import json
import os
import sys
import tempfile
from pathlib import Path

import librosa
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "{{cookiecutter.repo_name}}"))

from dataset import Sample, StemFolder  # noqa: E402  (the template is found by the line above)
from errors import UserError  # noqa: E402
from evaluation import StaticMask, score_item  # noqa: E402

from benchmarks.recordings import LABELS, PARAMS, PROJECT, RATE, clip, item_of, of_folder  # noqa: E402

SECONDS = 4
BANDS = (125, 250, 500, 1000, 2000, 4000)  # Hz, the centres of octaves
FRAME = 1024
SILENT = -60  # dB of full scale
MASKS = ("static mask", "ideal ratio mask")


def statistics(sound):
    """{name: number} of a source, (samples,)."""
    spectra = np.abs(librosa.stft(sound, n_fft=FRAME, hop_length=FRAME // 2)) ** 2
    power = spectra.sum(axis=0)
    loud = power > power.max() * 1e-4
    hertz = librosa.fft_frequencies(sr=RATE, n_fft=FRAME)
    whole = spectra.sum()
    bands = {
        f"{band} Hz, dB of the whole": decibels(
            spectra[(hertz >= band / 2**0.5) & (hertz < band * 2**0.5)].sum() / whole
        )
        for band in BANDS
    }
    kept = spectra[1:, loud] + 1e-12
    flatness = np.exp(np.log(kept).mean(axis=0)) / kept.mean(axis=0)
    levels = decibels(power[loud])
    onsets = librosa.onset.onset_detect(y=sound, sr=RATE, hop_length=256)
    return {
        **bands,
        "flatness of a frame, dB": decibels(np.median(flatness)),
        "level of frames, 10th to 90th percentile, dB": float(
            np.percentile(levels, 90) - np.percentile(levels, 10)
        ),
        "peak over root mean square, dB": decibels(np.abs(sound).max() ** 2 / np.mean(sound**2)),
        "onsets a second": len(onsets) / (len(sound) / RATE),
        "silent frames, %": 100 * float(1 - loud.mean()),
    }


def decibels(power):
    return 10 * np.log10(power)


def of_item(item, static):
    """{(source, name): number} of each piece of an item in which all sources sound; static: a
    StaticMask, or None."""
    sounds = {name: source.audio_data[0] for name, source in item["sources"].items()}
    length = SECONDS * RATE
    for first in range(0, len(sounds["vocals"]) - length + 1, length):
        piece = {name: sound[first : first + length] for name, sound in sounds.items()}
        if min(decibels(np.mean(sound**2) + 1e-20) for sound in piece.values()) < SILENT:
            continue
        found = {
            (name, key): value for name in LABELS for key, value in statistics(piece[name]).items()
        }
        ratio = np.mean(piece["vocals"] ** 2) / np.mean(piece["accompaniment"] ** 2)
        found["both", "vocals over accompaniment, dB"] = decibels(ratio)
        part = item_of(item["metadata"]["name"], {name: s[None] for name, s in piece.items()})
        for row in score_item(part, {}, {MASKS[0]: static} if static else {}):
            if row["method"] in MASKS:
                key = f"{row['method']}, improvement of SI-SDR, dB"
                found[row["source"], key] = row["si_sdr_improvement"]
        yield found


def items_of(data, indices):
    """Items of vocals and accompaniment."""
    for index in indices:
        sounds = data.excerpt(int(index))
        yield item_of(data.tracks[index].name, dict(zip(data.labels, sounds, strict=True)))


def summary(items, static):
    """{(source, name): (median, 10th, 90th percentile)} over all pieces, and how many these are."""
    pieces = [found for item in items for found in of_item(item, static)]
    columns = {key: [piece[key] for piece in pieces] for key in pieces[0]}
    return {
        key: [float(np.percentile(column, at)) for at in (50, 10, 90)]
        for key, column in columns.items()
    }, len(pieces)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--songs", type=int, default=60, help="of the built-in sample")
    parser.add_argument("--folder", type=Path, help="of recorded stems: its test split")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    folder = args.folder and args.folder.absolute()
    os.chdir(PROJECT)
    sets = {}
    with tempfile.TemporaryDirectory() as temporary:
        for style in ("plain", "produced"):
            of_style = functools.partial(Sample, temporary, style=style)
            train, test = (of_style(split, RATE, 1, PARAMS) for split in ("train", "test"))
            indices = [10 * song + 7 * song % 10 for song in range(args.songs)]
            try:
                for data in (train, test):
                    data.ensure(indices)
            except UserError as error:
                print(f"built-in sample, {style}: left out: {error}")
                continue
            static = StaticMask(map(train.excerpt, indices), RATE, PARAMS)
            found = summary(items_of(test, indices), static)
            sets[f"built-in sample, {style} (synthesised)"] = found
    static = None
    if folder:
        train = StemFolder(folder, "train", RATE, 1, PARAMS, layout="stems")
        static = StaticMask.learnt_from(train)
    sets["stempeg's excerpt (recorded)"] = summary([clip()], static)
    if folder:
        kinds = {}
        for kind, _, item in of_folder(folder, sys.maxsize):
            kinds.setdefault(kind, []).append(item)
        for kind, items in sorted(kinds.items()):
            sets[f"Debian's voices, {kind} (recorded)"] = summary(items, static)
    counts = ", ".join(f"{name}: {count}" for name, (_, count) in sets.items())
    print(f"Median (10th to 90th percentile) of pieces of {SECONDS} s. Pieces: {counts}\n")
    print(f"| source | | {' | '.join(sets)} |\n|---|---|{'---|' * len(sets)}")
    for source, key in next(iter(sets.values()))[0]:
        values = [found.get((source, key)) for found, _ in sets.values()]
        cells = ["{:.1f} ({:.1f} to {:.1f})".format(*value) if value else "" for value in values]
        print(f"| {source} | {key} | {' | '.join(cells)} |")
    if args.json:
        rows = [
            {
                "name": f"{name}: {source}, {key}",
                "median": values[0],
                "from": values[1],
                "to": values[2],
            }
            for name, (found, _) in sets.items()
            for (source, key), values in found.items()
        ]
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
