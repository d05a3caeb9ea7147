"""Separation by deep clustering, against nussl's own class and by ideal embeddings."""

import numpy as np
import pytest
import torch

import checkpoints
from algorithms import DeepClustering
from algorithms import deep_clustering as module
from compat import nussl
from errors import UserError
from evaluation import si_sdr
from model import deep_clustering

PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    """A checkpoint with random weights, complete for nussl too."""
    torch.manual_seed(0)
    model = nussl.ml.SeparationModel(
        deep_clustering(257, 1, num_layers=1, hidden_size=12, normalization="InstanceNorm")
    )
    transforms = nussl.datasets.transforms
    pipeline = transforms.Compose(
        [
            transforms.PhaseSensitiveSpectrumApproximation(),
            transforms.MagnitudeWeights(),
            transforms.ToSeparationModel(),
        ]
    )
    about = {"stft_params": PARAMS, "sample_rate": 16000, "num_channels": 1}
    path = tmp_path_factory.mktemp("model") / "best.model.pth"
    checkpoints.save_model(
        path,
        model,
        {
            **about,
            "train_dataset": {**about, "name": "Sample", "folder": "data", "transforms": pipeline},
        },
    )
    return path


def noise(samples=30000, channels=1, rate=16000, seed=0):
    rng = np.random.default_rng(seed)
    tone = np.sin(2 * np.pi * 330 * np.arange(samples) / rate)
    return nussl.AudioSignal(
        audio_data_array=0.3 * tone + 0.05 * rng.standard_normal((channels, samples)),
        sample_rate=rate,
    )


def test_at_the_models_own_rate_it_separates_as_nussl_does(model_path):
    mix = noise()
    mix.stft_params = PARAMS
    ours = DeepClustering(mix, 2, str(model_path))
    theirs = nussl.separation.deep.DeepClustering(mix, 2, str(model_path), random_state=0)
    estimates, expected = ours(), theirs()
    masks = [np.stack([m.mask for m in a.result_masks]) for a in (ours, theirs)]
    assert np.abs(ours.features - theirs.features).max() < 1e-4
    if np.abs(masks[0] - masks[1]).max() > 0.5:  # clusters have no names
        masks[1], expected = masks[1][::-1], expected[::-1]
    assert np.abs(masks[0] - masks[1]).max() < 1e-3
    for estimate, reference in zip(estimates, expected, strict=True):
        assert np.abs(estimate.audio_data - reference.audio_data).max() < 1e-4


def test_the_same_audio_gives_the_same_sources(model_path):
    first, second = (DeepClustering(noise(), 2, str(model_path))() for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.audio_data, b.audio_data)


@pytest.mark.parametrize("clustering", ["KMeans", "GaussianMixture", "MiniBatchKMeans"])
@pytest.mark.parametrize("mask_type", ["soft", "binary"])
@pytest.mark.parametrize("num_sources", [2, 3])
def test_sources_add_up_to_the_mixture(model_path, clustering, mask_type, num_sources):
    mix = noise(samples=20001, channels=2, rate=22050)
    sources = DeepClustering(
        mix, num_sources, str(model_path), clustering_type=clustering, mask_type=mask_type
    )()
    assert len(sources) == num_sources
    total = sum(source.audio_data for source in sources)
    assert np.abs(total - mix.audio_data).max() < 1e-5


def test_embeddings_that_name_the_source_give_the_ideal_binary_mask(model_path, monkeypatch):
    """Two tones: embeddings e_0 below 2 kHz and e_1 above must give back each tone."""
    time = np.arange(32000) / 16000
    tones = [0.4 * np.sin(2 * np.pi * f * time)[None] for f in (500, 5000)]
    mix = nussl.AudioSignal(audio_data_array=sum(tones), sample_rate=16000)

    def ideal(self):
        embedding = np.zeros((*self.stft.shape, 20), dtype=np.float32)
        embedding[:64, ..., 0] = 1
        embedding[64:, ..., 1] = 1
        return embedding

    monkeypatch.setattr(DeepClustering, "extract_features", ideal)
    sources = DeepClustering(mix, 2, str(model_path), mask_type="binary")()
    scores = [[si_sdr(s.audio_data, t) for t in tones] for s in sources]
    assert max(scores[0][0] + scores[1][1], scores[0][1] + scores[1][0]) > 2 * 30


@pytest.mark.parametrize("clustering", ["KMeans", "GaussianMixture"])
@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_as_many_clusters_are_found_as_were_planted(model_path, monkeypatch, count, clustering):
    """Every bin near one of `count` orthogonal embeddings."""

    def planted(self):
        rng = np.random.default_rng(0)
        nearest = np.eye(6)[rng.integers(count, size=self.stft.shape)]
        return (nearest + 0.05 * rng.standard_normal(nearest.shape)).astype(np.float32)

    monkeypatch.setattr(DeepClustering, "extract_features", planted)
    mix = noise()
    algorithm = DeepClustering(mix, None, str(model_path), clustering_type=clustering)
    sources = algorithm()
    assert len(sources) == algorithm.num_sources == count
    assert np.abs(sum(s.audio_data for s in sources) - mix.audio_data).max() < 1e-5


def test_fitting_to_fewer_points_changes_the_masks_little(model_path, monkeypatch):
    mix = noise(60000)
    full = DeepClustering(mix, 2, str(model_path))
    full.run()
    monkeypatch.setattr(module, "MOST_POINTS", 6000)
    few = DeepClustering(mix, 2, str(model_path))
    few.run()
    a, b = (np.stack([m.mask for m in x.result_masks]) for x in (full, few))
    difference = min(np.abs(a - b).mean(), np.abs(a - b[::-1]).mean())
    assert difference < 0.05


def test_silence_is_refused(model_path):
    silent = nussl.AudioSignal(audio_data_array=np.zeros((1, 9000)), sample_rate=16000)
    with pytest.raises(UserError, match="is silent"):
        DeepClustering(silent, 2, str(model_path))


def test_audio_shorter_than_a_frame_is_refused(model_path):
    with pytest.raises(UserError, match="has 100 samples .* at least 512"):
        DeepClustering(noise(100), 2, str(model_path))


def test_a_model_without_an_embedding_is_refused(tmp_path):
    graph = {
        "name": "m",
        "modules": {"mix_magnitude": {}, "log": {"class": "AmplitudeToDB"}},
        "connections": [["log", ["mix_magnitude"]]],
        "output": ["log"],
    }
    path = tmp_path / "m.pth"
    checkpoints.save_model(
        path,
        nussl.ml.SeparationModel(graph),
        {"stft_params": PARAMS, "sample_rate": 16000, "num_channels": 1},
    )
    with pytest.raises(UserError, match="gives log, and no embedding"):
        DeepClustering(noise(), 2, str(path))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"percentile": 200}, "percentile is 200; expected at least 0 and below 100"),
        ({"percentile": 100}, "percentile is 100; expected at least 0 and below 100"),
        ({"beta": -1.0}, "beta is -1.0; expected a number from 0 up"),
        ({"random_state": -1}, r"random_state is -1; expected a seed, from 0 to 2\^32-1"),
    ],
)
def test_a_number_out_of_its_range_is_refused_for_all_recordings(model_path, args, message):
    with pytest.raises(UserError, match=message) as caught:
        DeepClustering(noise(), 2, str(model_path), **args)
    assert caught.value.general


def test_fewer_loud_points_than_clusters_are_one_message(model_path):
    with pytest.raises(UserError, match="has 1 point above percentile 99.999, too few for 2"):
        DeepClustering(noise(), 2, str(model_path), percentile=99.999)()
