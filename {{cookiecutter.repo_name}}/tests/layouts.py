"""Each dataset's folders in miniature: what its users have.

`write(name, folder)` writes one; `ARGS[name]` are the arguments under which its class finds it.
"""

import functools
import json
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import yaml

import audio
from songs import SAMPLE_RATE, SPLITS, STEMS

SECONDS = 1.5
SONGS = 2  # of each split

MUSDB_NAMES = {
    "train": ["A Classic Education - NightOwl", "Aimee Norwich - Child"],
    "val": ["Actions - One Minute Smile", "Young Griffo - Pennies"],
    "test": ["AM Contra - Heart Peripheral", "Al James - Schoolboy Facination"],
}


@functools.cache
def stems(split, number, rate=SAMPLE_RATE, channels=2):
    """{stem: float32 (samples, channels)}: tones that come and go, and noise."""
    time = np.arange(round(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    sounds = {}
    for index, stem in enumerate(STEMS):
        rng = np.random.default_rng([SPLITS.index(split), number, index])
        tone = np.sin(2 * np.pi * rng.uniform(100, 900) * time) * np.sin(4 * time + index) ** 2
        sound = 0.1 * tone + 0.003 * rng.standard_normal((2, len(time)))
        sounds[stem] = audio.convert(sound.astype(np.float32), SAMPLE_RATE, rate, channels).T
    return sounds


def save(path, sound, rate, **kind):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, **kind)


def musdb18(folder):
    for split, names in MUSDB_NAMES.items():
        for number, name in enumerate(names):
            place = folder / ("test" if split == "test" else "train") / name
            sounds = stems(split, number)
            for stem, sound in sounds.items():
                save(place / f"{stem}.wav", sound, SAMPLE_RATE)
            save(place / "mixture.wav", sum(sounds.values()), SAMPLE_RATE)


def mir1k(folder):
    singers = {"train": ("abjones", "amy"), "val": ("bug", "ariel"), "test": ("khair", "leon")}
    for split in SPLITS:
        for number, singer in enumerate(singers[split]):
            sounds = stems(split, number, 16000, 1)
            rest = sounds["drums"] + sounds["bass"] + sounds["other"]
            name = f"{singer}_{number + 1}_01"
            save(folder / "Wavfile" / f"{name}.wav", np.hstack([rest, sounds["vocals"]]), 16000)
            (folder / "PitchLabel").mkdir(exist_ok=True)
            (folder / "PitchLabel" / f"{name}.pv").write_text("0\n60.5\n")


SLAKH_CLASSES = {
    "S00": ("Drums", "drums"),
    "S01": ("Bass", "bass"),
    "S02": ("Guitar", "other"),
    "S03": ("Piano", "vocals"),
    "S05": ("Strings (continued)", None),
}


def slakh2100(folder):
    first = {"train": 1, "val": 1501, "test": 1876}
    for split in SPLITS:
        part = folder / {"val": "validation"}.get(split, split)
        for number in range(SONGS):
            place = part / f"Track{first[split] + number:05d}"
            sounds = stems(split, number, SAMPLE_RATE, 1)
            for key, (_, stem) in SLAKH_CLASSES.items():
                if stem is not None:
                    save(place / "stems" / f"{key}.flac", sounds[stem], SAMPLE_RATE)
            save(place / "mix.flac", sum(sounds.values()), SAMPLE_RATE)
            (place / "all_src.mid").write_bytes(b"MThd")
            (place / "metadata.yaml").write_text(
                yaml.safe_dump(
                    {
                        "UUID": f"1a81ae0928842{split}{number}",
                        "audio_dir": "stems",
                        "midi_dir": "MIDI",
                        "normalization_factor": -13.0,
                        "normalized": True,
                        "overall_gain": 0.18,
                        "stems": {
                            key: {
                                "audio_rendered": stem is not None,
                                "inst_class": label,
                                "is_drum": label == "Drums",
                                "program_num": 0,
                            }
                            for key, (label, stem) in SLAKH_CLASSES.items()
                        },
                        "target_peak": -1.0,
                    }
                )
            )


def _speech(folder, mixes, sources, wav="wav8k", mode="min"):
    """wav8k/min/tr/... with the signals that `mixes` sums: {folder: [sources]}."""
    parts = {"train": "tr", "val": "cv", "test": "tt"}
    voices = dict(zip(sources, ("vocals", "other", "bass"), strict=False))
    rate = {"wav8k": 8000, "wav16k": 16000}[wav]
    for split, part in parts.items():
        for number in range(SONGS):
            sounds = stems(split, number, rate, 1)
            name = f"01{'tcx'[SPLITS.index(split)]}o030{number}_2.3106_20do010w_-2.3106.wav"
            signals = {source: sounds[stem] for source, stem in voices.items()}
            signals |= {mix: sum(signals[s] for s in parts) for mix, parts in mixes.items()}
            for signal, sound in signals.items():
                save(folder / wav / mode / part / signal / name, sound, rate)


def wsj0_2mix(folder):
    _speech(folder, {"mix": ["s1", "s2"]}, ["s1", "s2"])


def wsj0_3mix(folder):
    _speech(folder, {"mix": ["s1", "s2", "s3"]}, ["s1", "s2", "s3"])


def wham(folder, wav="wav8k", mode="min"):
    mixes = {
        "mix_clean": ["s1", "s2"],
        "mix_both": ["s1", "s2", "noise"],
        "mix_single": ["s1", "noise"],
    }
    _speech(folder, mixes, ["s1", "s2", "noise"], wav, mode)


def remix_packs600(folder):
    for split in SPLITS:
        for number in range(SONGS):
            place = folder / split / f"Artist {split} - Söng {number} (Stems)"
            sounds = stems(split, number)
            save(place / "Lead Vox.wav", sounds["vocals"], SAMPLE_RATE)
            save(place / "drums" / "01 Kick.wav", 0.5 * sounds["drums"], SAMPLE_RATE)
            save(place / "drums" / "02.mp3", 0.5 * sounds["drums"][:40000], SAMPLE_RATE)
            save(place / "808_sub.mp3", sounds["bass"], SAMPLE_RATE)
            save(place / "Others" / "everything else.wav", sounds["other"], SAMPLE_RATE)
            save(place / "Full Mix.mp3", sum(sounds.values()), SAMPLE_RATE)
            (place / "readme.txt").write_text("have fun")


def stem_folder(folder):
    for split in SPLITS:
        for number in range(SONGS):
            sounds = stems(split, number, 22050, 1)
            for stem in ("vocals", "other"):
                save(folder / split / stem / f"sång {number}.ogg", sounds[stem], 22050)


def real_songs(folder):
    for split in SPLITS:
        for number in range(SONGS):
            sounds = stems(split, number, 16000, 1)
            for label, stem in (("vocals", "vocals"), ("accompaniment", "other")):
                save(
                    folder / split / label / f"{split}{number}_sung_0000{number}.flac",
                    sounds[stem],
                    16000,
                )


SCENE = {"background": ("street", "other"), "foreground": ("siren", "vocals")}


def scaper(folder):
    for split in SPLITS:
        for number in range(SONGS):
            sounds, name = stems(split, number, 16000, 1), f"soundscape{number}"
            events, files, total = [], [], 0
            for role, (label, stem) in SCENE.items():
                file = f"{name}_events/{role}0_{label}.wav"
                save(folder / split / file, sounds[stem], 16000)
                files.append(f"/somewhere/else/{file}")
                total = total + sounds[stem]
                events.append(
                    {
                        "time": 0.0,
                        "duration": SECONDS,
                        "confidence": 1.0,
                        "value": {
                            "label": label,
                            "role": role,
                            "source_file": "a.wav",
                            "source_time": 0.0,
                            "event_time": 0.0,
                            "event_duration": SECONDS,
                            "snr": 0.0,
                            "pitch_shift": None,
                            "time_stretch": None,
                        },
                    }
                )
            save(folder / split / f"{name}.wav", total, 16000)
            scaper = {
                "duration": SECONDS,
                "ref_db": -20,
                "fg_labels": ["siren"],
                "bg_labels": ["street"],
                "isolated_events_audio_path": files,
                "soundscape_audio_path": f"/somewhere/else/{name}.wav",
            }
            annotation = {
                "namespace": "scaper",
                "data": events,
                "time": 0,
                "duration": SECONDS,
                "annotation_metadata": {},
                "sandbox": {"scaper": scaper},
            }
            (folder / split / f"{name}.jams").write_text(
                json.dumps(
                    {
                        "annotations": [annotation],
                        "file_metadata": {"duration": SECONDS},
                        "sandbox": {},
                    }
                )
            )


LAYOUTS = {
    function.__name__: function
    for function in (
        musdb18,
        mir1k,
        slakh2100,
        wsj0_2mix,
        wsj0_3mix,
        wham,
        remix_packs600,
        stem_folder,
        scaper,
    )
}
WRITERS = {**LAYOUTS, "real_songs": real_songs, "fine_tune": stem_folder}  # StemFolders too
CLASSES = {
    "musdb18": "MUSDB18",
    "mir1k": "MIR1K",
    "slakh2100": "Slakh2100",
    "wsj0_2mix": "WSJ0Mix",
    "wsj0_3mix": "WSJ0Mix",
    "wham": "WHAM",
    "remix_packs600": "RemixPacks600",
    "stem_folder": "StemFolder",
    "scaper": "Scaper",
}
ARGS = {"mir1k": {"val_singers": ["bug", "ariel"]}, "wsj0_3mix": {"num_speakers": 3}}


def write(name, folder):
    """Write the layout `name` into `folder`, once, whole or not at all: others may look on."""
    folder = Path(folder)
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as place:
            made = Path(place) / "made"
            made.mkdir()
            WRITERS[name](made)
            try:
                made.rename(folder)
            except OSError:
                if not folder.is_dir():  # else another process was faster
                    raise
    return folder
