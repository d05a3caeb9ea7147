"""A voice of some seconds from clips of one speaker: trimmed, joined, at one level, in a room."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
from scipy.signal import oaconvolve

import audio
from errors import UserError

LEVEL_DB = -25.0  # of a voice where it speaks, RMS, full scale being 0
SILENT_DB = -60.0  # a clip that is quieter is not used
PAUSE_DB = 20.0  # a stretch of a clip that is so far below the whole is a pause in it
TRIM_DB = 40.0  # silence before and after a clip: so far below its loudest part
PAUSE = 0.25  # seconds, the mean pause between two clips
LEAST = 0.05  # seconds: no clip is begun for less
WHOLE = 20.0  # seconds: of a longer clip only a stretch is read
TRIES = 20  # so many clips are drawn while all are silent


class Clip(NamedTuple):
    """A recording of one speaker; length in samples at `sample_rate`, both of the file."""

    path: Path
    sample_rate: int
    length: int

    @property
    def seconds(self):
        return self.length / self.sample_rate


class Manner(NamedTuple):
    """Settings from which a voice is made.

    sample_rate: in Hz. joined: other clips of the speaker follow until the voice is long enough;
    else one clip lies somewhere in silence. speed: [slowest, fastest] or None. level_db: [min,
    max] dB above `LEVEL_DB`.
    """

    sample_rate: int
    joined: bool
    speed: tuple | None
    level_db: tuple


def voice(clips, first, length, manner, rng, response=None):
    """A speaker's voice: float32 (length,).

    Args:
        clips: [Clip] of the speaker. first: the index of the one to begin with.
        length: in samples at `manner.sample_rate`.
        rng: numpy's Generator, which decides all that is drawn.
        response: of a room, float32 (samples,); None: as recorded.

    Raises:
        UserError: a clip cannot be read, or the speaker's clips are silent.
    """
    rate = manner.sample_rate
    sound, position = np.zeros(length, np.float32), 0
    spoken = np.zeros(length, bool)
    number, silent = first, 0
    speed = 1.0 if manner.speed is None else float(rng.uniform(*manner.speed))
    while position < length:
        clip = _clip(clips[number], length - position, rate, speed, rng)
        number = int(rng.integers(len(clips)))
        silent = silent + 1 if clip is None else 0
        if clip is None:
            if silent == TRIES:
                raise UserError(
                    f"{clips[first].path.parent}: {TRIES} clips of this speaker were drawn, and "
                    f"all are silent (below {SILENT_DB:.0f} dB of full scale); remove them"
                )
            continue
        if not manner.joined:
            position = int(rng.integers(length - len(clip) + 1))
        end = position + len(clip)
        sound[position:end], spoken[position:end] = clip, True
        if not manner.joined:
            break
        position = end + int(rng.exponential(PAUSE) * rate)
        if length - position < LEAST * rate:
            break
    if response is not None:
        sound = oaconvolve(sound, response)[:length].astype(np.float32)
    gain_db = LEVEL_DB + rng.uniform(*manner.level_db) - audio.level_db(sound[spoken])
    return sound * np.float32(10 ** (gain_db / 20))


def _clip(clip, most, rate, speed, rng):
    """A stretch of a clip of at most `most` samples, at the level of speech; None: it is silent."""
    needed = int(np.ceil(most * speed))
    if clip.seconds > max(WHOLE, needed / rate):
        taken = max(needed, rate)  # enough to know the level by
        spare = audio.resampled_length(clip.length, clip.sample_rate, rate) - taken
        start = int(rng.integers(spare + 1))
        sound = audio.read_excerpt(clip.path, rate, 1, start, taken)[0]
    else:
        sound = audio.trim_silence(audio.read(clip.path, rate, 1)[0], rate, TRIM_DB)
    level = audio.level_db(sound)
    if level < SILENT_DB:
        return None
    start = int(rng.integers(max(0, len(sound) - needed) + 1))
    sound = sound[start : start + needed]
    if audio.level_db(sound) < level - PAUSE_DB:
        return None
    if speed != 1.0:
        sound = soxr.resample(sound, speed, 1.0)
    return sound[:most] * np.float32(10 ** ((LEVEL_DB - level) / 20))
