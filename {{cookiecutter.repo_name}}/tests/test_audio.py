"""Sound in and out, against signals whose samples are known."""

import os

import numpy as np
import pytest
import soundfile

import audio
import streams
from audio.conversion import source_range
from errors import UserError

RATE = 16000


def sine(hertz, rate, seconds=1.0, channels=1, amplitude=0.5):
    """(channels, samples); each channel a quarter turn after the one before."""
    time = np.arange(int(seconds * rate)) / rate
    return np.stack(
        [
            amplitude * np.sin(2 * np.pi * hertz * time + channel * np.pi / 2)
            for channel in range(channels)
        ]
    )


def noise(channels=2, samples=5000, peak=0.9):
    rng = np.random.default_rng(0)
    return rng.uniform(-peak, peak, (channels, samples))


def write(path, data, rate=RATE):
    path.write_bytes(audio.encode(data, rate))


@pytest.fixture
def wav(tmp_path):
    """A 16-bit stereo file, and the numbers in it as fractions of full scale."""
    numbers = np.random.default_rng(1).integers(-(2**15), 2**15, (8000, 2)).astype(np.int16)
    soundfile.write(tmp_path / "noise.wav", numbers, RATE, subtype="PCM_16")
    soundfile.write(tmp_path / "noise.flac", numbers, RATE, subtype="PCM_16")
    return tmp_path / "noise.wav", (numbers / 2**15).T.astype(np.float32)


# reading


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_integers_are_read_exactly(wav, suffix):
    path, numbers = wav
    data = audio.read(path.with_suffix(suffix))
    assert data.dtype == np.float32
    assert np.array_equal(data, numbers)
    assert audio.info(path.with_suffix(suffix)) == (RATE, 2, 8000)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
@pytest.mark.parametrize(
    ("start", "length"),
    [(0, 1), (0, 8000), (1, 100), (4095, 2), (5000, 3000), (7999, 1), (5000, None)],
)
def test_an_excerpt_is_the_slice_of_the_whole(wav, suffix, start, length):
    path, numbers = wav
    end = 8000 if length is None else start + length
    data = audio.read(path.with_suffix(suffix), start=start, length=length)
    assert np.array_equal(data, numbers[:, start:end])


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_plain_wav_file_is_read_without_libsndfile_to_the_same_numbers(
    tmp_path, monkeypatch, channels
):
    numbers = np.random.default_rng(2).integers(-(2**15), 2**15, (999, channels)).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", numbers, RATE, format="WAV", subtype="PCM_16")
    expected = soundfile.read(tmp_path / "a.wav", dtype="float32", always_2d=True)[0].T
    monkeypatch.setattr(soundfile, "SoundFile", None)
    assert audio.info(tmp_path / "a.wav") == (RATE, channels, 999)
    assert np.array_equal(audio.read(tmp_path / "a.wav"), expected)
    assert np.array_equal(
        audio.read_excerpt(tmp_path / "a.wav", RATE, channels, 990, 20)[:, :9], expected[:, 990:]
    )


@pytest.mark.parametrize("place", [12, 36])  # before "fmt " and before "data"
@pytest.mark.parametrize("size", [3, 10, 10000])
def test_other_chunks_of_a_file_are_ignored(wav, place, size):
    path, numbers = wav
    content = path.read_bytes()
    assert content[place : place + 4] in (b"fmt ", b"data")
    chunk = b"junk" + size.to_bytes(4, "little") + b"\1" * (size + size % 2)
    content = content[:place] + chunk + content[place:] + chunk
    path.write_bytes(content[:4] + (len(content) - 8).to_bytes(4, "little") + content[8:])
    assert audio.info(path) == (RATE, 2, 8000)
    assert np.array_equal(audio.read(path), numbers)


def test_an_excerpt_beyond_the_end_ends_with_the_file(wav):
    path, numbers = wav
    assert np.array_equal(audio.read(path, start=7990, length=100), numbers[:, 7990:])


@pytest.mark.parametrize("start", [8000, 8001, 10**6])
def test_an_excerpt_after_the_end_is_reported(wav, start):
    with pytest.raises(UserError, match=f"holds no samples .0 read from sample {start} of 8000."):
        audio.read(wav[0], start=start, length=10)


@pytest.mark.parametrize("suffix", [".mp3", ".ogg", ".opus"])
def test_lossy_formats_are_read(tmp_path, suffix):
    rate = 48000  # Opus knows this and its parts
    signal = sine(440, rate)[0]
    path = tmp_path / f"a{suffix}"
    kind = {"format": "OGG", "subtype": "OPUS"} if suffix == ".opus" else {}
    soundfile.write(path, signal, rate, **kind)
    data = audio.read(path)
    assert data.shape[0] == 1
    assert abs(data.shape[1] - rate) < 3000  # an MP3 frame or two more
    middle = data[0, 10000:40000]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


# converting


@pytest.mark.parametrize(
    ("rate", "new"), [(44100, 16000), (16000, 44100), (48000, 16000), (8000, 16000), (22050, 16000)]
)
def test_a_sine_survives_another_rate_with_its_frequency_amplitude_and_phase(rate, new):
    data = audio.convert(sine(1000, rate, channels=2), rate, new)
    expected = sine(1000, new, channels=2)
    assert data.dtype == np.float32
    assert data.shape == expected.shape
    edge = new // 20  # where the filter sees the signal begin and end
    assert np.abs(data - expected)[:, edge:-edge].max() < 1e-3


def test_what_a_lower_rate_cannot_hold_is_gone():
    data = audio.convert(sine(12000, 44100), 44100, 16000)  # would alias to 4000 Hz
    assert np.abs(data[:, 800:-800]).max() < 1e-3


def test_two_channels_become_their_mean():
    data = noise(2)
    assert np.allclose(audio.convert(data, RATE, RATE, 1), (data[:1] + data[1:]) / 2, atol=1e-7)


def test_one_channel_is_copied_to_two():
    data = noise(1).astype(np.float32)
    assert np.array_equal(audio.convert(data, RATE, RATE, 2), np.concatenate([data, data]))


def test_no_channels_asked_for_leaves_them():
    assert audio.convert(noise(3), RATE, 8000).shape == (3, 2500)


def test_three_channels_cannot_become_two():
    with pytest.raises(UserError, match="3 channels cannot become 2; mix it down to one"):
        audio.convert(noise(3), RATE, RATE, 2)


def test_a_file_is_read_at_the_rate_and_channels_asked_for(tmp_path):
    write(tmp_path / "a.wav", sine(500, 44100, channels=2), 44100)
    data = audio.read(tmp_path / "a.wav", sample_rate=16000, num_channels=1)
    expected = sine(500, 16000, channels=2).mean(axis=0, keepdims=True)
    assert data.shape == expected.shape
    assert np.abs(data - expected)[:, 800:-800].max() < 1e-3


# writing


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_what_is_written_is_read_back_at_its_level(tmp_path, channels):
    data = noise(channels)
    write(tmp_path / "a.wav", data)
    assert audio.info(tmp_path / "a.wav") == (RATE, channels, 5000)
    assert np.abs(audio.read(tmp_path / "a.wav") - data).max() < 2e-7
    assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_24"


@pytest.mark.parametrize("peak", [1e-6, 1e-3, 0.1])
def test_a_quiet_signal_is_not_made_louder(tmp_path, peak):
    write(tmp_path / "a.wav", noise(peak=peak))
    assert np.abs(audio.read(tmp_path / "a.wav") - noise(peak=peak)).max() < 2e-7


@pytest.mark.parametrize("peak", [1.0, 1.5, 40.0])
def test_a_loud_signal_is_kept_as_floats_and_nothing_clips(tmp_path, peak):
    data = (noise(peak=1) * peak).astype(np.float32)
    data[0, 0], data[1, 0] = peak, -peak
    write(tmp_path / "a.wav", data)
    assert soundfile.info(tmp_path / "a.wav").subtype == "FLOAT"
    assert np.array_equal(audio.read(tmp_path / "a.wav"), data)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sample_just_below_full_scale_does_not_wrap_round(tmp_path, sign):
    data = sign * np.full((1, 100), np.nextafter(1.0, 0))
    write(tmp_path / "a.wav", data)
    (tmp_path / "stem.wav").write_bytes(audio.encode_stem(data, RATE))
    assert np.abs(audio.read(tmp_path / "a.wav") - data).max() < 2e-7
    assert np.abs(audio.read(tmp_path / "stem.wav") - data).max() < 1 / 2**14


def test_a_stem_is_written_with_16_bits(tmp_path):
    (tmp_path / "a.wav").write_bytes(audio.encode_stem(noise(), RATE))
    assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"
    assert np.abs(audio.read(tmp_path / "a.wav") - noise()).max() <= 1 / 2**16 + 1e-9


def test_the_same_audio_gives_the_same_bytes():
    assert audio.encode(noise(), RATE) == audio.encode(noise(), RATE)
    assert audio.encode_stem(noise(), RATE) == audio.encode_stem(noise(), RATE)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_audio_that_is_no_number_is_not_written(wrong):
    with pytest.raises(UserError, match="the audio to write holds NaN or infinite"):
        audio.encode(np.array([[0.0, wrong]]), RATE)


# what cannot be read


def refusal(path, **kwargs):
    with pytest.raises(UserError) as caught:
        audio.read(path, **kwargs)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    return text


def test_a_missing_file_is_reported(tmp_path):
    assert "no such file" in refusal(tmp_path / "a.wav")
    with pytest.raises(UserError, match="no such file"):
        audio.info(tmp_path / "a.wav")


def test_a_folder_is_reported(tmp_path):
    assert "is a folder where an audio file is expected" in refusal(tmp_path)


def test_an_empty_file_is_reported(tmp_path):
    (tmp_path / "a.wav").touch()
    assert "is empty (0 bytes)" in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize("content", [b"this is no audio", b"\0" * 5000, b"RIFF\0\0\0\0WAVE"])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".txt", ".raw", ""])
def test_what_is_not_audio_is_reported(tmp_path, content, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    assert "cannot be read as audio" in refusal(path)


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [(".wav", "PCM_16"), (".wav", "PCM_24"), (".wav", "FLOAT"), (".aiff", "PCM_16")],
)
def test_a_file_cut_short_is_reported(tmp_path, suffix, subtype):
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, noise().T, RATE, subtype=subtype)
    assert audio.read(path).shape == (2, 5000)
    os.truncate(path, path.stat().st_size // 2)
    assert "cut short" in refusal(path)
    with pytest.raises(UserError, match="cut short, decodes to .* promises; copy it again"):
        audio.info(path)


def test_a_flac_file_cut_short_is_reported_before_any_of_it_is_read(wav):
    path, numbers = wav[0].with_suffix(".flac"), wav[1]
    os.truncate(path, path.stat().st_size - 3000)
    assert "cut short, decodes to" in refusal(path, length=1000)
    assert np.array_equal(audio.read(path, length=1000, damaged=True), numbers[:, :1000])


def test_a_wav_file_from_a_pipe_whose_header_promises_without_end_is_read(wav):
    path, numbers = wav
    content = bytearray(path.read_bytes())
    size = content.index(b"data") + 4
    content[size : size + 4] = content[4:8] = b"\xff" * 4
    path.write_bytes(content)
    assert np.array_equal(audio.read(path), numbers)


def test_a_file_without_samples_is_reported(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 1)), RATE)
    assert "holds no samples" in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_reported_with_its_place(tmp_path, wrong):
    data = np.zeros((1000, 2), np.float32)
    data[321, 1] = wrong
    soundfile.write(tmp_path / "a.wav", data, RATE, subtype="FLOAT")
    assert "NaN or infinite samples (the first at sample 321)" in refusal(tmp_path / "a.wav")
    assert "(the first at sample 321)" in refusal(tmp_path / "a.wav", start=300, length=50)
    assert not audio.read(tmp_path / "a.wav", length=300).any()


# what can be read only forwards, or not at all


@pytest.mark.parametrize("kind", [("WAV", "GSM610"), ("AU", "G721_32"), ("WAV", "NMS_ADPCM_16")])
def test_a_format_that_decodes_only_forwards_is_read_at_any_place(tmp_path, kind):
    path = tmp_path / "a.wav"
    soundfile.write(path, sine(440, RATE)[0], RATE, format=kind[0], subtype=kind[1])
    with soundfile.SoundFile(path) as file:
        whole = file.read(file.frames, dtype="float32")
    assert np.array_equal(audio.read(path)[0], whole)
    assert audio.info(path) == (RATE, 1, len(whole))
    recording = streams.FileRecording(path)
    with audio.open_file(path) as file:
        for start in (5000, 100, 7000):
            part = whole[start : start + 50]
            assert np.array_equal(audio.read_excerpt(path, RATE, 1, start, 50)[0], part)
            assert np.array_equal(recording.read(start, 50)[0], part)
            file.seek(start)
            assert np.array_equal(file.read(50, dtype="float32", always_2d=True)[:, 0], part)


@pytest.mark.parametrize(
    ("beginning", "kind"),
    [
        (b"\0\0\0\x1cftypM4A \0\0\2\0", "MPEG-4 audio"),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "Windows Media Audio"),
        (bytes.fromhex("1a45dfa3") + b"\x9f\x42\x86", "Matroska or WebM"),
        (b"\xff\xf1\x50\x80\x2e\x7f\xfc", "AAC"),
        (b"OggS\0\2" + bytes(20) + b"\1\x33\x7fFLAC\1\0", "FLAC in an Ogg container"),
        (b"OggS\0\2" + bytes(20) + b"\1\x50Speex   1.2", "Speex"),
    ],
)
@pytest.mark.parametrize("name", ["a.mp3", "a.wav"])
def test_a_file_of_another_kind_is_called_by_it(tmp_path, capfd, beginning, kind, name):
    path = tmp_path / name
    path.write_bytes(beginning + np.random.default_rng(0).bytes(70_000))
    with pytest.raises(UserError, match=f"{name}: is {kind}.*convert it .* with ffmpeg"):
        audio.read(path)
    assert capfd.readouterr().err == ""  # libmpg123 has a say of its own


def test_an_mp3_without_mp3_in_it_is_not_said_to_be_missing(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(b"text" * 5000)
    with pytest.raises(UserError, match="a.mp3: cannot be read as audio .no MP3 in it.; WAV"):
        audio.read(path)


@pytest.mark.parametrize("rate, new_rate", [(48000, 8000), (44100, 8000), (8000, 44100)])
def test_a_resampled_excerpt_reads_as_much_around_it_as_the_filter_needs(rate, new_rate):
    whole = np.random.default_rng(0).uniform(-0.5, 0.5, (1, rate)).astype(np.float32)
    resampled = audio.convert(whole, rate, new_rate)
    start, end = new_rate // 2 + 7, new_rate // 2 + 107
    first, last, skipped = source_range(start, end, rate, new_rate)
    part = audio.convert(whole[:, first:last], rate, new_rate)[:, skipped : skipped + 100]
    assert np.abs(part - resampled[:, start:end]).max() < 1e-6
    assert last - first < 0.2 * rate  # and not much more


@pytest.mark.parametrize("start, end", [(0, 160), (320, 800), (1440, 1600), (0, 1600)])
def test_silence_is_trimmed_to_the_blocks_that_sound(start, end):
    """Blocks of 160 samples; a block 50 dB softer before the end is silence too."""
    sound = np.zeros(1600)
    sound[start:end] = 0.5
    assert np.array_equal(audio.trim_silence(sound, 8000), sound[start:end])
    sound[end : end + 160] = 0.5 * 10 ** (-50 / 20)
    assert len(audio.trim_silence(sound, 8000)) == end - start


@pytest.mark.parametrize("kilobits", [32, 128])
def test_mp3_leaves_the_level_that_fits_what_was_encoded_best(kilobits):
    time = np.arange(16000) / 16000
    chord = sum(np.sin(2 * np.pi * hertz * time) for hertz in (220, 277, 330))
    sound = np.stack([0.2 * chord, 0.1 * chord]).astype(np.float32)
    coded = audio.mp3_round_trip(sound, 16000, kilobits).astype(float)
    assert coded.shape == sound.shape
    assert np.vdot(coded, sound) / np.vdot(coded, coded) == pytest.approx(1, abs=1e-5)
    assert np.abs(coded - sound).mean() < 0.02  # where it was, and not delayed
