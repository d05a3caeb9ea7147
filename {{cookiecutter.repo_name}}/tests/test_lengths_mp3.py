"""MP3 files whose header promises another length: every reader goes by what decodes."""

import io
import shutil
import subprocess

import numpy as np
import pytest
import soundfile
from audio_files import pieces, save
from mp3_surgery import FRAME, RATE, decoded, encoded, frames, promising, song

import audio
from errors import UserError

HEALTHY = encoded(song())
TAG, (INFO, *SOUND) = frames(HEALTHY)


def id3(size):
    return b"ID3\4\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + bytes(size)


WHOLE = {
    "as it was": HEALTHY,
    "no first frame": b"".join(SOUND),
    "no first frame, one bit rate": b"".join(
        frames(encoded(song(), bitrate_mode="CONSTANT"))[1][1:]
    ),
    "two joined": HEALTHY + encoded(song(2.0, seed=1)),
    "two joined, with tags": id3(3000) + HEALTHY + b"TAG" + bytes(125) + id3(70000) + HEALTHY,
    "two joined without first frames": b"".join(SOUND + SOUND),
    "promises too little": promising(HEALTHY, 20),
    "promises nothing": promising(HEALTHY, 0),
    "a picture in its tag": id3(60000) + HEALTHY,
    "begins within a frame": b"".join(SOUND)[300:],
    "zeros at its end": HEALTHY + bytes(5000),
    "no first frame, cut within a frame": b"".join(SOUND)[:-100],
}
CUT = {
    "half": HEALTHY[: len(HEALTHY) // 2],
    "nine tenths": HEALTHY[: len(HEALTHY) * 9 // 10],
    "its last frame": TAG + INFO + b"".join(SOUND)[:-30],
    "promises 2^31 frames": promising(HEALTHY, 2**31),
    "garbage in the middle": TAG + INFO + b"".join(SOUND[:60]) + bytes(5000) + b"".join(SOUND[80:]),
}


def lengths(name):
    """How many frames of sound are in one of the files above."""
    return {
        "two joined": len(SOUND) + len(frames(encoded(song(2.0, seed=1)))[1]) - 1,
        "two joined, with tags": 2 * len(SOUND),
        "two joined without first frames": 2 * len(SOUND),
        "no first frame, cut within a frame": len(SOUND) - 1,
        "begins within a frame": len(SOUND) - 1,
        "its last frame": len(SOUND) - 1,
        "garbage in the middle": len(SOUND) - 20,
    }.get(name, len(SOUND))


def of_ffmpeg(path, channels):
    """Float32 (channels, samples), or None where there is no ffmpeg."""
    if shutil.which("ffmpeg") is None:
        return None
    command = ["ffmpeg", "-v", "quiet", "-i", str(path), "-f", "f32le", "-"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    return np.frombuffer(done.stdout, np.float32).reshape(-1, channels).T


@pytest.mark.parametrize("name", WHOLE)
def test_all_of_an_mp3_is_read_whatever_its_header_promises_and_all_readers_agree(tmp_path, name):
    path = save(tmp_path, WHOLE[name])
    rate, channels, length = audio.info(path)
    whole = audio.read(path)
    assert (rate, channels, length) == (RATE, 2, whole.shape[1])
    there = lengths(name) * FRAME
    assert there - 2 * FRAME - 600 < length <= there  # less what the encoder puts before and after
    streamed, flaw = pieces(path)
    assert flaw is None and np.array_equal(streamed, whole)
    assert np.array_equal(audio.read_excerpt(path, RATE, 2), whole)
    begin = 0 if "no first" in name or "without" in name else 1105  # LAME's delay
    known = decoded(HEALTHY)
    if "one bit rate" not in name and name != "begins within a frame":
        part = whole[:, 1105 - begin :][:, : known.shape[1] - FRAME]
        assert np.abs(part - known[:, : part.shape[1]]).max() < 1e-6
    other = of_ffmpeg(path, 2)
    if other is not None:
        assert abs(other.shape[1] - length) <= 2 * FRAME
        first = 20_000 if name == "promises too little" else 150_000  # ffmpeg leaves a gap there
        begin = 5 * FRAME if name == "begins within a frame" else 0  # what needs lost bytes
        assert np.abs(other[:, begin:first] - whole[:, begin:first]).max() < 1e-5


def test_a_healthy_mp3_is_what_libsndfile_decodes(tmp_path):
    path = save(tmp_path, HEALTHY)
    assert np.array_equal(audio.read(path), decoded(HEALTHY))
    assert audio.info(path)[2] == len(song())


@pytest.mark.parametrize("name", CUT)
def test_an_mp3_that_is_cut_is_refused_and_separated_as_far_as_it_decodes(tmp_path, name, capfd):
    path = save(tmp_path, CUT[name])
    said = r"a.mp3: cut short, decodes to .* that its header promises[^;]*; copy it again"
    for refused in (audio.info, audio.read, lambda p: audio.read_excerpt(p, RATE, 2, 0, 100)):
        with pytest.raises(UserError, match=said):
            refused(path)
    sound, flaw = pieces(path)
    assert capfd.readouterr().err == ""  # where libsndfile's decoder would complain
    said = float(flaw.split("decodes to ")[1].split(" s of")[0])
    assert said == pytest.approx(sound.shape[1] / RATE, abs=0.06)
    known = decoded(HEALTHY)
    same = {"garbage in the middle": 59 * FRAME}.get(name, sound.shape[1]) - 2 * FRAME
    assert np.array_equal(sound[:, :same], known[:, :same])
    if name == "garbage in the middle":  # what follows it is used too
        padding = sound.shape[1] + 20 * FRAME - known.shape[1]
        assert np.abs(sound[:, -40_000:-padding] - known[:, -40_000 + padding :]).max() < 1e-6
    other = of_ffmpeg(path, 2)
    if other is not None:
        assert abs(other.shape[1] - sound.shape[1]) <= 4 * FRAME


def test_what_follows_at_another_rate_is_not_ignored_silently(tmp_path):
    buffer = io.BytesIO()
    soundfile.write(buffer, song(2.0)[::2], 22050, format="MP3")
    path = save(tmp_path, HEALTHY + buffer.getvalue())
    with pytest.raises(UserError, match="a.mp3: changes its rate or channels at 4."):
        audio.info(path)
    sound, flaw = pieces(path)
    assert flaw is not None and np.array_equal(sound, decoded(HEALTHY)[:, : sound.shape[1]])


def test_much_garbage_is_searched_quickly(tmp_path):
    path = save(tmp_path, HEALTHY + b"\xff" * 30_000_000 + SOUND[0])
    assert audio.info(path)[2] == len(song())
