"""Makes a voice signal from clips of one speaker: trims, joins and levels them, and adds a room."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
from scipy.signal import oaconvolve

import audio
from errors import UserError

LEVEL_DB = -25.0  # RMS level of a voice while it speaks, in dB of full scale
SILENT_DB = -60.0  # a clip with a lower level is not used
PAUSE_DB = 20.0  # a part of a clip this far below the level of the whole is a pause, and not used
TRIM_DB = 40.0  # below the loudest part: what is quieter at the ends of a clip is cut off
MEAN_PAUSE = 0.25  # seconds between two clips
SHORTEST = 0.05  # seconds: a shorter gap at the end is not filled
LONGEST = 20.0  # seconds: of a longer clip only a part is read
MAX_TRIES = 20  # clips that are drawn in a row although all are silent


class Clip(NamedTuple):
    """A recording of one speaker; length: in samples at the file's `sample_rate` (Hz)."""

    path: Path
    sample_rate: int
    length: int

    @property
    def seconds(self):
        return self.length / self.sample_rate


class VoiceSettings(NamedTuple):
    """How a voice is made.

    Attributes:
        sample_rate: in Hz.
        joined: True: further clips of the speaker follow until the voice is long enough; False: one
            clip is placed at a random position in silence.
        speed: (slowest, fastest) factor of the speed; None: unchanged.
        level_db: (min, max) dB above `LEVEL_DB`.
    """

    sample_rate: int
    joined: bool
    speed: tuple | None
    level_db: tuple


def make_voice(clips, first, length, settings, rng, response=None):
    """Make the voice of one speaker.

    Args:
        clips: [Clip] of the speaker.
        first: the index of the first clip; further ones are drawn.
        length: in samples at `settings.sample_rate`.
        settings: `VoiceSettings`.
        rng: numpy's Generator for all random draws.
        response: impulse response of a room, float32 (samples,); None: no room.

    Returns:
        float32 (length,).

    Raises:
        UserError: a clip cannot be read, or the speaker's clips are silent.
    """
    rate = settings.sample_rate
    sound, position = np.zeros(length, np.float32), 0
    is_spoken = np.zeros(length, bool)
    number, num_silent = first, 0
    speed = 1.0 if settings.speed is None else float(rng.uniform(*settings.speed))
    while position < length:
        clip = _read_clip(clips[number], length - position, rate, speed, rng)
        number = int(rng.integers(len(clips)))
        if clip is None:
            num_silent += 1
            if num_silent == MAX_TRIES:
                raise UserError(
                    f"{clips[first].path.parent}: {MAX_TRIES} clips of this speaker were drawn, "
                    f"and all are silent (below {SILENT_DB:.0f} dB of full scale); remove them"
                )
            continue
        num_silent = 0
        if not settings.joined:
            position = int(rng.integers(length - len(clip) + 1))
        end = position + len(clip)
        sound[position:end], is_spoken[position:end] = clip, True
        if not settings.joined:
            break
        position = end + int(rng.exponential(MEAN_PAUSE) * rate)
        if length - position < SHORTEST * rate:
            break
    if response is not None:
        sound = oaconvolve(sound, response)[:length].astype(np.float32)
    gain_db = LEVEL_DB + rng.uniform(*settings.level_db) - audio.level_db(sound[is_spoken])
    return sound * np.float32(10 ** (gain_db / 20))


def _read_clip(clip, max_length, rate, speed, rng):
    """A part of a clip, at most `max_length` samples at the new speed; None: it is silent.

    It is scaled by the gain that brings the whole clip to the level `LEVEL_DB`.
    """
    needed = int(np.ceil(max_length * speed))
    if clip.seconds > max(LONGEST, needed / rate):
        taken = max(needed, rate)  # at least a second, to measure the level
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
    return sound[:max_length] * np.float32(10 ** ((LEVEL_DB - level) / 20))
