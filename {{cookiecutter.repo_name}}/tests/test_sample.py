"""The built-in sample as a dataset: named without being made, made when asked for."""

import os

import numpy as np
import pytest
import quick_snippets
import soundfile

from compat import nussl
from dataset import DATASETS, Sample, StemDataset, Track
from errors import UserError
from evaluation import ORACLES, si_sdr
from songs import STEMS, snippets

RATE = 16000
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
LENGTH = 4 * RATE


def sample(folder, split="test", rate=RATE, channels=1, **kwargs):
    return Sample(folder, split, rate, channels, PARAMS, **kwargs)


def made(folder):
    """Names of the snippets that lie in a dataset's folder."""
    return sorted(path.parent.name for path in folder.rglob("vocals.wav"))


@pytest.fixture(scope="module")
def data(sample_folder):
    """Two songs of the test split."""
    return sample(sample_folder, num_songs=2)


# the list


@pytest.mark.parametrize(("split", "count"), [("test", 3000), ("train", 3000), ("val", 300)])
def test_the_whole_sample_is_listed_without_making_any_of_it(tmp_path, split, count):
    data = sample(tmp_path / "sample", split)
    assert len(data) == count
    names = [track.name for track in data.tracks]
    assert names == sorted(set(names))
    assert len({track.song for track in data.tracks}) == count // 10
    assert {data.length_of(i) for i in (0, count - 1)} == {LENGTH}
    assert list(tmp_path.iterdir()) == []


def test_no_song_and_no_name_is_in_two_splits(tmp_path):
    splits = [sample(tmp_path, split).tracks for split in ("train", "val", "test")]
    for key in ("name", "song"):
        there = [{getattr(track, key) for track in tracks} for tracks in splits]
        assert len(set.union(*there)) == sum(map(len, there))


def test_fewer_songs_are_the_first_ones(tmp_path):
    few, all_ = sample(tmp_path, num_songs=3), sample(tmp_path)
    assert few.tracks == all_.tracks[:30]
    assert len(sample(tmp_path, num_songs=300)) == 3000


def test_an_index_is_found_by_name(data):
    assert data.tracks[data.index_of("30001004")].name == "30001004"
    with pytest.raises(
        UserError,
        match="no item '30002000' in Sample, split 'test': 20 items from 30000000 to 30001009",
    ):
        data.index_of("30002000")


def test_it_is_known_by_name():
    assert DATASETS["Sample"] is Sample


# what cannot be


@pytest.mark.parametrize(
    ("split", "songs", "most"),
    [("test", 301, 300), ("val", 31, 30), ("train", 0, 300), ("val", -1, 30)],
)
def test_more_songs_than_there_are_are_refused(tmp_path, split, songs, most):
    message = f"num_songs is {songs}; Sample's {split} split has 1 to {most}"
    with pytest.raises(UserError, match=message):
        sample(tmp_path, split, num_songs=songs)


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(UserError, match="split is 'dev'; Sample has train, val, test"):
        sample(tmp_path, "dev")


def test_an_unknown_stem_in_a_group_is_refused_and_the_known_ones_named(tmp_path):
    with pytest.raises(
        UserError, match="groups.voice: no stem 'vox'; Sample has bass, drums, other, vocals"
    ):
        sample(tmp_path, groups={"voice": ["vox"]})


def test_a_file_in_place_of_the_folder_is_reported_in_one_message(tmp_path):
    (tmp_path / "sample").write_text("a file")
    data = sample(tmp_path / "sample")
    with pytest.raises(UserError, match="cannot be written .*; set DATA_DIRECTORY to a folder"):
        data[0]


def test_a_dataset_without_tracks_says_where_it_looked(tmp_path):
    class Empty(StemDataset):
        def list_tracks(self, folder):
            return []

    with pytest.raises(UserError, match="no tracks of Empty, split 'train'"):
        Empty(tmp_path, "train", RATE, 1, PARAMS)


# its items


def test_asking_for_one_makes_just_that_one(tmp_path):
    data = sample(tmp_path)
    data.excerpt(1234, 0, 100)
    assert made(tmp_path) == [data.tracks[1234].name] == ["30123004"]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")}
    data.excerpt(1234)
    data.ensure([1234, 1234])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")} == before


def test_an_item_is_what_nussl_takes(data):
    item = data[3]
    assert list(item["sources"]) == data.labels == ["accompaniment", "vocals"]
    assert item["metadata"]["labels"] == ["accompaniment", "vocals"]
    assert item["metadata"]["name"] == "30000003"
    assert item["metadata"]["song"] == "test0000"
    for signal in (item["mix"], *item["sources"].values()):
        assert isinstance(signal, nussl.AudioSignal)
        assert signal.audio_data.shape == (1, LENGTH)
        assert signal.sample_rate == RATE
        assert signal.stft_params == PARAMS
        assert np.abs(signal.audio_data).max() > 0.01


def test_the_mixture_is_just_the_sum_of_the_sources(data):
    item = data[3]
    assert np.array_equal(
        item["mix"].audio_data, sum(source.audio_data for source in item["sources"].values())
    )


def test_the_accompaniment_is_the_sum_of_its_three_stems(data):
    sources = data.excerpt(3)
    stems = {
        stem: soundfile.read(data.place / "30000003" / f"{stem}.wav", dtype="float32")[0]
        for stem in STEMS
    }
    assert np.array_equal(sources[data.labels.index("vocals"), 0], stems["vocals"])
    assert np.allclose(
        sources[data.labels.index("accompaniment"), 0],
        stems["drums"] + stems["bass"] + stems["other"],
        atol=1e-7,
    )


def test_nussls_transforms_take_an_item(data):
    transforms = nussl.datasets.transforms
    item = transforms.PhaseSensitiveSpectrumApproximation()(data[3])
    assert item["source_magnitudes"].shape == (257, LENGTH // 128 + 1, 1, 2)


@pytest.mark.parametrize(
    ("start", "length"), [(0, 100), (1, 6400), (33333, 12345), (LENGTH - 1, 1)]
)
def test_an_excerpt_is_the_slice_of_the_whole_sample_for_sample(data, start, length):
    part = data.excerpt(3, start, length)
    assert part.dtype == np.float32
    assert np.array_equal(part, data.excerpt(3)[..., start : start + length])


@pytest.mark.parametrize("start", [LENGTH - 50, LENGTH - 1, LENGTH, LENGTH + 1000])
def test_beyond_the_end_is_silence(data, start):
    part = data.excerpt(3, start, 200)
    assert part.shape == (2, 1, 200)
    there = max(0, LENGTH - start)
    assert np.array_equal(part[..., :there], data.excerpt(3)[..., start:])
    assert not part[..., there:].any()


# groups


def test_four_stems_as_they_are(sample_folder):
    groups = {stem: [stem] for stem in STEMS}
    data = sample(sample_folder, num_songs=1, groups=groups)
    assert data.labels == sorted(STEMS)
    assert data.excerpt(3).shape == (4, 1, LENGTH)
    mix = sample(sample_folder).excerpt(3).sum(axis=0)
    assert np.allclose(data.excerpt(3).sum(axis=0), mix, atol=1e-6)


def test_stems_that_no_group_names_are_left_out_of_the_mixture(sample_folder):
    groups = {"rhythm": ["drums", "bass"], "rest": ["other"]}
    data = sample(sample_folder, num_songs=1, groups=groups)
    item = data[3]  # made now, if no other test has
    stems = {
        stem: soundfile.read(data.place / "30000003" / f"{stem}.wav", dtype="float32")[0]
        for stem in STEMS
    }
    assert sorted(item["sources"]) == ["rest", "rhythm"]
    rhythm = stems["drums"] + stems["bass"]
    assert np.allclose(item["sources"]["rhythm"].audio_data[0], rhythm, atol=1e-7)
    assert np.allclose(item["mix"].audio_data[0], rhythm + stems["other"], atol=1e-6)


# where they lie


def test_other_rates_channels_and_seeds_lie_in_other_folders(tmp_path):
    kinds = [
        sample(tmp_path, num_songs=1),
        sample(tmp_path, num_songs=1, channels=2),
        sample(tmp_path, num_songs=1, rate=8000),
        sample(tmp_path, num_songs=1, seed=1),
        sample(tmp_path, "val", num_songs=1),
    ]
    assert len({data.place for data in kinds}) == 5
    for data, (rate, channels) in zip(kinds[:3], [(RATE, 1), (RATE, 2), (8000, 1)], strict=True):
        item = data[0]
        assert item["mix"].sample_rate == rate
        assert item["mix"].audio_data.shape == (channels, 4 * rate)
    assert len(made(tmp_path)) == 3


def test_what_a_killed_rendering_left_is_ignored(tmp_path):
    data = sample(tmp_path, num_songs=1)
    litter = data.place / f".{data.tracks[0].name}.abc123"
    litter.mkdir(parents=True)
    (litter / "vocals.wav").write_bytes(b"half")
    assert np.abs(data.excerpt(0)).max() > 0.01
    assert litter.exists()  # it may be another process's, at work just now


def test_many_missing_snippets_are_made_once_each(tmp_path, monkeypatch):
    jobs = []
    monkeypatch.setattr(snippets, "render", lambda name, **args: jobs.append((name, args)))
    data = sample(tmp_path, num_songs=1, seed=5)
    data.ensure(range(10))
    assert [name for name, _ in jobs] == [track.name for track in data.tracks]
    same = dict(folder=data.place, sample_rate=RATE, num_channels=1, seed=5, style="plain")
    assert all(args == same for _, args in jobs)


def test_many_missing_snippets_are_made_by_many_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(snippets, "render", quick_snippets.render)
    data = sample(tmp_path, rate=8000, num_songs=4)
    data.ensure(range(32), progress=False)  # 16 for each of two processes
    assert made(tmp_path) == [track.name for track in data.tracks[:32]]
    assert sorted(path.name for path in data.place.iterdir()) == made(tmp_path)  # and no litter
    makers = {path.read_text() for path in tmp_path.rglob("vocals.wav")}
    assert makers and str(os.getpid()) not in makers


def test_a_stem_that_was_deleted_is_reported_by_its_file(tmp_path):
    data = sample(tmp_path, num_songs=1)
    data.ensure([0])
    (data.place / data.tracks[0].name / "bass.wav").unlink()
    with pytest.raises(UserError, match="30000000/bass.wav: no such file"):
        data.excerpt(0)


# files of another rate than the experiment's


def test_tracks_are_read_at_the_experiments_rate_and_only_where_asked(tmp_path):
    time = np.arange(2 * 44100) / 44100
    for name, frequency in (("a", 500), ("b", 1500)):
        soundfile.write(
            tmp_path / f"{name}.wav",
            0.3 * np.sin(2 * np.pi * frequency * time),
            44100,
            subtype="FLOAT",
        )

    class Two(StemDataset):
        def list_tracks(self, folder):
            return [Track("one", {n: (folder / f"{n}.wav",) for n in "ab"}, 44100, 2 * 44100)]

    data = Two(tmp_path, "train", RATE, 2, PARAMS)
    assert data.length_of(0) == 2 * RATE
    part = data.excerpt(0, RATE // 2, RATE)
    assert part.shape == (2, 2, RATE)
    time = np.arange(RATE // 2, RATE // 2 + RATE) / RATE
    for source, frequency in zip(part, (500, 1500), strict=True):
        expected = 0.3 * np.sin(2 * np.pi * frequency * time)
        assert np.abs(source - expected)[:, 500:-500].max() < 1e-3


# neither trivial nor impossible


def improvements(item, estimates):
    """SI-SDR improvement of each estimate, in dB; sources and estimates in the order of labels."""
    mix = item["mix"].audio_data
    return [
        si_sdr(estimate, source.audio_data) - si_sdr(mix, source.audio_data)
        for estimate, source in zip(estimates, item["sources"].values(), strict=True)
    ]


@pytest.mark.slow
def test_no_fixed_equaliser_separates_it_and_an_ideal_mask_does(sample_folder):
    train, test = sample(sample_folder, "train"), sample(sample_folder)
    power = np.zeros((257, 2))
    for index in range(2, 30, 5):  # two snippets of each of three songs
        for column, source in zip(power.T, train[index]["sources"].values(), strict=True):
            column += (np.abs(source.stft()) ** 2).sum(axis=(1, 2))
    share = power / power.sum(axis=1, keepdims=True)
    static, ideal = [], []
    for index in range(3, 30, 5):
        item = test[index]
        spectrum = item["mix"].stft()
        estimates = []
        for column in share.T:
            estimate = item["mix"].make_copy_with_stft_data(
                spectrum * column[:, None, None], verbose=False
            )
            estimate.istft(truncate_to_length=LENGTH)
            estimates.append(estimate.audio_data)
        static.append(improvements(item, estimates))
        oracle = ORACLES["ideal ratio mask"](item["mix"], list(item["sources"].values()))
        ideal.append(improvements(item, [estimate.audio_data for estimate in oracle]))
    vocals = test.labels.index("vocals")
    assert np.mean(static, axis=0)[vocals] < 2.5
    assert np.mean(ideal, axis=0)[vocals] > 8
    assert np.min(ideal) > 2  # of every snippet and source
