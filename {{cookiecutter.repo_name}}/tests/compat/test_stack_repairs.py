"""compat/stack.py: what other libraries have changed under nussl."""

import inspect
import json
import os
import pickle
import warnings

import librosa
import matplotlib
import numpy as np
import pandas as pd
import pytest
import scipy.signal
import sklearn.cluster
import sklearn.mixture
import torch
import zarr
from signals import RATE, mask_inference, needed, tone, transforms

from compat import nussl, stack

matplotlib.use("Agg")
modules = nussl.ml.networks.modules


def test_resample_halves_the_samples_and_keeps_the_tone(plain):
    needed("TypeError" in plain["resample"], "stack.librosa_keywords")
    signal = tone()
    signal.resample(RATE // 2)
    expected = np.sin(2 * np.pi * 440 * np.arange(2000) / (RATE // 2))
    assert signal.audio_data.shape == (1, 2000) and signal.sample_rate == RATE // 2
    assert np.abs(signal.audio_data[0] - expected)[200:-200].max() < 1e-3


def test_rms_of_a_tone_is_the_root_of_a_half_up_to_its_edges(plain):
    needed("TypeError" in plain["rms"], "stack.librosa_keywords")
    windowed = tone(frequency=500.0).rms(win_len=256)
    assert windowed == pytest.approx(
        np.sqrt(0.5), abs=0.02
    )  # padding with zeros gives 0.5 at the edges


def test_mel_projection_holds_librosas_filters_normalized(plain):
    needed("TypeError" in plain["mel_projection"], "stack.librosa_keywords")
    filters = librosa.filters.mel(sr=RATE, n_fft=256, n_mels=10)
    weight = modules.MelProjection(RATE, 129, 10).transform.weight
    assert np.allclose(weight.detach(), filters / filters.sum(1, keepdims=True), atol=1e-5)


@pytest.fixture
def figure():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt.figure()
    plt.close("all")


def test_waveforms_are_drawn(plain, figure):
    needed("AttributeError" in plain["visualize_waveform"], "stack.librosa_display")
    utils = nussl.core.utils
    utils.visualize_waveform(tone())
    assert figure.gca().get_ylabel() == "Amplitude"
    figure.clear()
    utils.visualize_sources_as_waveform({"a": tone(), "b": tone(frequency=900.0)})
    labels = [text.get_text() for text in figure.gca().get_legend().get_texts()]
    assert sorted(labels) == ["a", "b"]


def test_masks_are_drawn_over_the_whole_signal(figure):
    sources = {"a": tone(), "b": tone(frequency=900.0)}
    nussl.core.utils.visualize_sources_as_masks(sources)
    axes = figure.gca()
    assert len(axes.images) == 2 and axes.get_ylim()[1] == pytest.approx(RATE / 2, rel=0.05)


def test_a_mel_spectrogram_spans_the_signals_duration(plain, figure):
    needed("TypeError" in plain["visualize_mel"], "stack.librosa_display")
    signal = tone()
    nussl.core.utils.visualize_spectrogram(signal, y_axis="mel")
    assert figure.gca().get_xlim()[1] == pytest.approx(signal.signal_duration, rel=0.05)
    figure.clear()
    nussl.core.utils.visualize_spectrogram(signal)
    assert figure.gca().get_xlim()[1] == pytest.approx(signal.signal_duration, rel=0.05)


def test_overlap_add_takes_its_window_hanning(plain):
    needed("ValueError" in plain["hanning"], "stack.scipy_hanning")
    expected = scipy.signal.get_window("hann", 8)
    assert np.array_equal(nussl.AudioSignal.get_window("hanning", 8), expected)
    assert np.array_equal(nussl.AudioSignal.get_window("sqrt_hann", 8), np.sqrt(expected))


def test_duet_separates_without_np_mat(plain):
    needed("AttributeError" in plain["duet_mat"], "stack.numpy_mat")
    assert not hasattr(np, "mat")
    left, right = tone(frequency=440.0).audio_data[0], tone(frequency=1500.0).audio_data[0]
    panned = np.stack([left + 0.3 * right, 0.3 * left + right])
    duet = nussl.separation.spatial.Duet(
        nussl.AudioSignal(audio_data_array=panned, sample_rate=RATE), 2
    )
    assert len(duet()) == 2


def test_scores_of_float32_audio_can_be_written_as_json(plain):
    needed("float32 is not JSON" in plain["float32_scores"], "stack.numpy_float32_scores")
    sources = [tone(frequency=f, dtype=np.float32) for f in (440.0, 700.0)]
    mix = [sources[0] + sources[1]] * 2
    scores = json.loads(
        json.dumps(nussl.evaluation.BSSEvalScale(sources, mix, ["a", "b"]).evaluate())
    )
    assert scores["a"]["SI-SDR"][0] == pytest.approx(0.0, abs=1e-4)  # orthogonal, of equal power


def test_nussls_cache_keeps_items_and_deletes_nothing_else(plain, tmp_path):
    needed(
        "AttributeError" in plain["cache"] and not hasattr(zarr, "ThreadSynchronizer"),
        "stack.zarr_cache",
    )
    (tmp_path / "precious").touch()
    cache = transforms.Cache(str(tmp_path), cache_size=2, overwrite=True)
    item = {"index": 1, "mix": tone(), "numbers": np.arange(3)}
    assert cache(item)["index"] == 1
    reading = transforms.Cache(str(tmp_path), overwrite=False)
    kept = reading({"index": 1})
    assert kept["mix"] == item["mix"] and np.array_equal(kept["numbers"], item["numbers"])
    with pytest.raises(transforms.TransformException, match="haven't written to index 0"):
        reading({"index": 0})
    with pytest.raises(transforms.TransformException, match="Expected 'index'"):
        reading({})
    transforms.Cache(str(tmp_path), overwrite=True)  # as a dataset that is made does
    assert transforms.Cache(str(tmp_path))({"index": 1})["index"] == 1
    transforms.Cache(str(tmp_path), overwrite=True)({"index": 0})  # begins anew
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000000.item", "precious"]


def test_a_checkpoint_loads_and_separates(plain, checkpoints):
    needed("UnpicklingError" in plain["load_checkpoint"], "stack.torch_safe_loading")
    separator = nussl.separation.deep.DeepMaskEstimation(tone(), checkpoints / "repaired.pth")
    estimates = separator()
    assert len(estimates) == 2 and estimates[0].audio_data.shape == (1, RATE // 2)
    assert separator.metadata["trainer.state.epoch_history"]["validation/loss"] == [1.0]


def test_weights_saved_here_give_the_same_masks_in_plain_nussl(plain, checkpoints):
    with torch.no_grad():
        ours = mask_inference()({"mix_magnitude": torch.load(checkpoints / "mix.pt")})["mask"]
    assert torch.allclose(torch.tensor(plain["state_dict_of_the_repaired"]), ours, atol=1e-6)


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_pickle_bomb_in_a_checkpoint_is_refused_and_does_not_go_off(checkpoints, tmp_path):
    saved = torch.load(checkpoints / "repaired.pth")
    saved["metadata"]["notes"] = Bomb(tmp_path / "exploded")
    torch.save(saved, tmp_path / "bomb.pth")
    with pytest.raises(pickle.UnpicklingError, match="mkdir"):
        nussl.ml.SeparationModel.load(tmp_path / "bomb.pth")
    assert not (tmp_path / "exploded").exists()
    pickle.loads(pickle.dumps(Bomb(tmp_path / "exploded")))
    assert (tmp_path / "exploded").exists(), "the bomb is a dud, so that this test proves nothing"


def test_a_checkpoint_that_holds_a_cache_is_refused(checkpoints, tmp_path):
    saved = torch.load(checkpoints / "repaired.pth")
    cache = object.__new__(transforms.Cache)
    saved["metadata"]["train_dataset"]["transforms"] = transforms.Compose([cache])
    torch.save(saved, tmp_path / "cache.pth")
    with pytest.raises(pickle.UnpicklingError, match="Cache"):
        nussl.ml.SeparationModel.load(tmp_path / "cache.pth")


def test_every_transform_but_the_cache_may_be_loaded():
    allowed = {value.__name__ for value in stack.safe_globals() if inspect.isclass(value)}
    assert {"STFTParams", "Compose", "PhaseSensitiveSpectrumApproximation", "GetExcerpt"} <= allowed
    assert "Cache" not in allowed


def test_checkpointed_layers_say_use_reentrant_and_give_the_same_gradients(plain):
    needed(
        any("use_reentrant" in text for text in plain["use_reentrant"]), "stack.torch_checkpointing"
    )
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        layers = modules.ConvolutionalStack2D(
            1, [2, 1], [1, 1], [3, 3], [False] * 2, use_checkpointing=checkpointing
        )
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            layers(torch.ones(1, 4, 4, 1)).sum().backward()
        gradients.append([p.grad for p in layers.parameters()])
    assert all(torch.allclose(a, b) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize(("name", "starts"), [("KMeans", 10), ("MiniBatchKMeans", 3)])
def test_k_means_keeps_the_best_of_as_many_starts_as_it_used_to(plain, name, starts):
    needed(plain["clusterers"][name] == "auto", "stack.sklearn_clusterers")
    points = np.random.RandomState(0).rand(60, 2)
    ours = getattr(nussl.ml.cluster, name)(6, random_state=1).fit(points)
    theirs = getattr(sklearn.cluster, name)(6, random_state=1, n_init=starts).fit(points)
    assert ours.inertia_ == theirs.inertia_
    given = getattr(nussl.ml.cluster, name)(6, n_init=2).fit(points)
    assert given.n_init == 2
    assert getattr(nussl.ml.cluster, name)(2, init=points[:2]).fit(points).n_init == "auto"


def test_gaussian_mixture_computes_in_float64_and_its_posteriors_sum_to_1(plain):
    needed(plain["clusterers"]["GaussianMixture"] == "float32", "stack.sklearn_clusterers")
    draw = np.random.RandomState(0)
    points = np.concatenate([draw.normal(c, 1e-4, (50, 20)) for c in (-0.2, 0.2)]).astype(
        np.float32
    )
    mixture = nussl.ml.cluster.GaussianMixture(2, random_state=0).fit(points)
    posteriors = mixture.predict_proba(points)
    assert mixture.means_.dtype == posteriors.dtype == np.float64
    assert np.abs(posteriors.sum(-1) - 1).max() < 1e-12
    assert isinstance(mixture, sklearn.mixture.GaussianMixture)
    assert sorted(np.bincount(mixture.predict(points))) == [50, 50]
    assert nussl.ml.confidence.GaussianMixture is nussl.ml.cluster.GaussianMixture


def test_the_report_card_leaves_text_columns_out(plain):
    needed("TypeError" in plain["report_card"], "stack.pandas_text_columns")
    scores = pd.DataFrame({"source": ["a", "b"], "file": ["x", "y"], "SDR": [1.0, 3.0]})
    card = nussl.evaluation.report_card(scores)
    assert "2.00 +/-  1.41" in card and "OVERALL" in card


def test_a_model_keeps_the_source_of_its_classes_without_parsing_files(monkeypatch):
    registered = [kind for _, kind in inspect.getmembers(modules, inspect.isclass)]
    # not those of a notebook that another test has run in this process, which have no file
    classes = [kind for kind in registered if kind.__module__.split(".")[0] != "notebook"]
    expected = {kind: inspect.getsource(kind) for kind in classes}
    monkeypatch.delattr("ast.parse")
    getsource = nussl.ml.networks.separation_model.inspect.getsource
    assert {kind: getsource(kind) for kind in classes} == expected
    with pytest.raises(TypeError, match="built-in"):
        getsource(int)
