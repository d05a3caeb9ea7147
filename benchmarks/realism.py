"""How real the built-in sample is: statistics of its sources, compared with recordings.

    python -m benchmarks.realism [--songs N] [--folder STEMS] [--json FILE]

Recorded: the excerpt of MUSDB18's test set in the package stempeg (6 seconds of one song; needs
ffmpeg). With --folder: also the test split of stems as data_prep/debian/songs.yml makes them,
recorded voices over recorded music. Synthesised: one snippet of each of N test songs of each style
of the built-in sample (without the packages that sampled instruments need, of the plain one only).
Everything is at 16 kHz in mono, in pieces of 4 seconds, of which medians are shown. The static mask
of a set is computed from its own train split, that of the one song from the folder's.
"""

import functools
import sys
import tempfile
from pathlib import Path

import librosa
import numpy as np
from dataset import Sample, StemFolder
from errors import UserError
from evaluation import StaticMask, score_item

from benchmarks import common
from benchmarks.items import LABELS, PARAMS, RATE, item_at, item_of, of_folder, recorded_song

SECONDS = 4
BANDS = (125, 250, 500, 1000, 2000, 4000)  # Hz, the centres of octaves
FRAME = 1024
SILENT = -60  # dB of full scale
MASKS = ("static mask", "ideal ratio mask")


def statistics(sound):
    """{name: value} of a source; sound: (samples,)."""
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
    """Yields {(source, name): value} for each piece of an item in which no source is silent.

    Args:
        static: StaticMask; None: it is not scored.
    """
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


def summary(items, static):
    """({(source, name): [median, 10th, 90th percentile]}, number of pieces)."""
    pieces = [found for item in items for found in of_item(item, static)]
    columns = {key: [piece[key] for piece in pieces] for key in pieces[0]}
    return {
        key: [float(np.percentile(column, at)) for at in (50, 10, 90)]
        for key, column in columns.items()
    }, len(pieces)


def summaries(songs, folder, temporary):
    """{title: summary} of all sets."""
    found = {}
    for style in ("plain", "produced"):
        of_style = functools.partial(Sample, temporary, style=style)
        train, test = (of_style(split, RATE, 1, PARAMS) for split in ("train", "test"))
        indices = [10 * song + 7 * song % 10 for song in range(songs)]
        try:
            for data in (train, test):
                data.ensure(indices)
        except UserError as error:
            print(f"built-in sample, {style}: left out: {error}")
            continue
        static = StaticMask(map(train.excerpt, indices), RATE, PARAMS)
        items = (item_at(test, index) for index in indices)
        found[f"built-in sample, {style} (synthesised)"] = summary(items, static)
    static = None
    if folder:
        train = StemFolder(folder, "train", RATE, 1, PARAMS, layout="stems")
        static = StaticMask.learnt_from(train)
    found["stempeg's excerpt (recorded)"] = summary([recorded_song()], static)
    if folder:
        kinds = {}
        for kind, _, item in of_folder(folder, sys.maxsize):
            kinds.setdefault(kind, []).append(item)
        for kind, items in sorted(kinds.items()):
            found[f"Debian's voices, {kind} (recorded)"] = summary(items, static)
    return found


def main():
    parser = common.parser(__doc__)
    parser.add_argument("--songs", type=int, default=60, help="of the built-in sample")
    parser.add_argument("--folder", type=Path, help="of recorded stems: its test split")
    args = common.parse(parser)
    with tempfile.TemporaryDirectory() as temporary:
        sets = summaries(args.songs, args.folder, temporary)
    counts = ", ".join(f"{title}: {count}" for title, (_, count) in sets.items())
    print(f"Median (10th to 90th percentile) of pieces of {SECONDS} s. Pieces: {counts}\n")
    print(f"| source | | {' | '.join(sets)} |\n|---|---|{'---|' * len(sets)}")
    results = common.Results(args.json)
    for source, key in next(iter(sets.values()))[0]:
        row = {"name": f"realism: {source}, {key}"}
        row |= {title: values.get((source, key)) for title, (values, _) in sets.items()}
        _, *columns = row.values()
        cells = ["{:.1f} ({:.1f} to {:.1f})".format(*value) if value else "" for value in columns]
        results.add(row, f"| {source} | {key} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
