"""MP3 files written by libsndfile and changed by hand, so that their truth is known."""

import io

import numpy as np
import soundfile

RATE, FRAME = 44100, 1152
KBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)


def song(seconds=4.0, seed=0):
    """Float32 (samples, 2) with tones that come and go over noise."""
    time = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal((len(time), 2))
    tone = np.sin(2 * np.pi * (300 + 100 * seed) * time + 4 * np.sin(3 * time))
    return (0.3 * tone[:, None] + 0.1 * noise * (np.sin(2 * time) > 0)[:, None]).astype(np.float32)


def encoded(sound, **how):
    """The bytes of an MP3 file; by default of a variable bit rate."""
    buffer = io.BytesIO()
    how = {"bitrate_mode": "VARIABLE", "compression_level": 0.5, **how}
    soundfile.write(buffer, sound, RATE, format="MP3", **how)
    return buffer.getvalue()


def frames(content):
    """(what stands before the first frame, [the bytes of each frame]); the first one is "Info"."""
    at = start = content.index(b"\xff\xfb")
    found = []
    while at + 4 <= len(content) and content[at : at + 2] == b"\xff\xfb":
        kbits = KBITS[content[at + 2] >> 4]
        size = 144 * kbits * 1000 // RATE + (content[at + 2] >> 1 & 1)
        found.append(content[at : at + size])
        at += size
    assert at == len(content) and any(name in found[0] for name in (b"Xing", b"Info"))
    return content[:start], found


def promising(content, count):
    """The file with another number of frames in its header."""
    place = max(content.find(b"Xing"), content.find(b"Info")) + 8
    return content[:place] + count.to_bytes(4, "big") + content[place + 4 :]


def decoded(content):
    """Float32 (channels, samples) of a healthy file, by libsndfile."""
    return soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)[0].T
