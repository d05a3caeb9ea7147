"""FLAC files whose header promises another length: every reader goes by what decodes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from audio_files import NUMBERS, pieces, save, written
from mp3_surgery import RATE, encoded, promising, song

import audio
import streams
from errors import UserError

PROJECT = Path(__file__).parents[1]


def with_total(path, total):
    """A FLAC file with another number of samples in its header."""
    content = bytearray(path.read_bytes())
    content[21] = content[21] & 0xF0 | total >> 32
    content[22:26] = (total & 2**32 - 1).to_bytes(4, "big")
    path.write_bytes(content)


@pytest.mark.parametrize("total", [0, 1, 4096, 29_999])
def test_all_of_a_flac_file_is_read_though_its_header_promises_less_or_nothing(tmp_path, total):
    path = written(tmp_path, "a.flac")
    with_total(path, total)
    assert audio.info(path) == (RATE, 2, 30_000)
    expected = (NUMBERS / 2**15).astype(np.float32).T
    assert np.array_equal(audio.read(path), expected)
    for start, length in ((0, 10), (12_345, 5000), (29_990, 10)):
        part = audio.read_excerpt(path, RATE, 2, start, length)
        assert np.array_equal(part, expected[:, start : start + length])
    assert np.array_equal(pieces(path)[0], expected)


def test_the_tag_that_a_player_adds_to_a_flac_file_is_no_sound(tmp_path):
    path = written(tmp_path, "a.flac")
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    assert audio.info(path) == (RATE, 2, 30_000)


@pytest.mark.parametrize("total", [30_001, 10**10])
def test_a_flac_file_that_promises_more_is_refused_and_separated_as_far_as_it_goes(tmp_path, total):
    path = written(tmp_path, "a.flac")
    with_total(path, total)
    with pytest.raises(
        UserError,
        match="a.flac: cut short, decodes to 0.68.* copy it again|"
        "a.flac: cut short, decodes to 0.7 s of the 226757.4 s",
    ):
        audio.info(path)
    sound, flaw = pieces(path)
    assert sound.shape == (2, 30_000) and flaw.startswith("cut short")


def test_a_flac_file_that_is_cut_is_separated_up_to_its_last_whole_frame(tmp_path):
    path = written(tmp_path, "a.flac")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    sound, flaw = pieces(path)
    assert "of the 0.7 s that its header promises" in flaw
    assert 8192 <= sound.shape[1] < 15_000
    expected = (NUMBERS / 2**15).astype(np.float32).T
    assert np.array_equal(sound, expected[:, : sound.shape[1]])


@pytest.mark.parametrize("total", [10**10, 0])
def test_a_flac_file_without_a_whole_end_is_counted_and_not_believed(tmp_path, total):
    path = written(tmp_path, "a.flac")
    with_total(path, total)
    path.write_bytes(path.read_bytes() + bytes(999_999))
    for reader in (audio.info, audio.read, streams.FileRecording):
        try:
            reader(path)
        except UserError as error:
            assert str(error).startswith(f"{path}: ")


def test_a_header_that_promises_without_end_costs_no_memory(tmp_path):
    """Ten thousand million samples would be 75 GB."""
    path = written(tmp_path, "a.flac")
    with_total(path, 10**10)
    save(tmp_path, promising(encoded(song()), 2**31))
    code = (
        "import resource, sys, audio, streams\nfrom files import UserError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in sys.argv[1:]:\n"
        "    print(streams.FileRecording(path).length)\n"
        "    for reader in (audio.info, audio.read):\n"
        "        try: reader(path)\n"
        "        except UserError: print('refused')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    command = [sys.executable, "-c", code, str(path), str(tmp_path / "a.mp3")]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    *said, grown = done.stdout.split()
    assert said[:3] == ["30000", "refused", "refused"] and said[4:] == ["refused"] * 2
    unit = 1024 if sys.platform == "linux" else 1
    assert int(grown) * unit < 200e6
