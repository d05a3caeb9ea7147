"""Sound files for the tests of damaged ones, and how `scripts.separate` reads them."""

import io

import numpy as np
import soundfile
from mp3_surgery import RATE, song

import streams

NUMBERS = np.random.default_rng(3).integers(-9000, 9000, (30_000, 2)).astype(np.int16)


def save(folder, content, name="a.mp3"):
    path = folder / name
    path.write_bytes(content)
    return path


def written(folder, name, sound=NUMBERS, rate=RATE, **kind):
    soundfile.write(folder / name, sound, rate, **kind)
    return folder / name


def ogg(sound=None, rate=RATE, subtype="VORBIS", level=0.5):
    buffer = io.BytesIO()
    sound = song(6.0) if sound is None else sound
    with soundfile.SoundFile(
        buffer, "w", rate, 2, subtype, format="OGG", compression_level=level
    ) as file:
        for start in range(0, len(sound), 4096):  # libsndfile fails at more of Vorbis at once
            file.write(sound[start : start + 4096])
    return buffer.getvalue()


def pieces(path):
    """The whole, as `scripts.separate` reads it."""
    recording = streams.FileRecording(path)
    return np.hstack(
        [recording.read(start, 50_000) for start in range(0, recording.length, 50_000)]
    )[:, : recording.length], recording.flaw
