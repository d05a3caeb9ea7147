"""Use trained models from Python::

from separation import load

separator = load("best_model")
sources = separator(audio, sample_rate)  # {"accompaniment": array, "vocals": array}
"""

import numbers
from pathlib import Path

import numpy as np
import torch

import config
import experiment
import realtime
import runs
from algorithms import ALGORITHMS, labels_of
from audio import RATES
from compat import nussl
from compat.failures import errors_named
from errors import UserError
from files import PROJECT

MOST_CHANNELS = 8  # an array of more channels than this and than samples has to be transposed


def load(path, device="auto"):
    """The `Separator` of a training run or of an experiment.

    Args:
        path: the folder of a training run (with config.yml and checkpoints/; it may have been moved
            or copied), or a YAML file with a section `algorithm`. A relative path is searched for
            in the current folder, then in the project's folder.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".

    Raises:
        ConfigError: the YAML file is missing or invalid.
        UserError: there is no trained model, or no such device.
    """
    path = Path(path)
    if not path.exists() and (PROJECT / path).exists():
        path = PROJECT / path
    if path.is_dir():
        settings = runs.relocated(config.load(path / "config.yml", needs=("algorithm",)))
    else:
        settings = config.load(path, needs=("algorithm",))
    experiment.check(settings, training=False)
    model_path = experiment.model_path(settings)
    if model_path is not None:  # a relative path starts from the project's folder
        settings.algorithm.args["model_path"] = str(PROJECT / model_path)
    return Separator(settings, device)


class Separator:
    """Separates arrays by the algorithm of a config.

    Attributes:
        names: labels of the sources, in the order in which they are returned; None: the algorithm
            has no labels, and the sources are called source0, source1, ...

    Args:
        settings: the Config, with a section `algorithm`.
        device: as of `load`.
    """

    def __init__(self, settings, device="auto"):
        self._make = experiment.build_separator(settings, device)
        self._model = experiment.load_model_of(settings, device)
        self._args = settings.algorithm.args
        self._algorithm = ALGORITHMS[settings.algorithm.class_name]
        self.names = labels_of(self._algorithm, self._model, self._args)

    def __call__(self, audio, sample_rate):
        """Separate a mixture of any length, sample rate and number of channels.

        Args:
            audio: a numpy array or torch tensor of floats with full scale 1: (samples,),
                (channels, samples) or (batch, channels, samples). The mixtures of a batch are
                separated one by one.
            sample_rate: in Hz.

        Returns:
            {name: source}, float32 and in the shape of `audio`; tensors on the CPU if `audio` is a
            tensor. The sources add up to the mixture.

        Raises:
            UserError: the mixture is silent, too short, or not an array of finite floats;
                `sample_rate` is out of range.
        """
        mix, sample_rate = _checked(audio), _checked_rate(sample_rate)
        if mix.ndim == 3:
            separated = []
            for number, item in enumerate(mix):
                with errors_named(f"audio[{number}]"):
                    separated.append(self._separate(item, sample_rate))
            sources = {name: np.stack([s[name] for s in separated]) for name in separated[0]}
        else:
            sources = self._separate(np.atleast_2d(mix), sample_rate)
            sources = {name: sound.reshape(mix.shape) for name, sound in sources.items()}
        if isinstance(audio, torch.Tensor):
            return {name: torch.from_numpy(sound) for name, sound in sources.items()}
        return sources

    def stream(self, channels=1):
        """Separate audio that arrives in blocks of any size: returns a `realtime.Stream`::

            stream = separator.stream()
            for block in blocks:  # at stream.sample_rate
                sources = stream(block)  # complete up to at most stream.latency samples ago
            rest = stream.finish()

        The sources equal those of the network for the whole recording. Unlike `__call__`, a stream
        does not adjust the level of the mixture for the network.

        Args:
            channels: number of channels of the blocks.

        Raises:
            UserError: the algorithm or its network is not causal.
        """
        return realtime.Stream(self._algorithm, self._model, self._args, channels)

    def _separate(self, mix, sample_rate):
        """One mixture, float32 (channels, samples) -> {name: float32 (channels, samples)}."""
        signal = nussl.AudioSignal(audio_data_array=mix, sample_rate=sample_rate)
        estimates = self._make(signal)()
        names = self.names or [f"source{number}" for number in range(len(estimates))]
        return {
            name: estimate.audio_data.astype(np.float32)
            for name, estimate in zip(names, estimates, strict=True)
        }


def _checked(audio):
    """The mixture, if it is valid, as a float32 array of one to three dimensions."""
    if isinstance(audio, str | Path):
        raise UserError(
            f"audio is a {type(audio).__name__}, expected an array; soundfile.read reads a file as "
            "an array, and scripts.separate separates files"
        )
    audio = realtime.as_float_array("audio", audio)
    if not 1 <= audio.ndim <= 3 or audio.size == 0:
        raise UserError(
            f"audio has the shape {audio.shape}, expected (samples,), (channels, samples) or "
            "(batch, channels, samples)"
        )
    if audio.ndim > 1 and audio.shape[-2] > max(MOST_CHANNELS, audio.shape[-1]):
        raise UserError(
            f"audio has the shape {audio.shape}, more channels than samples; channels come first: "
            "transpose it"
        )
    return audio.astype(np.float32)


def _checked_rate(sample_rate):
    """The sample rate, if it is valid, as an int."""
    if isinstance(sample_rate, torch.Tensor | np.ndarray) and sample_rate.ndim == 0:
        sample_rate = sample_rate.item()
    least, most = RATES
    valid = isinstance(sample_rate, numbers.Real) and least <= sample_rate <= most
    if not valid or sample_rate != int(sample_rate):
        raise UserError(
            f"sample_rate is {sample_rate!r}, expected a whole number of Hz, such as 44100, from "
            f"{least:,} to {most:,}"
        )
    return int(sample_rate)
