"""Every repair of compat: that plain nussl still breaks that way, and that ours does not.

plain.py runs plain nussl once, in a process of its own, and reports what came of each experiment. A
test that fails with "no longer needed" says that nussl, or what it stands on, has caught up: take
the repair out.
"""

import importlib.util
import inspect
import itertools
import json
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import ignite.contrib.handlers
import librosa
import matplotlib
import numpy as np
import pandas as pd
import pytest
import scipy.io.wavfile
import scipy.signal
import sklearn.cluster
import sklearn.mixture
import torch
import zarr

from compat import bugs, imports, nussl, stack
from compat.overlay import Overlay

matplotlib.use("Agg")

PROJECT = Path(__file__).parents[2]
RATE = 8000
transforms = nussl.datasets.transforms
modules = nussl.ml.networks.modules


def needed(still_broken: bool, repair: str) -> None:
    assert still_broken, (
        f"the repair compat.{repair} is no longer needed: take it out, and this test"
    )


def tone(seconds=0.5, frequency=440.0, channels=1, dtype=np.float64):
    t = np.arange(int(seconds * RATE)) / RATE
    wave = np.sin(2 * np.pi * frequency * t).astype(dtype)
    return nussl.AudioSignal(audio_data_array=np.stack([wave] * channels), sample_rate=RATE)


class Tones(nussl.datasets.BaseDataset):
    def get_items(self, folder):
        return [0]

    def process_item(self, item):
        sources = {"a": tone(frequency=440.0), "b": tone(frequency=1000.0)}
        return {"mix": sources["a"] + sources["b"], "sources": sources}


def tones(transform):
    stft = nussl.STFTParams(window_length=64, hop_length=16, window_type="sqrt_hann")
    return Tones("nowhere", transform=transform, sample_rate=RATE, stft_params=stft, num_channels=1)


def mask_inference():
    torch.manual_seed(0)
    config = nussl.ml.networks.builders.build_recurrent_mask_inference(
        33, 4, 1, True, 0.0, 2, ["sigmoid"], normalization_class="BatchNorm"
    )
    return nussl.ml.SeparationModel(config).eval()


def training_pipeline():
    return transforms.Compose(
        [transforms.PhaseSensitiveSpectrumApproximation(), transforms.ToSeparationModel()]
    )


def run(arguments, **variables):
    """A python of its own, on a machine without ffmpeg, ffprobe and sox; what it printed last."""
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "NUMBA", "MKL")}
    environment = {**os.environ, **threads, "PATH": os.devnull, **variables}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Checkpoints written by the repaired nussl, of the same model."""
    folder = tmp_path_factory.mktemp("checkpoints")
    model = mask_inference()
    history = {"validation/loss": [np.mean([0.5, 1.5])]}
    metadata = {"trainer.state.epoch_history": history}
    model.save(folder / "repaired.pth", metadata, train_data=tones(training_pipeline()))
    model.save(
        folder / "single.pth", train_data=tones(transforms.PhaseSensitiveSpectrumApproximation())
    )
    model.save(folder / "bare.pth")
    torch.save(torch.rand(1, 20, 33, 1), folder / "mix.pt")
    return folder


@pytest.fixture(scope="module")
def plain(checkpoints):
    """What comes of the experiments of plain.py, in plain nussl."""
    return run([PROJECT / "tests" / "compat" / "plain.py", checkpoints])


@pytest.fixture(scope="module")
def bare_machine():
    """compat on a machine that has neither ffmpeg nor sox, nor the packages that nussl can do
    without.
    """
    return run(["-W", "error::SyntaxWarning", "-c", BARE])


BARE = """
import json, sys
import ignite
absent = ("sox", "soxbindings", "audioread", "ignite.contrib", "ignite.contrib.handlers")
sys.modules.update(dict.fromkeys(absent))  # None: the import of it fails
from compat import nussl
import scipy.signal

def said(function):
    try:
        return str(function())
    except ImportError as error:
        return str(error)

print(json.dumps({
    "version": nussl.__version__,
    "musdb": said(lambda: nussl.datasets.MUSDB18("nowhere")),
    "sox": said(lambda: nussl.core.effects.sox.Transformer()),
    "audioread": said(lambda: nussl.core.audio_signal.audioread.audio_open("x.mp3")),
    "progress": nussl.ml.train.trainer.ProgressBar.__name__,
    "still lent": [name for name in (*absent[1:], "musdb") if sys.modules.get(name)],
    "hann": hasattr(scipy.signal, "hann"),
}))
"""


# ---- importing


def test_compat_imports_nussl_where_scipy_has_moved_its_windows(plain, bare_machine):
    needed("scipy.signal" in plain["scipy"], "imports._scipy_windows")
    assert bare_machine["version"] == "1.1.9"


def test_what_is_lent_to_the_import_is_taken_back(bare_machine):
    assert bare_machine["still lent"] == [] and not bare_machine["hann"]


def test_without_ffmpeg_nussl_imports_and_musdb_says_what_to_install(plain, bare_machine):
    needed("RuntimeError" in plain["musdb"], "imports._musdb")
    assert "install ffmpeg" in bare_machine["musdb"]


def test_without_sox_and_soxbindings_nussl_imports_and_time_stretch_says_what_to_install(
    plain, bare_machine
):
    needed("ModuleNotFoundError" in plain["no_sox"], "imports._soxbindings")
    assert "pip install sox" in bare_machine["sox"]


def test_without_audioread_nussl_imports_and_an_unreadable_file_says_what_to_do(
    plain, bare_machine
):
    needed("ModuleNotFoundError" in plain["no_audioread"], "imports._audioread")
    assert "convert it" in bare_machine["audioread"]


def test_without_the_alias_ignite_contrib_the_handlers_are_found(bare_machine):
    source = inspect.getsource(nussl.ml.train.trainer)
    needed("from ignite.contrib.handlers import" in source, "imports._ignite_contrib")
    assert bare_machine["progress"] == ignite.contrib.handlers.ProgressBar.__name__


def test_a_docstring_of_nussl_is_no_syntax_warning():
    source = inspect.getsource(nussl.ml.train.closures)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            compile(source, "closures.py", "exec")
            clean = True
        except (SyntaxError, DeprecationWarning):
            clean = False
        needed(not clean, "imports._quiet")
        with imports._quiet():
            compile(source, "closures.py", "exec")


def test_nussl_imported_before_compat_is_refused():
    with pytest.raises(ImportError, match="from compat import nussl"):
        imports.import_nussl()


def test_nussl_not_installed_says_make_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "nussl")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="make install"):
        imports.import_nussl()


def test_another_version_of_nussl_is_warned_of(monkeypatch):
    monkeypatch.delitem(sys.modules, "nussl")
    fake = SimpleNamespace(
        import_module=lambda name: SimpleNamespace(__version__="2.0"), util=importlib.util
    )
    monkeypatch.setattr(imports, "importlib", fake)
    with pytest.warns(UserWarning, match=r"nussl 1\.1\.9; this is nussl 2\.0"):
        imports.import_nussl()


def test_an_overlay_changes_a_module_for_its_holder_only():
    seen = Overlay(np, mean=lambda x: "ours")
    assert seen.mean([1]) == "ours" and np.mean([1]) == 1
    assert seen.pi == np.pi and {"mean", "pi"} <= set(dir(seen))
    with pytest.raises(AttributeError, match="numpy"):
        _ = seen.no_such_name


# ---- what other libraries have changed


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


# ---- nussl's own


def brute_force(criterion, estimates, targets):
    """The mean over examples of the least loss over choices of estimates and orders of targets."""
    best = []
    for estimate, target in zip(estimates.double(), targets.double(), strict=True):
        best.append(
            min(
                criterion(estimate[..., list(order)], target).item()
                for order in itertools.permutations(range(estimate.shape[-1]), target.shape[-1])
            )
        )
    return sum(best) / len(best)


@pytest.mark.parametrize("elementwise", ["L1Loss", "MSELoss"])
def test_the_permutation_is_chosen_once_for_each_example(plain, elementwise):
    needed(plain["permutation_invariant"] == [0.0, 0.0], "bugs.permutation_per_example")
    loss = nussl.ml.train.loss
    criterion = getattr(torch.nn, elementwise)()
    targets = torch.rand(3, 4, 5, 1, 2)
    swapped = targets.clone()
    swapped[:, :1] = targets[:, :1].flip(-1)  # a quarter of the frames
    found = loss.PermutationInvariantLoss(getattr(loss, elementwise)())(swapped, targets)
    best = [
        min(criterion(order, target).item() for order in (estimate, estimate.flip(-1)))
        for estimate, target in zip(swapped, targets, strict=True)
    ]
    assert found.item() == pytest.approx(np.mean(best), rel=1e-5)
    assert found.item() > 0.01

    estimates = torch.rand(3, 4, 5, 1, 4)
    found = loss.CombinationInvariantLoss(getattr(loss, elementwise)())(estimates, targets)
    assert found.item() == pytest.approx(brute_force(criterion, estimates, targets), rel=1e-5)
    found = loss.PermutationInvariantLoss(getattr(loss, elementwise)())(estimates[..., :2], targets)
    expected = brute_force(criterion, estimates[..., :2], targets)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_permutation_of_a_loss_of_whole_sources_is_as_it_was():
    loss = nussl.ml.train.loss
    targets = torch.rand(2, 50, 2)
    estimates = targets.flip(-1) + 0.1 * torch.rand(2, 50, 2)
    found = loss.PermutationInvariantLoss(loss.SISDRLoss())(estimates, targets)
    assert found.item() == pytest.approx(
        loss.SISDRLoss()(estimates.flip(-1), targets).item(), rel=1e-5
    )


def test_unequal_numbers_of_estimates_and_sources_are_refused():
    loss = nussl.ml.train.loss
    with pytest.raises(ValueError, match="3 estimates of 2 sources.*CombinationInvariantLoss"):
        loss.PermutationInvariantLoss(loss.L1Loss())(torch.rand(1, 4, 3), torch.rand(1, 4, 2))


def test_samples_of_1_and_more_are_clipped_in_written_files(plain, tmp_path):
    needed(plain["wrapped_samples"] == [16384, -32768], "bugs.clipped_files")
    loud = np.array([[0.5, 1.0, 7.0, -1.0, -7.0]])
    signal = nussl.AudioSignal(audio_data_array=loud.copy(), sample_rate=RATE)
    signal.write_audio_to_file(str(tmp_path / "loud.wav"))
    rate, samples = scipy.io.wavfile.read(tmp_path / "loud.wav")
    assert rate == RATE and samples.tolist() == [16384, 32767, 32767, -32768, -32768]
    assert np.array_equal(signal.audio_data, loud)


def test_summing_sources_leaves_the_datasets_labels_alone(plain):
    needed(plain["growing_labels"] == ["a", "b", "both"], "bugs.sum_sources")
    labels = ["a", "b"]
    for _ in range(2):
        data = {"sources": {name: tone() for name in labels}, "metadata": {"labels": labels}}
        summed = transforms.SumSources([["a", "b"]], ["both"])(data)
        assert summed["metadata"]["labels"] == ["a", "b", "both"] and labels == ["a", "b"]
        assert np.allclose(summed["sources"]["both"].audio_data, 2 * tone().audio_data)


def test_a_source_in_two_groups_is_refused_by_name(plain):
    needed(plain["source_in_two_groups"] == "KeyError: 'a'", "bugs.sum_sources")
    with pytest.raises(transforms.TransformException, match="a appears more than once"):
        transforms.SumSources([["a", "b"], ["a"]])


def test_a_group_without_sources_is_refused_by_name(plain):
    needed("AttributeError" in plain["empty_group"], "bugs.sum_sources")
    with pytest.raises(
        transforms.TransformException, match=r"none of the group \['c'\] .* \['a'\]"
    ):
        transforms.SumSources([["c"]])({"sources": {"a": tone()}})


@pytest.mark.parametrize("data", [{"mix": 0}, {"no_sources"}], ids=["dict", "set"])
def test_an_item_without_sources_is_refused_as_by_nussl(data):
    with pytest.raises(transforms.TransformException, match="Expected sources"):
        transforms.SumSources([["a", "b"]])(data)


def test_a_silent_reference_scores_nan_and_the_others_as_without_it(plain):
    needed("LinAlgError" in plain["silent_reference"], "bugs.silent_references")
    noise = nussl.AudioSignal(
        audio_data_array=0.1 * np.random.RandomState(0).randn(1, RATE // 2), sample_rate=RATE
    )
    sources = [tone(frequency=440.0), tone() * 0.0, tone(frequency=1000.0)]
    estimates = [sources[0] + noise, noise, sources[2] + noise]
    evaluate = nussl.evaluation.BSSEvalScale
    scores = evaluate(sources, estimates, ["a", "silent", "c"]).evaluate()
    without = evaluate(sources[::2], estimates[::2], ["a", "c"]).evaluate()
    assert all(np.isnan(value) for value in itertools.chain(*scores["silent"].values()))
    for label in ("a", "c"):
        assert scores[label]["SI-SDR"][0] == pytest.approx(without[label]["SI-SDR"][0])
        assert scores[label]["SI-SIR"][0] == pytest.approx(without[label]["SI-SIR"][0])

    shuffled = [estimates[2], estimates[1], estimates[0]]
    best = evaluate(sources, shuffled, ["a", "silent", "c"], compute_permutation=True).evaluate()
    assert best["permutation"] == (2, 1, 0)
    for label in ("a", "c"):
        assert best[label]["SI-SDR"][0] == pytest.approx(scores[label]["SI-SDR"][0])


def test_the_builders_connect_the_mix_key_they_are_given(plain):
    needed("mine" not in str(plain["mix_key"]), "bugs.mix_key_in_builders")
    builders = nussl.ml.networks.builders
    dpcl = builders.build_recurrent_dpcl(5, 4, 1, False, 0.0, 3, ["tanh"], mix_key="mine")
    chimera = builders.build_recurrent_chimera(
        5, 4, 1, False, 0.0, 3, ["tanh"], 2, ["sigmoid"], mix_key="mine"
    )
    for config in (dpcl, chimera):
        assert "mix_magnitude" not in str(config)
        output = nussl.ml.SeparationModel(config)({"mine": torch.rand(1, 6, 5, 1)})
        assert output["embedding"].shape == (1, 6, 5, 1, 3)
    assert ["log_spectrogram", ["mix_magnitude"]] in builders.build_recurrent_dpcl(
        5, 4, 1, False, 0.0, 3, ["tanh"]
    )["connections"]


def test_the_forget_gates_bias_is_1_in_all_and_a_gru_has_none(plain):
    needed(max(plain["forget_gate"]["lstm"]) == 2.0, "bugs.forget_gate_bias")
    needed(max(plain["forget_gate"]["gru"]) == 2.0, "bugs.forget_gate_bias")
    lstm = modules.RecurrentStack(3, 4, 2, True, 0.0).rnn
    for name, bias in lstm.named_parameters():
        if "bias" in name:
            expected = [0.0] * 4 + [1.0 if "_ih_" in name else 0.0] * 4 + [0.0] * 8
            assert bias.tolist() == expected and bias.requires_grad
    gru = modules.RecurrentStack(3, 4, 1, True, 0.0, "gru").rnn
    assert not any(bias.any() for name, bias in gru.named_parameters() if "bias" in name)
    left = modules.RecurrentStack(3, 4, 1, False, 0.0, init_forget=False).rnn
    assert left.bias_ih_l0.any() and left.bias_hh_l0.any()  # torch's own, drawn at random


def test_residuals_can_be_trained_and_add_up(plain):
    needed("inplace operation" in plain["residual_backward"], "bugs.residuals")
    layers = modules.ConvolutionalStack2D(1, [2, 2, 2], [1] * 3, [3] * 3, [True] * 3)
    data = torch.rand(1, 4, 4, 1)
    found = layers(data)
    found.sum().backward()
    assert all(parameter.grad is not None for parameter in layers.parameters())
    first, second, third = layers.layers
    a = first(data.permute(0, 3, 1, 2))
    b = second(a) + a
    assert torch.allclose(found, (third(b) + b).permute(0, 2, 3, 1), atol=1e-6)


def dual_path():
    torch.manual_seed(0)
    arguments = dict(num_features=4, hidden_size=5, num_layers=1, bidirectional=True, dropout=0.0)
    processor = {"class": "RecurrentStack", "args": arguments}
    return modules.DualPath(
        1, 4, 2, 3, 4, hidden_size=10, intra_processor=processor, inter_processor=processor
    )


def test_a_dual_path_puts_out_every_frame(plain):
    eleven = torch.tensor(plain["trailing_frames"]["11 frames"])
    needed(
        not eleven[:, -1].any() and "RuntimeError" in plain["less_than_a_chunk"],
        "bugs.trailing_frames",
    )
    data = torch.rand(1, 11, 3, 1, generator=torch.Generator().manual_seed(1))
    model = dual_path()
    with torch.no_grad():
        found = model(data)
        assert found.shape == data.shape and found[:, -1].all()
        assert model(data[:, :3]).shape == (1, 3, 3, 1)


def test_a_dual_path_whose_frames_fill_their_chunks_is_as_it_was(plain):
    data = torch.rand(1, 11, 3, 1, generator=torch.Generator().manual_seed(1))[:, :10]
    expected = torch.tensor(plain["trailing_frames"]["10 frames"])
    model = dual_path()
    for name, parameter in model.named_parameters():  # the biases as plain nussl starts them
        if "rnn.bias" in name:
            torch.nn.init.zeros_(parameter)
            torch.nn.init.ones_(parameter.data[5:10])
    with torch.no_grad():
        assert torch.allclose(model(data), expected, atol=1e-6)


@pytest.mark.parametrize(("frames", "chunk", "hop"), [(11, 4, 2), (10, 4, 2), (3, 4, 2), (7, 3, 3)])
def test_folding_undoes_unfolding_up_to_the_number_of_chunks_over_a_frame(frames, chunk, hop):
    data = torch.rand(2, 5, 1, frames)
    columns = bugs._PaddedUnfold((1, chunk), stride=(1, hop))(data)
    fold = bugs._CroppedFold((1, frames), (1, chunk), stride=(1, hop))
    over = [
        sum(
            start <= t < start + chunk
            for start in range(0, frames, hop)
            if start == 0 or start + chunk - hop < frames
        )
        for t in range(frames)
    ]
    assert torch.allclose(fold(columns), data * torch.tensor(over))


def test_a_learned_representation_learns_through_its_product_with_the_mask(plain):
    needed(plain["mask_gradient"] is True, "bugs.mask_gradient")
    representation = torch.rand(1, 2, 3, 1, requires_grad=True)
    mask = torch.rand(1, 2, 3, 1, 2)
    estimates = modules.Mask()(mask, representation)
    estimates.sum().backward()
    assert torch.allclose(estimates, mask * representation.unsqueeze(-1))
    assert torch.allclose(representation.grad, mask.sum(-1))


def test_gated_tanh_as_a_string_is_warned_of_and_as_a_list_is_not(plain):
    needed(plain["gated_tanh"] is False, "bugs.gated_tanh_as_a_string")
    with pytest.warns(UserWarning, match=r"give the list \[gated_tanh\]"):
        modules.Embedding(1, 3, 2, "gated_tanh")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        modules.Embedding(1, 3, 2, ["gated_tanh"])
        modules.Embedding(1, 3, 2, "tanh")


def test_an_absent_device_is_an_error_when_separating(plain, checkpoints):
    needed(plain["absent_device"] == "cpu", "bugs.absent_device")
    with pytest.raises(ValueError, match="'cuda:99' was asked for and is not there"):
        nussl.separation.deep.DeepMaskEstimation(
            tone(), checkpoints / "repaired.pth", device="cuda:99"
        )
    needed(plain["absent_device_of_projet"] == "cpu", "bugs.absent_device")
    with pytest.raises(ValueError, match="cuda:99"):
        nussl.separation.spatial.Projet(tone(channels=2), 2, device="cuda:99")


def test_an_absent_device_is_an_error_when_training(plain):
    needed(plain["absent_device_of_an_engine"] is None, "bugs.absent_device")
    for create in (
        nussl.ml.train.create_train_and_validation_engines,
        nussl.ml.train.trainer.create_train_and_validation_engines,
    ):
        with pytest.raises(ValueError, match="'cuda:99' was asked for and is not there"):
            create(lambda engine, batch: {"loss": 0.0}, device="cuda:99")


def test_a_device_that_is_there_is_the_one_taken(checkpoints):
    """'meta' is a device of torch's that holds shapes only; plain nussl takes the CPU for it."""
    seen = []
    trainer, _ = nussl.ml.train.create_train_and_validation_engines(
        lambda engine, batch: seen.append(batch["mix"].device.type) or {"loss": 0.0}, device="meta"
    )
    trainer.run([{"mix": torch.zeros(1)}], max_epochs=1)
    assert seen == ["meta"]
    separator = nussl.separation.deep.DeepMaskEstimation(
        tone(), checkpoints / "repaired.pth", device="meta"
    )
    assert next(separator.model.parameters()).device.type == "meta"


def test_a_checkpoint_without_training_data_says_what_it_lacks(plain, checkpoints):
    needed("cannot separate" not in plain["without_train_data"], "bugs.checkpoints")
    lacks = "lack sample_rate, stft_params, train_dataset.transforms.*train_data=dataset"
    with pytest.raises(nussl.separation.SeparationException, match=lacks):
        nussl.separation.deep.DeepMaskEstimation(tone(), checkpoints / "bare.pth")
    model, _ = nussl.ml.SeparationModel.load(checkpoints / "bare.pth")
    assert isinstance(model, nussl.ml.SeparationModel)


def test_a_checkpoint_of_a_dataset_with_a_single_transform_loads(plain, checkpoints):
    needed("Expected type" in plain["single_transform"], "bugs.checkpoints")
    _, metadata = nussl.ml.SeparationModel.load(checkpoints / "single.pth")
    loaded = metadata["train_dataset"]["transforms"]
    assert isinstance(loaded, transforms.Compose)
    assert isinstance(loaded.transforms[0], transforms.PhaseSensitiveSpectrumApproximation)
