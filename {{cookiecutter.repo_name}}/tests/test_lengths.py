"""Files whose header promises another length than is there, and places in compressed files: every
reader goes by what decodes, and an excerpt is a slice of the whole."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mp3_surgery import FRAME, RATE, decoded, encoded, frames, promising, song

import audio
import streams
from errors import UserError

PROJECT = Path(__file__).parents[1]
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


def save(folder, content, name="a.mp3"):
    path = folder / name
    path.write_bytes(content)
    return path


def of_ffmpeg(path, channels):
    """Float32 (channels, samples), or None where there is no ffmpeg."""
    if shutil.which("ffmpeg") is None:
        return None
    command = ["ffmpeg", "-v", "quiet", "-i", str(path), "-f", "f32le", "-"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    return np.frombuffer(done.stdout, np.float32).reshape(-1, channels).T


def pieces(path):
    """The whole, as `scripts.separate` reads it."""
    recording = streams.File(path)
    return np.hstack(
        [recording.read(start, 50_000) for start in range(0, recording.length, 50_000)]
    )[:, : recording.length], recording.flaw


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


# ---- other formats ------------------------------------------------------------------------------

NUMBERS = np.random.default_rng(3).integers(-9000, 9000, (30_000, 2)).astype(np.int16)


def written(folder, name, sound=NUMBERS, rate=RATE, **kind):
    soundfile.write(folder / name, sound, rate, **kind)
    return folder / name


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


def test_a_header_that_promises_without_end_costs_no_memory(tmp_path):
    """Ten thousand million samples would be 75 GB."""
    path = written(tmp_path, "a.flac")
    with_total(path, 10**10)
    save(tmp_path, promising(HEALTHY, 2**31))
    code = (
        "import resource, sys, audio, streams\nfrom files import UserError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in sys.argv[1:]:\n"
        "    print(streams.File(path).length)\n"
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


@pytest.mark.parametrize("rate", [0, 1, 999, 1_000_001, 4_000_000_000])
def test_an_impossible_rate_is_refused(tmp_path, rate):
    path = written(tmp_path, "a.wav")
    content = bytearray(path.read_bytes())
    content[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(content)
    for reader in (audio.info, audio.read, streams.File):
        with pytest.raises(
            UserError,
            match="a.wav: (its header says .* Hz, expected 1,000 to|cannot be read as audio)",
        ):
            reader(path)


def ogg(sound=None, rate=RATE, subtype="VORBIS", level=0.5):
    buffer = io.BytesIO()
    sound = song(6.0) if sound is None else sound
    with soundfile.SoundFile(
        buffer, "w", rate, 2, subtype, format="OGG", compression_level=level
    ) as file:
        for start in range(0, len(sound), 4096):  # libsndfile fails at more of Vorbis at once
            file.write(sound[start : start + 4096])
    return buffer.getvalue()


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_files_that_follow_each_other_are_one(tmp_path, subtype):
    rate = 48000 if subtype == "OPUS" else RATE
    contents = [ogg(song(2.0, seed), rate, subtype) for seed in (0, 1)]
    path = save(tmp_path, b"".join(contents), "a.ogg")
    parts = [soundfile.read(io.BytesIO(content), dtype="float32")[0].T for content in contents]
    assert np.array_equal(audio.read(path), np.hstack(parts))
    assert np.array_equal(pieces(path)[0], np.hstack(parts))
    assert audio.info(path)[2] == sum(part.shape[1] for part in parts)


def test_a_tag_behind_the_end_of_an_ogg_file_is_no_damage(tmp_path):
    path = save(tmp_path, ogg(song(2.0)) + b"TAG" + bytes(125), "a.ogg")
    assert audio.info(path) == (RATE, 2, 2 * RATE)
    path.write_bytes(ogg(song(2.0)) + ogg(song(2.0)[::2], RATE // 2))
    with pytest.raises(UserError, match="a.ogg: changes its rate or channels"):
        audio.info(path)


@pytest.mark.parametrize("total", [10**10, 0])
def test_a_flac_file_without_a_whole_end_is_counted_and_not_believed(tmp_path, total):
    path = written(tmp_path, "a.flac")
    with_total(path, total)
    path.write_bytes(path.read_bytes() + bytes(999_999))
    for reader in (audio.info, audio.read, streams.File):
        try:
            reader(path)
        except UserError as error:
            assert str(error).startswith(f"{path}: ")


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("damage", ["cut", "a byte", "a hole"])
def test_an_ogg_file_is_separated_up_to_its_damage(tmp_path, subtype, damage):
    content = ogg(rate=48000 if subtype == "OPUS" else RATE, subtype=subtype)
    known = soundfile.read(io.BytesIO(content), dtype="float32")[0].T
    half = len(content) // 2
    wrong = {
        "cut": content[:half],
        "a byte": content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :],
        "a hole": content[:half] + content[half + 7000 :],
    }[damage]
    path = save(tmp_path, wrong, "a.ogg")
    with pytest.raises(UserError, match=r"(cut short|damaged) at byte .* decodes to .*copy it"):
        audio.read(path)
    sound, flaw = pieces(path)
    assert 0.2 < sound.shape[1] / known.shape[1] < 0.8
    same = sound.shape[1] - 2000
    assert np.array_equal(sound[:, :same], known[:, :same])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(UserError, match="a.wav: is no file but a pipe or a device"):
        audio.info(tmp_path / "a.wav")


# ---- places -------------------------------------------------------------------------------------

FILES = {
    "pcm.wav": None,
    "float.wav": None,
    "a.flac": None,
    "a.aiff": None,
    "loud.ogg": lambda: ogg(level=0.0),
    "soft.ogg": lambda: ogg(level=1.0),
    "low.ogg": lambda: ogg(rate=16000),
    "a.opus": lambda: ogg(rate=48000, subtype="OPUS", level=0.0),
    "variable.mp3": lambda: encoded(song(6.0)),
    "low.mp3": lambda: encoded(song(6.0), bitrate_mode="CONSTANT", compression_level=0.999),
    "high.mp3": lambda: encoded(song(6.0), bitrate_mode="CONSTANT", compression_level=0.0),
}


@pytest.mark.parametrize("name", FILES)
def test_an_excerpt_is_the_slice_of_the_whole_to_the_bit_at_random_places_and_at_both_ends(
    tmp_path, name
):
    if FILES[name] is None:
        kind = {"pcm.wav": "PCM_16", "float.wav": "FLOAT"}.get(name, "PCM_24")
        path = written(tmp_path, name, song(6.0), subtype=kind)
    else:
        path = save(tmp_path, FILES[name](), name)
    whole, rate = soundfile.read(path, dtype="float32", always_2d=True)
    whole = whole.T
    rng, size = np.random.default_rng(0), whole.shape[1]
    places = [(0, 1), (0, 5000), (1, 4000), (size - 1, 1), (size - 10, 10), (size - 5000, 5000)]
    places += [(int(start), 3000) for start in rng.integers(size - 60_000, size, 60)]
    places += [(int(start), 3000) for start in rng.integers(0, size, 60)]
    for start, length in places:
        expected = whole[:, start : start + length]
        part = audio.read_excerpt(path, rate, 2, start, length)
        assert np.array_equal(part[:, : expected.shape[1]], expected), (start, length)
        assert not part[:, expected.shape[1] :].any()


def test_low_rates_of_mp3_are_found_too(tmp_path):
    """Frames of 8 kbit/s hold less than what later ones need of them."""
    buffer = io.BytesIO()
    soundfile.write(
        buffer,
        song(6.0)[::3, 0],
        16000,
        format="MP3",
        bitrate_mode="CONSTANT",
        compression_level=0.999,
    )
    path = save(tmp_path, buffer.getvalue())
    whole = audio.read(path)
    assert np.abs(whole - decoded(buffer.getvalue())).max() < 1e-6
    for start in np.random.default_rng(1).integers(0, whole.shape[1] - 900, 100):
        part = audio.read_excerpt(path, 16000, 1, int(start), 900)
        assert np.array_equal(part, whole[:, start : start + 900]), start


def test_speech_in_opus_is_found_where_it_is(tmp_path):
    """Its decoder remembers for seconds: small differences, but no shift."""
    path = save(tmp_path, ogg(rate=48000, subtype="OPUS", level=1.0), "a.opus")
    whole = audio.read(path)
    for start in np.random.default_rng(1).integers(0, whole.shape[1] - 900, 100):
        part = audio.read_excerpt(path, 48000, 2, int(start), 900)
        assert np.abs(part - whole[:, start : start + 900]).max() < 0.01, start
