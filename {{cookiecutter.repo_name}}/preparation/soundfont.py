"""Plays scores of the built-in composer on sampled instruments by FluidSynth."""

import io
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import audio
from errors import UserError

TICKS = 960  # MIDI ticks in a second
PLAYED_RATE = 44100  # Hz
# load only the samples that are played: loading a whole SoundFont takes seconds
LOAD_ON_DEMAND = "synth.dynamic-sample-loading=1"
# programs of General MIDI, counted from 0
PROGRAMS = {
    "bass": range(32, 40),
    "chords": (*range(0, 8), *range(16, 32), *range(48, 53), *range(88, 96)),
    "figure": (*range(0, 16), *range(24, 32), *range(45, 47), *range(104, 108)),
    "lead": (*range(24, 32), *range(40, 43), *range(56, 88)),
}
DRUM_KITS = (0, 8, 16, 24, 25, 32, 40)
DRUM_KEYS = {  # {drum: MIDI key}
    "kick": 36,
    "snare": 38,
    "hat": 42,
    "open": 46,
    "ride": 51,
    "crash": 49,
    "tom1": 48,
    "tom2": 43,
    "shaker": 70,
    "clap": 39,
}
DRUM_CHANNEL = 9


def import_mido():
    """The module mido, which is optional like the program fluidsynth.

    Raises:
        UserError: one of them is not installed.
    """
    if shutil.which("fluidsynth") is None:
        raise UserError(
            "scores on sampled instruments need fluidsynth, which is not on the PATH; install it "
            "(apt-get install fluidsynth), or give no soundfonts"
        )
    try:
        import mido
    except ImportError as error:
        raise UserError(
            f"scores on sampled instruments need mido ({error}): pip install mido"
        ) from error
    return mido


def play(score, start, seconds, soundfont, sample_rate, rng):
    """Play a part of a score on instruments that are drawn from a SoundFont.

    Args:
        score: a `songs.score.Score`.
        start, seconds: the part to play.
        soundfont: path of an .sf2 or .sf3 file with General MIDI instruments.
        sample_rate: in Hz, of the result.
        rng: numpy's Generator.

    Returns:
        float32 (samples,).

    Raises:
        UserError: FluidSynth or mido is not installed, or the SoundFont cannot be played.
    """
    parts = {part: (int(rng.choice(PROGRAMS[part])), notes) for part, notes in score.parts.items()}
    return play_parts(parts, score.drums, start, seconds, soundfont, sample_rate, rng)


def play_parts(parts, hits, start, seconds, soundfont, sample_rate, rng):
    """Play notes and drums; as `play`, but with other arguments:

    Args:
        parts: {name: (General MIDI program, [Note])}.
        hits: [Hit] of the drums.
    """
    mido = import_mido()
    with tempfile.TemporaryDirectory() as temporary:
        midi, wav = Path(temporary) / "score.mid", Path(temporary) / "score.wav"
        midi.write_bytes(_midi(mido, parts, hits, start, seconds, rng))
        command = ["fluidsynth", "-niq", "-o", LOAD_ON_DEMAND, "-g", "0.4", "-r", str(PLAYED_RATE)]
        command += ["-F", wav, soundfont, midi]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0 or not wav.is_file():
            raise UserError(f"{soundfont}: cannot be played by fluidsynth: {done.stderr.strip()}")
        sound = audio.read(wav, sample_rate, 1)[0]
    length = int(seconds * sample_rate)
    return np.pad(sound, (0, max(0, length - len(sound))))[:length]


def _midi(mido, parts, hits, start, seconds, rng):
    """The bytes of a MIDI file with one channel for each part."""
    events = []  # (tick, message)
    for channel, (program, notes) in enumerate(parts.values()):
        events += _channel_setup(mido, channel, program, rng)
        for note in notes:
            events += _note_events(
                mido, channel, round(note.pitch), note, note.length, start, seconds
            )
    events += _channel_setup(mido, DRUM_CHANNEL, int(rng.choice(DRUM_KITS)), rng)
    for hit in hits:
        events += _note_events(mido, DRUM_CHANNEL, DRUM_KEYS[hit.drum], hit, 0.1, start, seconds)
    track, now = mido.MidiTrack(), 0
    for tick, message in sorted(events, key=lambda event: event[0]):
        track.append(message.copy(time=tick - now))
        now = tick
    # the default tempo of MIDI is 120 beats per minute: two beats in a second
    file, buffer = mido.MidiFile(ticks_per_beat=TICKS // 2), io.BytesIO()
    file.tracks.append(track)
    file.save(file=buffer)
    return buffer.getvalue()


def _channel_setup(mido, channel, program, rng):
    """Yields (tick, message): a channel's instrument, volume (7), pan (10) and reverb (91)."""
    yield 0, mido.Message("program_change", channel=channel, program=program)
    volume = int(rng.integers(60, 120)) if channel != DRUM_CHANNEL else int(rng.integers(70, 127))
    for control, value in (
        (7, volume),
        (10, int(rng.integers(30, 98))),
        (91, int(rng.integers(0, 90))),
    ):
        yield 0, mido.Message("control_change", channel=channel, control=control, value=value)


def _note_events(mido, channel, pitch, note, length, start, seconds):
    """Yields (tick, message) of a note's beginning and end, if it begins in the part to play."""
    begin = note.start - start
    if 0 <= begin < seconds:
        velocity = int(np.clip(127 * note.velocity, 1, 127))
        for kind, at in (("note_on", begin), ("note_off", begin + length)):
            message = mido.Message(kind, channel=channel, note=pitch, velocity=velocity)
            yield round(at * TICKS), message
