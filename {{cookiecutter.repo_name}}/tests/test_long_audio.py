"""Audio of any length: pieces that fit, sources that keep their places, files that are whole."""

import functools
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from small_networks import PARAMS, RATE, SMALL, separator

import streams
from algorithms import (
    ALGORITHMS,
    Streamed,
    confidence,
    model_input,
    network,
    separation,
)
from algorithms.chunks import Chunks, align_permutations, order_like
from compat import nussl
from errors import UserError
from preparation.convert import encode_16_bit

torch.set_num_threads(1)
PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """make(builder) -> function(mixture) -> algorithm, by a network of random weights."""
    folder = tmp_path_factory.mktemp("models")

    return functools.partial(separator, folder=folder)


@pytest.fixture
def short_chunks(monkeypatch):
    monkeypatch.setattr(model_input, "CHUNK", 1.0)
    monkeypatch.setattr(model_input, "OVERLAP", 0.2)
    monkeypatch.setattr(network, "BATCH", 2)


def sound(seconds, channels=1, rate=RATE, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    tone = 0.3 * np.sin(2 * np.pi * 330 * time + 3 * np.sin(5 * time))
    noise = 0.05 * rng.standard_normal((channels, len(time)))
    return (tone + noise).astype(np.float32)


# ---- chunks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [1, 50, 99, 100, 101, 150, 189, 190, 191, 777, 1000])
def test_chunks_that_say_the_same_are_joined_into_what_they_were_cut_from(frames):
    whole = np.random.default_rng(0).standard_normal((2, frames)).astype(np.float32)
    chunks = Chunks(frames, 100, 10)
    cut = (whole[:, start : start + chunks.length] for start in chunks.starts)
    pieces = list(chunks.crossfade(cut))
    assert np.allclose(np.concatenate(pieces, axis=-1), whole, atol=1e-6)
    assert all(gap <= 90 for gap in np.diff(chunks.starts))
    assert chunks.starts[-1] + chunks.length == frames


@pytest.mark.parametrize("frames", [101, 130, 185, 1234])
def test_a_fade_is_in_the_middle_of_what_two_chunks_share(frames):
    chunks = Chunks(frames, 100, 20)
    assert chunks.count > 1
    for number in range(1, chunks.count):
        first = chunks.starts[number]
        end = chunks.starts[number - 1] + chunks.length
        before, after = chunks.borders[number] - first, end - (chunks.borders[number] + 20)
        assert 0 <= before <= after <= before + 1


def test_a_chunk_is_faded_into_the_next_linearly():
    chunks = Chunks(180, 100, 20)
    assert chunks.starts == [0, 80] and chunks.borders == [0, 80, 180]
    joined = np.concatenate(
        list(chunks.crossfade([np.zeros((1, 100)), np.ones((1, 100))])), axis=-1
    )
    assert not joined[0, :80].any() and (joined[0, 100:] == 1).all()
    assert np.allclose(joined[0, 80:100], (np.arange(20) + 0.5) / 20)


def test_sources_that_change_places_between_chunks_are_put_back():
    rng = np.random.default_rng(0)
    whole = rng.standard_normal((3, 1000))
    chunks = Chunks(1000, 200, 50)
    cut = [whole[rng.permutation(3), start : start + 200] for start in chunks.starts]
    first = np.concatenate(
        list(chunks.crossfade(align_permutations(cut, chunks.starts, 200))), axis=-1
    )
    order = order_like(first, whole)
    assert np.allclose(first, whole[order], atol=1e-6)


def test_sources_that_say_nothing_of_their_order_keep_it():
    same = np.ones((2, 30))
    assert list(order_like(same, same)) == [0, 1]
    assert list(order_like(np.zeros((3, 30)), np.zeros((3, 30)))) == [0, 1, 2]


# ---- recordings ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rates", [(44100, 16000), (16000, 44100), (8000, 16000), (48000, 22050)])
def test_pieces_resampled_one_by_one_are_those_of_the_whole(rates):
    import audio

    data = sound(3, 2, rates[0])
    whole = audio.convert(data, *rates, 1)
    part = streams.ResampledRecording(streams.ArrayRecording(data, rates[0]), rates[1], 1)
    assert part.length == whole.shape[1]
    for start, length in ((0, 5000), (12345, 7000), (part.length - 3000, 3000)):
        assert np.abs(part.read(start, length) - whole[:, start : start + length]).max() < 1e-5


def test_beyond_its_ends_a_recording_is_silent(tmp_path):
    data = sound(0.1)
    soundfile.write(tmp_path / "a.wav", data.T, RATE, subtype="FLOAT")
    for recording in (
        streams.ArrayRecording(data, RATE),
        streams.FileRecording(tmp_path / "a.wav"),
    ):
        read = recording.read(-10, recording.length + 20)
        assert np.array_equal(read[:, 10:-10], data)
        assert not read[:, :10].any() and not read[:, -10:].any()
        assert not recording.read(5000, 7).any()


@pytest.mark.parametrize(("suffix", "subtype"), [("ogg", "VORBIS"), ("mp3", "MPEG_LAYER_III")])
def test_a_place_in_a_compressed_file_is_found_to_the_sample(tmp_path, suffix, subtype):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, sound(3, 2).T, RATE, subtype=subtype)
    whole, recording = soundfile.read(path, dtype="float32")[0].T, streams.FileRecording(path)
    for start in (0, 1, 10_001, 31_000):
        assert np.abs(recording.read(start, 5000) - whole[:, start : start + 5000]).max() < 1e-6


# ---- separation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("builder", SMALL)
@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (22050, 2)])
def test_from_a_file_in_chunks_comes_what_comes_from_memory(
    make, short_chunks, tmp_path, builder, rate, channels
):
    data = sound(4.7, channels, rate)
    soundfile.write(tmp_path / "a.wav", data.T, rate, subtype="FLOAT")
    pieces = list(Streamed(make(builder), streams.FileRecording(tmp_path / "a.wav")).pieces())
    streamed = np.concatenate(pieces, axis=-1)
    algorithm = make(builder)(nussl.AudioSignal(audio_data_array=data, sample_rate=rate))
    assert algorithm.input.chunks.count > 4 and len(pieces) > 2
    estimates = np.stack([estimate.audio_data for estimate in algorithm()])
    assert streamed.shape == estimates.shape == (2, *data.shape)
    assert np.abs(streamed.sum(axis=0) - data).max() < 1e-5
    assert np.abs(streamed - estimates).max() < 1e-3


@pytest.mark.parametrize("builder", SMALL)
def test_a_chunk_is_a_slice_of_what_the_network_would_see_of_the_whole(make, short_chunks, builder):
    data = sound(3.3)
    mix = nussl.AudioSignal(audio_data_array=data, sample_rate=RATE, stft_params=PARAMS)
    algorithm = make(builder)(mix)
    whole = np.abs(mix.stft()).transpose(1, 0, 2)
    seen = []
    for numbers, features, _ in algorithm.batches():
        for row, number in enumerate(numbers):
            start, frames = algorithm.input.chunks.starts[number], algorithm.input.chunks.length
            samples = slice(start * PARAMS.hop_length, (start + frames - 1) * PARAMS.hop_length)
            expected = {
                "mix_magnitude": whole[start : start + frames],
                "mix_audio": data[:, samples],
            }
            for name in {*expected} & {*features}:
                got = features[name][row].numpy()
                if name == "mix_audio":  # the last chunk ends in silence
                    got = got[:, : expected[name].shape[-1]]
                assert np.abs(got - expected[name]).max() < 1e-6
                seen.append(number)
    assert seen == list(range(algorithm.input.chunks.count))


@pytest.mark.parametrize("clustering", ["KMeans", "GaussianMixture"])
@pytest.mark.parametrize("mask_type", ["soft", "binary"])
def test_long_sources_add_up_whatever_clusters_them(make, short_chunks, clustering, mask_type):
    data = sound(3.5, 2, 22050)
    how = functools.partial(
        make("deep_clustering"), clustering_type=clustering, mask_type=mask_type
    )
    pieces = list(Streamed(how, streams.ArrayRecording(data, 22050)).pieces())
    assert np.abs(np.concatenate(pieces, axis=-1).sum(axis=0) - data).max() < 1e-5


def test_a_network_that_changes_its_order_is_followed(make, short_chunks, monkeypatch):
    """Each chunk is separated ideally, its sources in an order drawn by lot."""
    data = np.stack([sound(5, seed=1)[0], np.sin(2 * np.pi * 2000 * np.arange(80000) / RATE)])
    algorithm = make("conv_tasnet")(streams.ArrayRecording(data.sum(axis=0, keepdims=True), RATE))
    hop, rng = PARAMS.hop_length, np.random.default_rng(0)

    def batches():
        for start in algorithm.input.chunks.starts:
            samples = (algorithm.input.chunks.length - 1) * hop
            there = streams.ArrayRecording(data, RATE).read(start * hop, samples)[
                rng.permutation(2)
            ]
            yield None, None, {"audio": torch.from_numpy(there.T.copy())[None, None]}

    monkeypatch.setattr(algorithm, "batches", batches)
    sources = np.concatenate(list(algorithm.stream()), axis=-1)[:, 0]
    wrong = min(np.abs(sources - data).max(), np.abs(sources[::-1] - data).max())
    assert wrong < 1e-5


@pytest.mark.parametrize("name", ["HPSS", "Repet"])
def test_a_classical_algorithm_takes_long_audio_too(monkeypatch, name):
    monkeypatch.setattr(separation, "CHUNK", 4)
    monkeypatch.setattr(separation, "OVERLAP", 1)
    data = sound(9.3, 1, 8000)
    pieces = list(Streamed(ALGORITHMS[name], streams.ArrayRecording(data, 8000)).pieces())
    assert len(pieces) == 3 and np.concatenate(pieces, axis=-1).shape == (2, *data.shape)


@pytest.mark.parametrize("builder", ["deep_clustering", "mask_inference", "conv_tasnet"])
def test_a_chunk_of_another_length_is_an_argument(make, builder, monkeypatch):
    """As if every chunk were of that length, from the shortest that there is on."""
    mixture = nussl.AudioSignal(audio_data_array=sound(7), sample_rate=RATE)
    given = make(builder)(mixture, chunk=2.0)
    assert given.input.chunks.count == 5 and given.input.chunk_seconds == pytest.approx(2, abs=0.02)
    found = [estimate.audio_data for estimate in given()]
    monkeypatch.setattr(model_input, "CHUNK", 2.0)
    monkeypatch.setattr(model_input, "OVERLAP", 0.4)
    expected = [estimate.audio_data for estimate in make(builder)(mixture)()]
    assert np.array_equal(found, expected)
    with pytest.raises(UserError, match=r"chunk is 0.01 s; .* at least 3 of them make a chunk"):
        make(builder)(mixture, chunk=0.01)


def test_silence_of_any_length_is_refused(make, short_chunks):
    for builder in SMALL:
        with pytest.raises(UserError, match="is silent"):
            list(Streamed(make(builder), streams.ArrayRecording(0 * sound(3), RATE)).pieces())


def test_channels_that_cancel_each_other_are_refused_by_a_network_that_reads_mono(make):
    data = sound(2)
    opposite = np.concatenate([data, -data])
    for builder in SMALL:
        message = "its 2 channels cancel each other in mono, which the model reads: invert"
        with pytest.raises(UserError, match=message):
            list(Streamed(make(builder), streams.ArrayRecording(opposite, RATE)).pieces())
    made = Streamed(
        make("mask_inference"), streams.ArrayRecording(opposite * np.float32([[1.0], [0.9]]), RATE)
    )
    assert sum(piece.shape[-1] for piece in made.pieces()) == data.shape[-1]


@pytest.mark.parametrize("builder, shifts", [("deep_clustering", 2), ("conv_tasnet", None)])
def test_a_recording_as_long_as_a_chunk_is_read_at_once(make, builder, shifts):
    def chunks(samples):
        mixture = nussl.AudioSignal(audio_data_array=sound(2.1)[:, :samples], sample_rate=RATE)
        args = {"chunk": 2.0} | ({"shifts": shifts} if shifts else {})
        return make(builder)(mixture, **args).input.chunks.count

    assert [chunks(samples) for samples in (2 * RATE, 2 * RATE + 1)] == [1, 2]


def test_a_recording_mostly_of_silence_is_clustered_by_its_sound(make, short_chunks):
    data = sound(8)
    data[:, 16000:] = 0
    work = Streamed(make("deep_clustering"), streams.ArrayRecording(data, RATE))
    assert work.algorithm.input.loudest(2) == [0, 1]
    assert np.abs(np.concatenate(list(work.pieces()), axis=-1).sum(axis=0) - data).max() < 1e-5


# ---- confidence ---------------------------------------------------------------------------------


def test_two_far_clusters_are_surer_than_one_cloud():
    rng = np.random.default_rng(0)
    cloud = rng.standard_normal((3000, 20)).astype(np.float32)
    sides = rng.choice([-10, 10], (3000, 1)).astype(np.float32)

    class Clustered:
        num_sources = 2

    sure, unsure = {}, {}
    for points, scores in ((cloud + sides, sure), (cloud, unsure)):
        algorithm = Clustered()
        algorithm.loud_points = points, rng.uniform(0.5, 1, 3000).astype(np.float32)
        scores.update(confidence(algorithm))
        before = np.random.get_state()[1].copy()
        assert confidence(algorithm) == scores  # the same each time
        assert np.array_equal(np.random.get_state()[1], before)
    for name in ("silhouette", "posterior", "jensen_shannon"):
        assert sure[name] > 2 * unsure[name]
    assert sure["silhouette"] > 0.8


def test_what_clusters_nothing_has_no_confidence(make):
    assert confidence(make("mask_inference")(streams.ArrayRecording(sound(1), RATE))) == {}


# ---- source files -------------------------------------------------------------------------------


def test_a_source_over_full_scale_stays_a_wav_file(tmp_path):
    data = np.stack([0.5 * np.ones((2, 900)), 1.5 * np.ones((2, 900))]).astype(np.float32)
    with streams.SourceFiles(tmp_path / "o", RATE, 900, "flac") as files:
        files.write(data[..., :500])
        files.write(data[..., 500:])
        paths = files.finish({})
    assert [path.name for path in paths] == ["source0.flac", "source1.wav"]
    assert np.abs(soundfile.read(paths[0])[0].T - data[0]).max() < 1e-6
    assert np.array_equal(soundfile.read(paths[1])[0].T, data[1])


@pytest.mark.parametrize(("rate", "channels"), [(RATE, 9), (768000, 1), (100001, 1)])
def test_what_flac_cannot_hold_stays_a_wav_file(tmp_path, rate, channels):
    data = 0.5 * np.ones((2, channels, 900), np.float32)
    with streams.SourceFiles(tmp_path / "o", rate, 900, "flac") as files:
        files.write(data)
        paths = files.finish({})
    assert [path.name for path in paths] == ["source0.wav", "source1.wav"]
    assert np.array_equal(soundfile.read(paths[1], always_2d=True)[0].T, data[1])
    with pytest.raises(UserError, match=f"{channels} channels? at {rate} Hz; write format: wav"):
        encode_16_bit(data[0], rate, "flac", tmp_path / "x.flac")


def test_what_breaks_off_leaves_nothing(tmp_path):
    with (
        pytest.raises(UserError, match="NaN"),
        streams.SourceFiles(tmp_path / "o", RATE, 900) as files,
    ):
        files.write(np.zeros((2, 1, 500), np.float32))
        files.write(np.full((2, 1, 400), np.nan, np.float32))
    assert not (tmp_path / "o").exists()
