"""More datasets' folders in miniature, beside those of `layouts`: `WRITERS[class](folder)`."""

import csv
import json

import layouts
import numpy as np
import speakers
from layouts import SAMPLE_RATE, SPLITS, save, stems

PARTS = {"train": "train-100", "val": "dev", "test": "test"}
IDS = {
    "train": ["103-1240-0003_1235-135887-0017", "118-47824-0012_26-495-0001"],
    "val": ["1272-128104-0000_2035-147961-0014", "1462-170138-0007_251-118436-0011"],
    "test": ["1089-134686-0000_121-127105-0031", "1221-135766-0002_1284-1180-0003"],
}


def librimix(folder, num_speakers=2):
    stems_of = ("vocals", "other", "bass")[:num_speakers]
    voices = {f"s{number + 1}": stem for number, stem in enumerate(stems_of)}
    mixes = {
        "mix_clean": [*voices],
        "mix_both": [*voices, "noise"],
        "mix_single": ["s1", "noise"],
    }
    metadata = folder / "wav8k" / "min" / "metadata"
    metadata.mkdir(parents=True, exist_ok=True)
    for split, part in PARTS.items():
        place, rows = folder / "wav8k" / "min" / part, []
        for number, name in enumerate(IDS[split]):
            sounds = stems(split, number, 8000, 1)
            signals = {source: sounds[stem] for source, stem in voices.items()}
            signals["noise"] = 0.3 * sounds["drums"]
            signals |= {mix: sum(signals[s] for s in parts) for mix, parts in mixes.items()}
            for signal, sound in signals.items():
                save(place / signal / f"{name}.wav", sound, 8000)
            rows.append((name, len(signals["s1"])))
        for mix, parts in mixes.items():
            with open(metadata / f"mixture_{part}_{mix}.csv", "w", newline="") as file:
                table = csv.writer(file)
                files = [f"source_{n + 1}_path" for n in range(len(parts) - ("noise" in parts))]
                files += ["noise_path"] * ("noise" in parts)
                table.writerow(["mixture_ID", "mixture_path", *files, "length"])
                for name, length in rows:
                    paths = [f"/its/maker/{part}/{at}/{name}.wav" for at in (mix, *parts)]
                    table.writerow([name, *paths, length])
            (metadata / f"metrics_{part}_{mix}.csv").write_text("mixture_ID,source_1_SNR\n")


def whamr(folder):
    room = np.exp(-np.arange(800) / 100)
    for split, part in {"train": "tr", "val": "cv", "test": "tt"}.items():
        for number in range(layouts.SONGS):
            sounds = stems(split, number, 8000, 1)
            name = f"01{part}0{number}_2.3106_20do010w_-2.3106.wav"
            signals = {"noise": 0.3 * sounds["bass"]}
            for source, stem in (("s1", "vocals"), ("s2", "other")):
                dry = sounds[stem]
                signals[f"{source}_anechoic"] = dry
                wet = np.convolve(dry[:, 0], room)[: len(dry), None]
                signals[f"{source}_reverb"] = 0.3 * wet / np.abs(wet).max()
            for kind in ("anechoic", "reverb"):
                one, two = signals[f"s1_{kind}"], signals[f"s2_{kind}"]
                signals[f"mix_clean_{kind}"] = one + two
                signals[f"mix_single_{kind}"] = one + signals["noise"]
                signals[f"mix_both_{kind}"] = one + two + signals["noise"]
            for signal, sound in signals.items():
                save(folder / "wav8k" / "min" / part / signal / name, sound, 8000)


ARTISTS = [f"artist {number}" for number in range(10)]
MOISES = {
    "vocals": [("lead female singer", "vocals", 0.7), ("background vocals", "vocals", 0.3)],
    "drums": [("full acoustic drumkit", "drums", 1.0)],
    "bass": [("bass guitar", "bass", 1.0)],
    "guitar": [("acoustic guitar", "other", 0.5)],
    "piano": [("grand piano", "other", 0.5)],
}


def moisesdb(folder):
    """Ten artists with a song each, the last one without drums."""
    for number, artist in enumerate(ARTISTS):
        sounds = stems(SPLITS[number % 3], number // 3 % layouts.SONGS)
        place = folder / "moisesdb_v0.1" / f"0a{number:02d}d3c-11ee"
        described = []
        for name, tracks in MOISES.items():
            if name == "drums" and artist == ARTISTS[-1]:
                continue
            listed = []
            for index, (kind, stem, gain) in enumerate(tracks):
                key = f"{name}-{index}-5b1e"
                save(place / name / f"{key}.wav", gain * sounds[stem], SAMPLE_RATE)
                listed.append(
                    {"id": key, "trackType": kind, "extension": "wav", "has_bleed": False}
                )
            described.append({"id": f"{name}-1", "stemName": name, "tracks": listed})
        about = {"song": f"song {number}", "artist": artist, "genre": "pop", "stems": described}
        (place / "data.json").write_text(json.dumps(about))


def dnr(folder):
    for split, part in {"train": "tr", "val": "cv", "test": "tt"}.items():
        for number in range(layouts.SONGS):
            sounds = stems(split, number, SAMPLE_RATE, 1)
            place = folder / part / str(1000 + number)
            parts = {"speech": "vocals", "music": "other", "sfx": "drums"}
            for name, stem in parts.items():
                save(place / f"{name}.wav", sounds[stem], SAMPLE_RATE)
            save(place / "mix.wav", sum(sounds[stem] for stem in parts.values()), SAMPLE_RATE)
            (place / "annots.csv").write_text("file,class,start,end\n")


WRITERS = {  # by class
    layouts.CLASSES[name]: write for name, write in layouts.LAYOUTS.items() if name != "wsj0_3mix"
}
WRITERS |= {"LibriMix": librimix, "WHAMR": whamr, "MoisesDB": moisesdb, "DnR": dnr}
WRITERS |= {"LibriSpeech": speakers.librispeech, "SpeakerFolder": speakers.speaker_folder}


def write(name, folder):
    """Write the miniature for the class `name` into `folder`, once."""
    if not folder.exists():
        folder.mkdir(parents=True)
        WRITERS[name](folder)
    return folder
