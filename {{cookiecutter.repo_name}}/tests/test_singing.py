"""Speech sung by a vocoder, scores played on sampled instruments and through amplifiers."""

import io
import shutil
import sys

import numpy as np
import pytest
from pairs import RATE, pulses, step

import audio
from errors import UserError
from preparation import (
    guitar,
    singing,
    soundfont,
    voices_over_music,
)
from songs.score import compose


def notes(*pitches, seconds=0.5):
    while True:
        yield from ((pitch, seconds) for pitch in pitches)


def test_speech_is_sung_at_the_pitch_of_the_melody():
    pytest.importorskip("pyworld")
    sung = singing.sing(pulses(120, 1.0), RATE, notes(60), np.random.default_rng(0))
    world = singing.import_pyworld()
    pitch, _ = world.harvest(sung.astype(float), RATE)
    midi = 69 + 12 * np.log2(np.median(pitch[pitch > 0]) / 440)
    assert abs(midi - 12 * round((midi - 60) / 12) - 60) < 0.6  # a C, in some octave
    assert len(sung) >= RATE and np.isfinite(sung).all()


def test_every_voiced_frame_has_a_pitch_near_its_note_and_no_other_has_one():
    voiced = np.zeros(300, bool)
    voiced[20:120] = voiced[150:151] = voiced[160:300] = True
    for seed in range(5):
        rng = np.random.default_rng(seed)
        pitch = singing._melody(voiced, notes(57), 57, rng)
        assert not pitch[~voiced].any()
        semitones = 12 * np.log2(pitch[voiced] / 220)
        assert np.abs(semitones).max() < 4  # vibrato, drift, and a scoop of up to 1.5


def test_what_has_no_voiced_sound_cannot_be_sung():
    pytest.importorskip("pyworld")
    assert len(singing.sing(np.zeros(RATE), RATE, notes(60), np.random.default_rng(0))) == 0


def test_singing_without_the_vocoder_says_what_to_install(monkeypatch, material, tmp_path):
    monkeypatch.setitem(sys.modules, "pyworld", None)
    with pytest.raises(UserError, match="re-sung voices need pyworld.*pip install pyworld"):
        step(sung=1.0).run(material, tmp_path)


def test_playing_without_fluidsynth_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    rng = np.random.default_rng(0)
    with pytest.raises(UserError, match="apt-get install fluidsynth"):
        soundfont.play(compose(rng, "train", 20), 0, 2, "piano.sf2", RATE, rng)


def test_a_score_becomes_a_midi_file_of_its_notes():
    mido = pytest.importorskip("mido")
    rng = np.random.default_rng(3)
    score = compose(rng, "train", 30)
    parts = {part: (0, notes) for part, notes in score.parts.items()}
    written = soundfont._midi(mido, parts, score.drums, 4.0, 8.0, rng)
    file = mido.MidiFile(file=io.BytesIO(written))
    found, now = [], 0.0
    for message in file:
        now += message.time
        if message.type == "note_on" and message.channel == 0:
            found.append((now, message.note))
    expected = sorted(
        (n.start - 4, round(n.pitch)) for n in score.parts["bass"] if 4 <= n.start < 12
    )
    assert len(found) == len(expected) > 3
    np.testing.assert_allclose(sorted(found), expected, atol=0.002)


def test_a_rhythm_guitar_plays_fifths_over_the_roots_of_the_bass():
    rng = np.random.default_rng(3)
    score = compose(rng, "train", 30)
    roots = {note.pitch % 12 for note in score.parts["bass"]}
    chords = guitar.power_chords(score, rng)
    pitches = np.array([note.pitch for note in chords]).reshape(-1, 3)
    assert len(pitches) > 10
    assert {tuple(intervals) for intervals in pitches - pitches[:, :1]} == {(0, 7, 12)}
    assert set(pitches[:, 0] % 12) <= roots
    assert pitches.min() >= 40 and pitches[:, 0].max() < 52


def test_an_amplifier_adds_overtones_and_nothing_that_is_folded_back():
    rate = 44100
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    quiet, loud = (
        guitar.amplify(0.01 * tone, rate, drive_db, np.random.default_rng(0))
        for drive_db in (-20, 25)
    )
    spectra = [np.abs(np.fft.rfft(sound * np.hanning(rate))) for sound in (quiet, loud)]
    overtones = np.arange(2000, 20000, 1000)
    clean, driven = (20 * np.log10(s[overtones] / s[1000]) for s in spectra)
    assert clean.max() < -50
    assert driven[1] > -20 and driven[0] > -40  # odd ones, and even ones by the asymmetry
    between = np.delete(spectra[1], (np.arange(0, 22000, 1000)[:, None] + np.arange(-4, 5)).ravel())
    assert 20 * np.log10(between[100:].max() / spectra[1][1000]) < -55
    same = guitar.amplify(10 * tone, rate, 25, np.random.default_rng(0))
    np.testing.assert_allclose(same, loud, atol=1e-6)


def test_a_band_plays_in_place_of_other_instruments(material, tmp_path, monkeypatch):
    """Without FluidSynth: its place is taken by a tone, which the amplifier distorts."""

    def tone(parts, hits, start, seconds, font, rate, rng):
        assert not hits and len(parts) == 1
        return np.sin(2 * np.pi * 200 * np.arange(int(seconds * rate)) / rate)

    monkeypatch.setattr(guitar, "play_parts", tone)
    monkeypatch.setattr(voices_over_music, "import_mido", lambda: None)
    shutil.copytree(material, tmp_path / "in")
    (tmp_path / "in" / "any.sf2").touch()
    changed = {"played": 1.0, "band": 1.0, "soundfonts": ["any.sf2"]}
    step(minutes={"train": 0.1}, **changed).run(tmp_path / "in", tmp_path / "out")
    for path in (tmp_path / "out/train/accompaniment").iterdir():
        sound = audio.read(path)[0]
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
        near = np.abs(hertz - 200 * np.round(hertz / 200)) < 12
        assert (spectrum[near] ** 2).sum() > 0.9 * (spectrum**2).sum()
        assert (spectrum[hertz > 300] ** 2).sum() > 1e-3 * (spectrum**2).sum()
