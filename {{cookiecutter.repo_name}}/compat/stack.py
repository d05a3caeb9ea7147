"""Adapts nussl 1.1.9 to changes of other libraries since April 2021."""

import functools
import inspect
import linecache
import os
import re
import sys
from typing import Any
from unittest import mock

import librosa
import numpy as np
import nussl
import sklearn.cluster
import sklearn.mixture
import torch

from compat.imports import Deferred
from compat.items import Items
from compat.overlay import Overlay


def repair() -> None:
    """Apply all repairs of this file. Call it once, directly after importing nussl."""
    librosa_keywords()
    librosa_display()
    scipy_hanning()
    numpy_mat()
    numpy_float32_scores()
    zarr_cache()
    torch_safe_loading()
    torch_checkpointing()
    sklearn_clusterers()
    pandas_text_columns()
    class_sources()


def librosa_keywords() -> None:
    """librosa 0.10 accepts arguments by keyword only; nussl passes them by position.

    ``resample`` (audio_signal.py:1491) uses soxr_hq by default; it was kaiser_best. ``rms`` (:1434)
    pads with zeros by default; it padded by reflection, which is requested here. ``filters.mel``
    (blocks.py:270) gives the same numbers.
    """

    filters = Deferred("librosa.filters")  # imported, with numba, when a filter is made

    def resample(y: np.ndarray, orig_sr: int, target_sr: int, **kwargs: Any) -> np.ndarray:
        return librosa.resample(y, orig_sr=orig_sr, target_sr=target_sr, **kwargs)

    def rms(y: np.ndarray, pad_mode: str = "reflect", **kwargs: Any) -> np.ndarray:
        return librosa.feature.rms(y=y, pad_mode=pad_mode, **kwargs)

    def mel(sr: int, n_fft: int, n_mels: int) -> np.ndarray:
        return filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels)

    nussl.core.audio_signal.librosa = Overlay(
        librosa, resample=resample, feature=Overlay(librosa.feature, rms=rms)
    )
    nussl.ml.networks.modules.blocks.librosa = Overlay(librosa, filters=Overlay(filters, mel=mel))


def librosa_display() -> None:
    """librosa 0.10 removed ``waveplot`` and changed functions that core/utils.py:418,449,598 calls.

    Spectrograms on the mel scale had librosa's default frames of 2048 samples, but a time axis with
    the frames of the signal; now both have the frames of the signal. librosa.display, and with it
    pyplot, is imported when something is drawn.
    """
    utils = nussl.core.utils

    @functools.wraps(utils.visualize_waveform)
    def visualize_waveform(audio_signal, ch=0, do_mono=False, x_axis="time", **kwargs):
        import librosa.display
        import matplotlib.pyplot as plt

        if do_mono:
            audio_signal = audio_signal.to_mono(overwrite=False)
        data = np.asfortranarray(audio_signal.audio_data[ch])
        librosa.display.waveshow(data, sr=audio_signal.sample_rate, axis=x_axis, **kwargs)
        plt.ylabel("Amplitude")

    masks = utils.visualize_sources_as_masks

    @functools.wraps(masks)
    def visualize_sources_as_masks(*args, **kwargs):
        import librosa.display

        scale = getattr(librosa.display, "__scale_axes")
        takes_more = functools.partial(scale, tempo_min=16, tempo_max=480)  # librosa's defaults
        with mock.patch.object(librosa.display, "__scale_axes", takes_more):
            masks(*args, **kwargs)

    spectrogram = utils.visualize_spectrogram

    @functools.wraps(spectrogram)
    def visualize_spectrogram(
        audio_signal, ch=0, do_mono=False, x_axis="time", y_axis="linear", **kwargs
    ):
        params = audio_signal.stft_params
        mel = librosa.feature.melspectrogram

        def of_signal(y, sr):
            size, hop = params.window_length, params.hop_length
            return mel(y=y, sr=sr, n_fft=size, hop_length=hop)

        with mock.patch.object(librosa.feature, "melspectrogram", of_signal):
            spectrogram(audio_signal, ch, do_mono, x_axis, y_axis, **kwargs)

    utils.visualize_waveform = visualize_waveform
    utils.visualize_sources_as_masks = visualize_sources_as_masks
    utils.visualize_spectrogram = visualize_spectrogram


def scipy_hanning() -> None:
    """scipy 1.9 removed the name 'hanning' of the window 'hann'. OverlapAdd uses it
    (overlap_add.py:7,83).
    """
    get_window = nussl.AudioSignal.get_window

    @functools.wraps(get_window)
    def get_window_by_either_name(window_type: str, window_length: int) -> np.ndarray:
        return get_window("hann" if window_type == "hanning" else window_type, window_length)

    nussl.AudioSignal.get_window = staticmethod(get_window_by_either_name)


def numpy_mat() -> None:
    """numpy 2.0 removed ``np.mat`` (separation/spatial/duet.py:227,364), now ``np.asmatrix``."""
    nussl.separation.spatial.duet.np = Overlay(np, mat=np.asmatrix)


def numpy_float32_scores() -> None:
    """In numpy 2.0 ``10 * np.float32(x)`` is a float32 (NEP 50), which json cannot write.

    The scores of evaluation/bss_eval.py:166-182 on float32 audio were float64 before. Here the
    audio is converted to float64 first; the scores differ by the rounding of float32.
    """
    base = nussl.evaluation.BSSEvaluationBase
    preprocess = base.preprocess

    @functools.wraps(preprocess)
    def preprocess_in_float64(self) -> tuple[np.ndarray, ...]:
        return tuple(audio.astype(np.float64) for audio in preprocess(self))

    base.preprocess = preprocess_in_float64


def zarr_cache() -> None:
    """zarr 3.0 has no ``ThreadSynchronizer`` and cannot store objects (datasets/transforms.py:646).

    Here the Cache stores each item in its own file. Old items are removed when the first new one is
    written; nussl removed them, and all other files in the folder, when a dataset was created
    (base_dataset.py:172).
    """
    cache = nussl.datasets.transforms.Cache

    def open_cache(self, location: str) -> None:
        if self.overwrite or os.path.exists(location):
            self.cache = Items(location, writes=self.overwrite)

    cache._clear_cache = lambda self, location: None
    cache._open_cache = open_cache


def safe_globals() -> list[Any]:
    """The classes and functions that ``torch.load(weights_only=True)`` needs for nussl checkpoints,
    in addition to tensors and plain containers.

    Cache is not one of them: unpickling may call a constructor, and Cache's opens a folder of
    pickles.
    """
    transforms = nussl.datasets.transforms
    classes = [
        value
        for value in vars(transforms).values()
        if inspect.isclass(value)
        and value.__module__ == transforms.__name__
        and not issubclass(value, (Exception, transforms.Cache))
    ]
    # The losses in the epoch history are numpy scalars, whose constructor was elsewhere in numpy 1.
    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]
    dtypes = {
        type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64, np.int32, np.bool_)
    }
    return [
        nussl.STFTParams,
        *classes,
        scalar,
        (scalar, "numpy.core.multiarray.scalar"),
        np.dtype,
        *dtypes,
    ]


def torch_safe_loading() -> None:
    """torch 2.6 loads with ``weights_only=True``, which rejects the STFTParams and transforms in
    nussl checkpoints (core/migration.py:81).

    These classes are allowed for the whole process. All others are still rejected, so that a
    checkpoint cannot run code. To allow a transform of your own:
    ``torch.serialization.add_safe_globals([YourTransform])``.
    """
    torch.serialization.add_safe_globals(safe_globals())


def torch_checkpointing() -> None:
    """torch 2.x warns that ``use_reentrant`` (blocks.py:664) must be given, and later will raise.

    The former default, True, also loses gradients if the input requires none, as a spectrogram.
    """
    blocks = nussl.ml.networks.modules.blocks
    blocks.checkpoint = functools.partial(blocks.checkpoint, use_reentrant=False)


class KMeans(sklearn.cluster.KMeans):
    """scikit-learn 1.4 runs k-means++ once; before, it kept the best of ten runs, which gives
    better clusters. Here: ten.
    """

    def fit(self, X, y=None, sample_weight=None):
        if self.n_init == "auto" and isinstance(self.init, str):
            self.n_init = 10
        return super().fit(X, y, sample_weight)


class MiniBatchKMeans(sklearn.cluster.MiniBatchKMeans):
    """scikit-learn 1.4 runs k-means++ once; before, it kept the best of three. Here: three."""

    def fit(self, X, y=None, sample_weight=None):
        if self.n_init == "auto" and isinstance(self.init, str):
            self.n_init = 3
        return super().fit(X, y, sample_weight)


class GaussianMixture(sklearn.mixture.GaussianMixture):
    """scikit-learn 1.7 computes in the data type of its input; before, it converted it to float64.

    In float32, the type of embeddings, the posteriors of tight clusters do not sum to 1. Here:
    float64.
    """

    def fit_predict(self, X, y=None):  # fit calls it
        return super().fit_predict(np.asarray(X, dtype=np.float64), y)

    def predict(self, X):
        return super().predict(np.asarray(X, dtype=np.float64))

    def predict_proba(self, X):
        return super().predict_proba(np.asarray(X, dtype=np.float64))

    def score_samples(self, X):  # score calls it
        return super().score_samples(np.asarray(X, dtype=np.float64))


def sklearn_clusterers() -> None:
    """Replaces the clusterers of ClusteringSeparationBase (ml/cluster.py) and ml/confidence.py by
    the classes above."""
    nussl.ml.cluster.KMeans = nussl.ml.confidence.KMeans = KMeans
    nussl.ml.cluster.MiniBatchKMeans = MiniBatchKMeans
    nussl.ml.cluster.GaussianMixture = nussl.ml.confidence.GaussianMixture = GaussianMixture


def pandas_text_columns() -> None:
    """pandas 2.0 raises an error for the mean of text columns; before, it ignored such columns
    (report_card.py:83,87,107).
    """
    # as an attribute, nussl.evaluation.report_card is the function
    report_card: Any = sys.modules["nussl.evaluation.report_card"]

    def of_numbers(statistic: Any) -> Any:
        @functools.wraps(statistic)
        def computed(scores: Any, decs: int = 2) -> tuple[list, list]:
            return statistic(scores.drop(columns=["source", "file"], errors="ignore"), decs=decs)

        return computed

    report_card._get_mean_and_std = of_numbers(report_card._get_mean_and_std)
    report_card._get_medians = of_numbers(report_card._get_medians)


def class_sources() -> None:
    """Python 3.9 to 3.12 parse a whole file to find the source of a class. That takes a quarter of
    a second of CPU time for a model, which stores the source of the class of each of its modules
    (separation_model.py:96).

    Here: the block that begins with the class statement, which is the same text.
    """

    def getsource(kind: type) -> str:
        lines = linecache.getlines(inspect.getsourcefile(kind) or "")
        statement = re.compile(rf"class {kind.__name__}\b")
        found = [number for number, line in enumerate(lines) if statement.match(line)]
        if len(found) != 1 or lines[found[0] - 1].startswith("@"):
            return inspect.getsource(kind)
        return "".join(inspect.getblock(lines[found[0] :]))

    nussl.ml.networks.separation_model.inspect = Overlay(inspect, getsource=getsource)
