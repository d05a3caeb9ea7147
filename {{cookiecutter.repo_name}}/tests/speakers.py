"""Folders of speakers in miniature, each of whom speaks at a pitch of his own: `HERTZ[name]`."""

import zlib

import numpy as np
import soundfile

RATE = 16000
SPLITS = {
    "train": ("anna", "bob", "cleo", "dirk"),
    "val": ("emma", "fred"),
    "test": ("gina", "hans", "ida"),
}
NAMES = [name for names in SPLITS.values() for name in names]
HERTZ = {name: 220.0 * 1.25**number for number, name in enumerate(NAMES)}


def speech(hertz, seconds, rate=RATE, level=0.3, silence=0.2):
    """float32 (samples,): a tone with a little noise, and silence before and after it."""
    time = np.arange(round(seconds * rate)) / rate
    rng = np.random.default_rng(zlib.crc32(f"{hertz} {seconds}".encode()))
    sound = np.sin(2 * np.pi * hertz * time) + 0.01 * rng.standard_normal(len(time))
    return np.pad(level * sound, round(silence * rate)).astype(np.float32)


def save(path, sound, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate)
    return path


def speaker_folder(folder, splits=SPLITS, clips=3):
    """<split>/<speaker>/<clip>.wav, some of it deeper, as FLAC or Ogg, at another rate."""
    for split, names in splits.items():
        for name in names:
            for number in range(clips):
                rate = (16000, 22050, 8000)[number % 3]
                inner = ("0.wav", "more/1.flac", "2.ogg")[number % 3]
                sound = speech(HERTZ[name], 0.8 + 0.3 * number, rate, 0.05 * (1 + number))
                save(folder / split / name / inner, sound, rate)
    return folder


LIBRISPEECH = {"train": "train-clean-100", "val": "dev-clean", "test": "test-clean"}


def librispeech(folder):
    """LibriSpeech's own tree: part/speaker/chapter/speaker-chapter-number.flac, SPEAKERS.TXT."""
    lines = [
        "; A comment of the publisher",
        ";ID  |SEX| SUBSET           |MINUTES| NAME",
        "14   | F | train-clean-360  | 25.03 | Kristin LeMoine",
    ]
    for split, part in LIBRISPEECH.items():
        for name in SPLITS[split]:
            speaker = str(100 + NAMES.index(name))
            lines.append(f"{speaker:4} | M | {part:16} | 25.05 | {name}")
            for chapter, number in ((1240, 0), (1240, 1), (1241, 0)):
                place = folder / part / speaker / str(chapter)
                stem = f"{speaker}-{chapter}"
                sound = speech(HERTZ[name], 1.0 + 0.2 * number)
                save(place / f"{stem}-{number:04d}.flac", sound)
                (place / f"{stem}.trans.txt").write_text(f"{stem}-0000 HELLO\n")
    (folder / "SPEAKERS.TXT").write_text("\n".join(lines) + "\n")
    return folder


def dominant(sound, rate):
    """The frequency in hertz at which the spectrum of (samples,) has its peak."""
    spectrum = np.abs(np.fft.rfft(sound, 8 * len(sound)))
    return np.argmax(spectrum) * rate / (8 * len(sound))


def speaker_of(sound, rate):
    """Whose tone a sound is."""
    hertz = dominant(sound, rate)
    return min(HERTZ, key=lambda name: abs(np.log(HERTZ[name] / hertz)))
