"""The rules of docs/data.md for files that are not as they should be, and for many files."""

import itertools
import os
import time

import layouts
import numpy as np
import pytest
import soundfile

from compat import nussl
from dataset import MIR1K, MUSDB18, StemDataset, StemFolder, WSJ0Mix
from dataset.base import manifest_hash
from dataset.tracks import Track
from errors import UserError

RATE = 16000
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, (8000, 2))


@pytest.fixture
def stems(tmp_path):
    """A folder of two tracks with the sources a and b, 16-bit mono at 16 kHz."""
    for source in "ab":
        for name in ("one", "two"):
            layouts.save(tmp_path / source / f"{name}.wav", NOISE[:, 0], RATE)
    return tmp_path


def build(folder, cls=StemFolder, rate=RATE, channels=1, **args):
    args = {"layout": "stems", **args} if cls is StemFolder else args  # "a" and "one" may be either
    return cls(folder, "train", rate, channels, PARAMS, **args)


def refused(folder, message, **args):
    with pytest.raises(UserError, match=message):
        build(folder, **args)


def test_a_file_that_is_cut_short_is_reported_when_it_is_listed(stems):
    path = stems / "a" / "two.wav"
    path.write_bytes(path.read_bytes()[:9000])
    refused(stems, "a/two.wav: cut short, decodes to 0.3 s of the 0.5 s that its .*; copy it again")


@pytest.mark.parametrize("kind", ["flac", "ogg", "opus", "mp3", "aiff"])
def test_compressed_files_that_are_cut_short_are_reported_when_they_are_listed(tmp_path, kind):
    import audio

    path = written(tmp_path, kind)
    assert audio.read(path).any()
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(UserError, match=f"{path.name}: (cut short|damaged).* copy it again"):
        audio.info(path)


def test_an_empty_file_and_one_without_samples_are_reported(stems):
    (stems / "b" / "one.wav").write_bytes(b"")
    refused(stems, "b/one.wav: is empty .0 bytes.; replace it")
    layouts.save(stems / "b" / "one.wav", NOISE[:0, 0], RATE)
    refused(stems, "b/one.wav: holds no samples; replace it")


def test_something_that_is_no_audio_is_reported(stems):
    (stems / "b" / "one.wav").write_text("<html>404</html>")
    refused(stems, "b/one.wav: cannot be read as audio")


def test_all_bad_files_are_reported_at_once_and_many_are_counted(tmp_path):
    for number in range(15):
        for source in "ab":
            layouts.save(tmp_path / source / f"{number:02d}.wav", NOISE[:0, 0], RATE)
    with pytest.raises(UserError) as caught:
        build(tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[0] == "15 problems with the data:" and lines[-1] == "  and 5 more"
    assert len(lines) == 12


def test_two_rates_in_one_track_are_refused(stems):
    layouts.save(stems / "b" / "two.wav", NOISE[:, 0], 8000)
    refused(
        stems, "b/two.wav: has 8000 Hz and .*/a/two.wav 16000 Hz; the files of a track must have"
    )


def test_another_rate_than_the_folder_says_is_refused(tmp_path):
    layouts.wsj0_2mix(tmp_path)
    (tmp_path / "wav8k").rename(tmp_path / "wav16k")
    refused(tmp_path, "has 8000 Hz, expected 16000 Hz; resample it", cls=WSJ0Mix)


def test_another_rate_than_the_experiments_is_resampled(stems):
    data = build(stems, rate=8000)
    assert data.length_of(0) == 4000 and data.excerpt(0).shape == (2, 1, 4000)


def test_stereo_where_mono_is_expected_is_refused_and_the_other_way_round(tmp_path):
    layouts.wsj0_2mix(tmp_path / "wsj")
    place = tmp_path / "wsj" / "wav8k" / "min" / "tr" / "s1"
    layouts.save(next(place.iterdir()), NOISE, 8000)
    refused(tmp_path / "wsj", "is stereo, expected mono", cls=WSJ0Mix, rate=8000)
    layouts.save(tmp_path / "mir" / "Wavfile" / "amy_1_01.wav", NOISE[:, 0], RATE)
    refused(tmp_path / "mir", "amy_1_01.wav: is mono, expected stereo", cls=MIR1K)


def test_stereo_stems_of_a_mono_experiment_are_their_mean_and_mono_ones_are_copied_to_both(stems):
    layouts.save(stems / "a" / "one.wav", NOISE, RATE, subtype="FLOAT")
    mean, other = build(stems).excerpt(0)
    assert np.allclose(mean[0], NOISE.mean(axis=1), atol=1e-6)
    stereo = build(stems, channels=2).excerpt(0)
    assert np.allclose(stereo[0], NOISE.T, atol=1e-6)
    assert np.array_equal(stereo[1], np.repeat(other, 2, axis=0))


def test_more_channels_than_stereo_are_refused_in_a_stereo_experiment(stems):
    layouts.save(stems / "a" / "one.wav", NOISE.repeat(3, axis=1), RATE)
    refused(stems, "one.wav: has 6 channels, which cannot become 2; mix it down", channels=2)
    assert build(stems).excerpt(0).shape == (2, 1, 8000)


def test_unequal_lengths_are_padded_in_own_stems_and_refused_in_published_ones(stems, tmp_path):
    layouts.save(stems / "a" / "one.wav", NOISE[:5000, 0], RATE)
    short, _ = build(stems).excerpt(0)
    assert short.shape == (1, 8000) and short[0, :5000].any() and not short[0, 5000:].any()
    layouts.musdb18(tmp_path / "musdb")
    path = tmp_path / "musdb" / "train" / "Aimee Norwich - Child" / "bass.wav"
    layouts.save(path, NOISE[:5000], 44100)
    refused(
        tmp_path / "musdb",
        "bass.wav: has 5000 samples and .*/vocals.wav 66150; the files of a "
        "track must be equally long",
        cls=MUSDB18,
    )


def test_nan_is_reported_when_it_is_read(stems):
    noise = NOISE[:, 0].copy()
    noise[4321] = np.nan
    layouts.save(stems / "a" / "one.wav", noise, RATE, subtype="FLOAT")
    data = build(stems)
    with pytest.raises(
        UserError, match="one.wav: holds NaN or infinite samples .the first at sample 4321."
    ):
        data.excerpt(0, 4000, 1000)
    assert data.excerpt(0, 0, 4000).any()  # which are not there


def test_names_in_other_unicode_forms_are_the_same_name(tmp_path):
    for source, name in (("a", "Mu\u0308ller 山田 🎻"), ("b", "M\u00fcller 山田 🎻")):
        layouts.save(tmp_path / source / f"{name}.wav", NOISE[:, 0], RATE)
    data = build(tmp_path)
    assert [track.name for track in data.tracks] == ["M\u00fcller 山田 🎻"]
    assert data.excerpt(0).any()


def test_the_longest_names_that_a_file_may_have_are_read(tmp_path):
    name = "é" * 125  # 250 bytes, and 4 for the ending
    for source in "ab":
        layouts.save(tmp_path / source / f"{name}.wav", NOISE[:, 0], RATE)
    data = build(tmp_path)
    assert data.tracks[0].name == name and data.excerpt(data.index_of(name)).any()


def test_two_files_of_one_name_are_refused(stems):
    layouts.save(stems / "a" / "one.flac", NOISE[:, 0], RATE)
    refused(stems, "a/one.wav: has the same name [(]'one'[)] as one.flac; remove one")


def test_hidden_files_are_ignored(stems):
    (stems / "a" / "._one.wav").write_bytes(b"left by a Mac")
    (stems / ".cache").mkdir()
    assert len(build(stems)) == 2 and build(stems).labels == ["a", "b"]


def test_audio_that_is_not_used_and_folders_without_any_are_named(stems, caplog):
    build(stems)
    assert "not used" not in caplog.text
    layouts.save(stems / "three.wav", NOISE[:, 0], RATE)
    (stems / "c").mkdir()
    assert build(stems).labels == ["a", "b"]
    assert f"1 audio file is not used, {stems / 'three.wav'} for one; expected: <sou" in caplog.text
    assert f"{stems / 'c'}: is not used, as it holds no audio files" in caplog.text
    caplog.clear()
    for source in "ab":  # the whole track is of a kind that cannot be read
        (stems / source / "one.wav").rename(stems / source / "one.m4a")
    assert [track.name for track in build(stems).tracks] == ["two"]
    assert "3 audio files are not used" in caplog.text and "a/one.m4a for one" in caplog.text


def test_a_file_in_place_of_the_folder_is_said(stems):
    refused(stems / "a" / "one.wav", "found a file in place of the folder")


def test_a_mixture_that_some_tracks_lack_is_named(stems, caplog):
    layouts.save(stems / "mix" / "one.wav", NOISE[:, 0], RATE)
    assert build(stems, mixture="sum").mixture == "sum" and "lack" not in caplog.text
    assert build(stems).mixture == "sum"
    assert "because 1 of 2 tracks lack a mixture file, two for one; add" in caplog.text


def test_a_symbolic_link_that_leads_round_in_circles_is_refused(stems):
    (stems / "loop").symlink_to(stems)
    refused(stems, "loop: a symbolic link to .*, a folder that contains it; remove the link")
    (stems / "loop").unlink()
    (stems / "loop").symlink_to("loop")
    refused(stems, "loop: a broken symbolic link .loop.; repair or remove it")


def test_symbolic_links_that_lead_somewhere_are_followed(stems, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (stems / "a").rename(elsewhere / "a")
    (stems / "a").symlink_to(elsewhere / "a")
    (stems / "b" / "two.wav").unlink()
    (stems / "b" / "two.wav").symlink_to(stems / "b" / "one.wav")
    assert build(stems).excerpt(1).any()


def test_a_file_that_vanishes_after_listing_is_reported(stems):
    data = build(stems)
    (stems / "a" / "one.wav").unlink()
    with pytest.raises(UserError, match="a/one.wav: no such file"):
        data.excerpt(0)


def test_ten_thousand_tracks_are_listed_in_ten_times_the_time_of_a_thousand(tmp_path):
    layouts.save(tmp_path / "a" / "00000.wav", NOISE[:100, 0], RATE)
    (tmp_path / "b").mkdir()
    first = tmp_path / "a" / "00000.wav"
    took = []
    for numbers in (range(1000), range(1000, 10000)):
        for number, source in itertools.product(numbers, "ab"):
            if number or source == "b":
                os.link(first, tmp_path / source / f"{number:05d}.wav")
        began = time.process_time()
        data = build(tmp_path)
        took.append(time.process_time() - began)
    assert took[1] < 40 * took[0]  # 100 times, if each were compared with all
    assert len(data) == 10000 and data.tracks[9999].name == "09999"
    assert data.excerpt(9999).shape == (2, 1, 100)


def test_the_manifest_of_a_prepared_folder_is_quoted_from_above(stems):
    assert build(stems).manifest_hash is None
    (stems / "manifest.json").write_text('{"hash": "abc"}')
    assert build(stems).manifest_hash == "abc"
    (stems / "train").mkdir()
    for source in "ab":
        (stems / source).rename(stems / "train" / source)
    assert build(stems).manifest_hash == build(stems / "train").manifest_hash == "abc"
    (stems / "manifest.json").write_text("[]")
    refused(stems, "manifest.json: not a manifest of scripts.prepare")


# an excerpt is the slice of the whole

KINDS = {
    "PCM_16": ".wav",
    "PCM_24": ".wav",
    "FLOAT": ".wav",
    "flac": ".flac",
    "ogg": ".ogg",
    "mp3": ".mp3",
    "aiff": ".aiff",
    "opus": ".opus",
}


def written(folder, kind, rate=44100):
    """A noisy stereo file of a second and a half."""
    path = folder / f"a{KINDS[kind]}"
    form = {"format": "OGG", "subtype": "OPUS"} if kind == "opus" else {}
    form = {"subtype": kind} if kind.isupper() else form
    layouts.save(path, np.tile(NOISE, (9, 1))[:66001], 48000 if kind == "opus" else rate, **form)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_an_excerpt_of_a_file_is_the_slice_of_the_decoded_whole_to_the_bit(tmp_path, kind):
    import audio

    path = written(tmp_path, kind)
    whole, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if kind == "PCM_16":  # the numbers that are in it
        numbers = soundfile.read(path, dtype="int16")[0]
        assert np.array_equal(whole * 2**15, numbers)
    for start, length in ((0, 1), (1, 5000), (1151, 1153), (33333, 12345), (len(whole) - 10, 10)):
        part = audio.read_excerpt(path, rate, 2, start, length)
        assert np.array_equal(part, whole.T[:, start : start + length]), (start, length)
    assert np.array_equal(audio.read_excerpt(path, rate, 2), whole.T)


@pytest.mark.parametrize(
    ("rate", "new"),
    [(44100, 16000), (44100, 8000), (48000, 16000), (16000, 44100), (22050, 16000), (44101, 16000)],
)
@pytest.mark.parametrize("kind", ["PCM_16", "flac", "mp3"])
def test_a_resampled_excerpt_is_the_slice_of_the_resampled_whole(tmp_path, kind, rate, new):
    import audio

    path = written(tmp_path, "flac" if rate == 44101 else kind, rate)  # which MP3 does not know
    whole = audio.read(path, new, 2)
    total = audio.resampled_length(soundfile.info(path).frames, rate, new)
    assert whole.shape[1] == total
    for start, length in ((0, 2000), (1, 777), (6543, 3000), (total - 1000, 1000), (total - 1, 1)):
        part = audio.read_excerpt(path, new, 2, start, length)
        assert np.abs(part - whole[:, start : start + length]).max() < 2e-6, (start, length)
    beyond = audio.read_excerpt(path, new, 2, total - 5, 100)
    assert np.array_equal(beyond[:, 5:], np.zeros((2, 95)))


def test_a_channel_that_a_file_lacks_is_reported(stems):
    import audio

    with pytest.raises(UserError, match="one.wav: has 1 channel, and channel 2 is to be read"):
        audio.read_excerpt(stems / "a" / "one.wav", RATE, 1, 0, 10, channel=1)


class TextPaths(StemDataset):
    """Paths as text, not as Path."""

    def list_tracks(self, folder):
        stems = {source: [f"{folder}/{source}/one.wav"] for source in "ab"}
        return [Track("one", stems, mix=f"{folder}/a/two.wav")]


def test_paths_as_text_are_paths(stems):
    data = build(stems, TextPaths)
    found = data[0]["sources"]["a"].audio_data
    assert np.array_equal(found, build(stems)[0]["sources"]["a"].audio_data)
    files = [str(stems / name) for name in ("a/one.wav", "b/one.wav", "a/two.wav")]
    assert [path for path, *_ in data.stamp(0)] == files


def test_the_manifest_of_a_dataset_is_in_its_folder_or_one_of_the_four_above(tmp_path):
    (tmp_path / "manifest.json").write_text('{"hash": "1234"}')
    folder = tmp_path
    for name in "abcd":
        assert manifest_hash(folder) == "1234"
        folder = folder / name
    assert manifest_hash(folder) == "1234" and manifest_hash(folder / "e") is None
