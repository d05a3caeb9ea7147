"""The shipped model, or that of another config, and classical algorithms on recordings.

    python -m benchmarks.recordings [--config YAML] [--folder STEMS] [--items N] [--json FILE]

--config: the experiment whose best model is scored (default: best_model/config.yml). Without
--folder: the excerpt of MUSDB18's test set that the package stempeg contains (6 seconds of
one song; needs ffmpeg), at 16 kHz in mono. With --folder: also the test split of a folder with
train/, val/ and test/, as data_prep/debian/songs.yml makes it; what stands before the first and
second "_" of a track's name are its speaker and its kind. Improvements of SI-SDR over the mixture
in dB; over a folder with 95 % intervals, by a bootstrap over speakers. Estimates without names are
matched to the references in the better order.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import stempeg

PROJECT = Path(__file__).parents[1] / "{{cookiecutter.repo_name}}"
sys.path.insert(0, str(PROJECT))

import audio  # noqa: E402  (found by the line above)
import config  # noqa: E402
import experiment  # noqa: E402
from algorithms import ALGORITHMS, estimates_of, labels_of  # noqa: E402
from compat import nussl  # noqa: E402
from dataset import StemFolder  # noqa: E402
from evaluation import score_item, summarize  # noqa: E402

RATE = 16000
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
CLIP = Path(stempeg.__file__).parent / "data/The Easton Ellises - Falcon 69.stem.mp4"
STEMS = ("mixture", "drums", "bass", "other", "vocals")  # streams of the file, in this order
LABELS = ("accompaniment", "vocals")
SHIPPED = "the shipped model"
CLASSICAL = ("HPSS", "FT2D", "RepetSim")


def clip(path=CLIP):
    """The excerpt as an item of nussl's: 16 kHz, mono, vocals and accompaniment."""
    sounds = {}
    for number, stem in enumerate(STEMS):
        command = ["ffmpeg", "-v", "error", "-i", path, "-map", f"0:a:{number}", "-ar", "44100"]
        command += ["-ac", "2", "-f", "f32le", "-"]
        raw = subprocess.run(command, capture_output=True, check=True).stdout
        sound = np.frombuffer(raw, np.float32).reshape(-1, 2).T
        sounds[stem] = audio.convert(sound, 44100, RATE, 1)
    length = min(sound.shape[1] for sound in sounds.values())
    sources = {
        "vocals": sounds["vocals"][:, :length],
        "accompaniment": sum(sounds[stem][:, :length] for stem in ("drums", "bass", "other")),
    }
    return item_of("stempeg's excerpt", sources)


def item_of(name, sources, mix=None, sample_rate=RATE):
    """{label: (channels, samples)} as an item of nussl's; mix: None for their sum."""

    def signal(sound):
        return nussl.AudioSignal(
            audio_data_array=np.array(sound, np.float32), sample_rate=sample_rate
        )

    signals = {label: signal(sound) for label, sound in sorted(sources.items())}
    mix = signal(sum(sources.values()) if mix is None else mix)
    return {"mix": mix, "sources": signals, "metadata": {"name": name}}


def methods(model_name=SHIPPED, file="best_model/config.yml"):
    """{name: a function from a mixture to its estimates}: those without an order of sources, those
    whose estimates come in the order of the sorted labels; `file` is the config of the model."""
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


def of_folder(folder, count, split="test"):
    """Yields (kind, speaker, item) of a split."""
    data = StemFolder(folder, split, RATE, 1, PARAMS, layout="stems")
    for index in np.linspace(0, len(data) - 1, min(count, len(data))).round().astype(int):
        sounds = data.excerpt(int(index))
        name = data.tracks[index].name
        speaker, kind, *_ = name.split("_")
        yield kind, speaker, item_of(name, dict(zip(data.labels, sounds, strict=True)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, help="of the model; default: the shipped one")
    parser.add_argument("--folder", type=Path, help="of stems: its test split is scored too")
    parser.add_argument("--items", type=int, default=100, help="so many of its tracks")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    folder, file = args.folder and args.folder.absolute(), args.config and args.config.absolute()
    os.chdir(PROJECT)  # paths in a config mean the project's folder
    model = config.load(file).info.name if file else SHIPPED
    unordered, ordered = methods(model, file) if file else methods()
    score = functools.partial(improvements, unordered=unordered, ordered=ordered)
    rows = []

    def show(title, method, values):
        print(f"{title}: {method}: " + ", ".join(f"{label} {v}" for label, v in values.items()))
        rows.append({"name": f"{title}: {method}", **values})

    found = score(clip())
    for method in (*CLASSICAL, model):
        show(
            "stempeg's excerpt (recorded)",
            method,
            {label: f"{found[method, label]:.2f}" for label in reversed(LABELS)},
        )
    if folder:
        scores, speakers = {}, {}
        for kind, speaker, item in of_folder(folder, args.items):
            speakers.setdefault(kind, []).append(speaker)
            for key, value in score(item).items():
                scores.setdefault((kind, *key), []).append(value)
        for kind in sorted(speakers):
            for method in (*CLASSICAL, model, "ideal ratio mask"):
                values = {}
                for label in reversed(LABELS):
                    found = summarize(scores[kind, method, label], speakers[kind])
                    values[label] = "{mean:.2f} ({low:.2f} to {high:.2f})".format(**found)
                show(f"{kind}, {len(speakers[kind])} items (recorded)", method, values)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
