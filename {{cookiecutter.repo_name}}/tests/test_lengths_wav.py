"""Uncompressed files whose header promises another length than is there, or an impossible rate."""

import os

import numpy as np
import pytest
import soundfile
from audio_files import pieces, written
from mp3_surgery import RATE, song

import audio
import streams
from audio import wav
from errors import UserError


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.wav", {}),
        ("a.wav", {"subtype": "PCM_24"}),
        ("a.wav", {"subtype": "FLOAT"}),
        ("a.aiff", {}),
        ("a.w64", {}),
        ("a.rf64", {"format": "RF64"}),
    ],
)
def test_of_uncompressed_files_too_what_is_there_is_separated(tmp_path, name, kind):
    sound = (0.5 * song(1.0)).astype(np.float32)
    path = written(tmp_path, name, sound, **kind)
    whole = audio.read(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match="cut short, decodes to 0.5 s of the 1.0 s .*copy it again"):
        audio.info(path)
    there, flaw = pieces(path)
    assert flaw is not None and 21_000 < there.shape[1] < 22_100
    assert np.array_equal(there, whole[:, : there.shape[1]])


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_a_recording_that_broke_off_before_its_size_was_written_is_read(tmp_path, subtype):
    sound = (0.5 * song(0.5)).astype(np.float32)
    path = written(tmp_path, "a.wav", sound, format="WAV", subtype=subtype)
    whole, content = audio.read(path), bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = content[4:8] = bytes(4)
    path.write_bytes(content)
    assert audio.info(path) == (RATE, 2, len(sound))
    assert np.array_equal(audio.read(path), whole)


@pytest.mark.parametrize("size", ["the last bits", 0, 0x7FFFF000, 0xFFFFFFFF])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_a_file_longer_than_its_header_can_tell_is_read_whole(tmp_path, monkeypatch, subtype, size):
    monkeypatch.setattr(wav, "LIMIT", 1 << 16)  # in place of 4 GB
    sound = (0.5 * song(1.0)).astype(np.float32)
    path = written(tmp_path, "a.wav", sound, format="WAV", subtype=subtype)
    with soundfile.SoundFile(path) as file:
        whole = file.read(dtype="float32", always_2d=True).T
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    size = len(content[place + 4 :]) % (1 << 16) if size == "the last bits" else size
    content[place : place + 4] = size.to_bytes(4, "little")
    path.write_bytes(content)
    assert audio.info(path) == (RATE, 2, len(sound))
    assert np.array_equal(audio.read(path), whole)
    assert np.array_equal(audio.read(path, start=44_000, length=90), whole[:, 44_000:44_090])
    there, flaw = pieces(path)
    assert flaw is None and np.array_equal(there, whole)


@pytest.mark.parametrize("rate", [0, 1, 999, 1_000_001, 4_000_000_000])
def test_an_impossible_rate_is_refused(tmp_path, rate):
    path = written(tmp_path, "a.wav")
    content = bytearray(path.read_bytes())
    content[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(content)
    for reader in (audio.info, audio.read, streams.FileRecording):
        with pytest.raises(
            UserError,
            match="a.wav: (its header says .* Hz, expected 1,000 to|cannot be read as audio)",
        ):
            reader(path)


def test_a_header_with_no_channels_is_refused(tmp_path):
    path = written(tmp_path, "a.wav")
    content = bytearray(path.read_bytes())
    content[22:24] = content[32:34] = bytes(2)  # channels, and bytes of a sample of all channels
    path.write_bytes(content)
    for reader in (audio.info, audio.read, streams.FileRecording):
        with pytest.raises(UserError, match="a.wav: cannot be read as audio"):
            reader(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(UserError, match="a.wav: is no file but a pipe or a device"):
        audio.info(tmp_path / "a.wav")
