"""Plays scores as a rock band: two amplified electric guitars and a bass."""

import numpy as np
import soxr
from scipy.signal import butter, sosfilt

from songs.score import Note

from .soundfont import PLAYED_RATE, play_parts

OVERSAMPLING = 4  # so that the overtones of distortion do not alias
GUITARS = range(24, 29)  # programs of General MIDI: nylon, steel, jazz, clean, muted
BASSES = (33, 34)  # fingered, picked
LOWEST = 40  # MIDI pitch of a guitar's lowest string


def play_band(score, start, seconds, soundfont, sample_rate, rng):
    """Play a part of a score on two guitars and a bass, without drums.

    Args:
        score: a `songs.score.Score`.
        start, seconds: the part to play.
        soundfont: path of an .sf2 or .sf3 file with General MIDI instruments.
        sample_rate: in Hz, of the result.
        rng: numpy's Generator.

    Returns:
        float32 (samples,).

    Raises:
        UserError: see `soundfont.play`.
    """
    players = [
        ("rhythm", power_chords(score, rng), GUITARS, rng.uniform(20, 45), 0.0),
        ("lead", score.parts["lead"], GUITARS, rng.uniform(5, 40), rng.uniform(-12, 0)),
        ("bass", score.parts["bass"], BASSES, rng.uniform(-10, 15), rng.uniform(-8, 2)),
    ]
    band = np.zeros(int(seconds * PLAYED_RATE))
    for name, notes, programs, drive_db, level_db in players:
        if not notes or (name == "lead" and rng.random() < 0.4):
            continue
        parts = {name: (int(rng.choice(programs)), notes)}
        sound = play_parts(parts, (), start, seconds, soundfont, PLAYED_RATE, rng)
        sound = amplify(sound, PLAYED_RATE, drive_db, rng)
        level = np.sqrt(np.square(sound).mean())
        band += sound * 10 ** (level_db / 20) / max(level, 1e-6)
    length = int(seconds * sample_rate)
    band = soxr.resample(0.05 * band, PLAYED_RATE, sample_rate)[:length]
    return np.pad(band, (0, length - len(band))).astype(np.float32)


def power_chords(score, rng):
    """Power chords (root, fifth and octave) in the rhythm of the score's chords or in eighths.

    Returns:
        [Note].
    """
    strums = sorted({(round(n.start, 1), n.length) for n in score.parts["chords"]})
    legato = float(rng.choice((0.35, 0.9)))  # the share of an eighth that is played
    if rng.random() < 0.5:
        eighth = score.beat / 2
        strums = [(eighth * i, legato * eighth) for i in range(int(score.length / eighth))]
    bass = score.parts["bass"]
    starts = [note.start for note in bass]
    chords = []
    for start, length in strums if bass else ():
        root = bass[max(0, np.searchsorted(starts, start + 0.05) - 1)].pitch
        root = LOWEST + (root - LOWEST) % 12
        velocity = rng.uniform(0.6, 1)
        chords += [
            Note(start + 0.008 * i, length, root + interval, velocity)
            for i, interval in enumerate((0, 7, 12))
        ]
    return chords


def amplify(sound, sample_rate, drive_db, rng):
    """Simulate a guitar amplifier and its loudspeaker.

    A high-pass filter; a gain of `drive_db` into an asymmetric soft clipper, which adds even
    overtones too, as a valve does; and the frequency range of a loudspeaker, from 80 Hz to an upper
    limit between 3 and 6 kHz.

    Args:
        sound: (samples,), of any level: it is scaled to an RMS of 0.1 first.
        sample_rate: in Hz.
        rng: numpy's Generator, for the filters and the clipper.

    Returns:
        float64 (samples,).
    """
    level = np.sqrt(np.square(sound, dtype=np.float64).mean())
    rate = OVERSAMPLING * sample_rate
    sound = soxr.resample(np.asarray(sound, np.float64), sample_rate, rate) / max(level, 1e-6)
    sound = _filtered(sound, rng.uniform(60, 250), rate, "high", 1)
    bias = rng.uniform(0, 0.4)
    sound = np.tanh(0.1 * 10 ** (drive_db / 20) * sound + bias) - np.tanh(bias)
    sound = _filtered(sound, 80, rate, "high", 2)
    sound = _filtered(sound, rng.uniform(3000, 6000), rate, "low", 3)
    return soxr.resample(sound, rate, sample_rate)


def _filtered(sound, frequency, rate, kind, order):
    return sosfilt(butter(order, frequency, kind, fs=rate, output="sos"), sound)
