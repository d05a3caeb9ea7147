"""Separation by a trained network: load it, run it on chunks, apply its masks."""

import numpy as np
import torch

import audio
import checkpoints
from errors import UserError, WrongArgument
from features import FrontEnd

from .masks import Masking, between, over_range
from .model_input import ModelInput, recording_of
from .traits import result_of
from .tuning import rate_in_tune

BATCH = 8  # chunks in a batch
WITH_FRAMES = ("mix_magnitude", "embedding", "mask")  # features and outputs (batch, frames, ...)


class NetworkSeparation:
    """Mixin for nussl's classes of deep separation: mixtures of any rate, channels and length.

    The mixture is an AudioSignal, which is separated by calling the object, or a recording as in
    `streams`, which is never in memory as a whole and is separated by `stream`. The network reads
    it at the rate of its training data, mixed to mono if these were mono. Its masks are
    interpolated to an STFT of the mixture, so that the sources have its length, rate and channels.

    A subclass names the output of the network that it works on (`output_key`), calls `set_up` in
    its `__init__`, and yields the masks of each chunk (`chunk_masks`).

    Attributes:
        model: of the checkpoint.
        model_metadata: of the checkpoint. With `shifts`, stft_params are those of the masks; with
            `tuning`, sample_rate is the rate at which this mixture is read.
        front_end: makes what the model reads.
        input: the mixture as the model reads it (`ModelInput`).
        device: where the network runs.
    """

    #: the output of the network that a subclass works on
    output_key: str | None = None
    streams = True
    #: are the sources those of the network, in its order?
    keeps_order = True

    # ---- the network --------------------------------------------------------------------------

    @classmethod
    def load(cls, model_path, device):
        """(model, metadata) of a checkpoint that this algorithm can use.

        Raises:
            UserError: the model lacks the output, or reads features of the sources.
        """
        model, metadata = checkpoints.load_model(model_path, device)
        if cls.output_key not in model.output_keys:
            raise UserError(f"{model_path}: {cls.refusal(model.output_keys)}")
        missing = sorted({*model.input} - {*FrontEnd.of_mixture})
        if missing:
            of_sources = {*missing} <= {*FrontEnd.of_sources}
            raise UserError(
                f"{model_path}: reads {', '.join(missing)}, which "
                + ("is made of the sources" if of_sources else "features.py does not make")
                + f"; of a mixture there is {', '.join(FrontEnd.of_mixture)}"
            )
        return model, metadata

    @classmethod
    def refusal(cls, outputs):
        """Why this algorithm cannot use a model with these outputs, for a message."""
        by_output = {kind.output_key: kind.__name__ for kind in _subclasses()}
        known = [by_output[key] for key in outputs if key in by_output]
        advice = f"the algorithm for it is {' or '.join(known)}" if known else "train another"
        return (
            f"the model gives {', '.join(outputs)}, and no {cls.output_key}, which "
            f"{cls.__name__} needs; {advice}"
        )

    @classmethod
    def outputs_of(cls, model, metadata):
        """How many sources a model gives, found by running it on silence; None if the algorithm
        decides."""
        if not cls.keeps_order:
            return None
        params, device = metadata["stft_params"], next(model.parameters()).device
        front_end = _front_end(params, model.input).to(device)
        silence = torch.zeros(1, metadata["num_channels"], params.window_length, device=device)
        with torch.inference_mode():
            outputs = model({k: front_end({"mix": silence})[k] for k in model.input})
        return outputs[cls.output_key].shape[-1]

    @classmethod
    def labels_of(cls, model, metadata):
        """Labels of the sources in their order, if the model was trained with one; else None."""
        return metadata["labels"] if cls.keeps_order and metadata.get("ordered") else None

    @property
    def source_labels(self):
        return self.labels_of(self.model, self.model_metadata)

    # ---- running it ---------------------------------------------------------------------------

    def set_up(
        self, signal, model_path, device, chunk=None, also=(), shifts=1, tuning: float | None = None
    ):
        """Load the model and make the mixture ready for it.

        Args:
            chunk: seconds that the network reads at once; None: `model_input.CHUNK`.
            also: features that the algorithm needs in addition to those that the model reads.
            shifts: how many times the network reads the mixture, each time a part of a hop later;
                the masks' STFT has so many times the frames of the network's.
            tuning: frequency of A4 in Hz at which the network reads the mixture, however it is
                tuned (`rate_in_tune`); None: the mixture is read as it is.

        Returns:
            the AudioSignal for the constructor of nussl's class.

        Raises:
            UserError: as `load` and `ModelInput`.
            WrongArgument: `chunk`, `shifts` or `tuning` does not go with the model.
        """
        self.device = torch.device("cpu") if device is None else device
        self.model, self.model_metadata = self.load(model_path, self.device)
        params = self.model_metadata["stft_params"]
        self.front_end = _front_end(params, {*self.model.input, *also}).to(self.device)
        self.shifts = shifts
        if shifts != 1:
            if "mix_audio" in self.model.input:
                raise WrongArgument(
                    f"algorithm.args: shifts is {shifts}, and {model_path} reads waveforms; write 1"
                )
            self.model_metadata = self.model_metadata | {"stft_params": between(params, shifts)}
        if tuning is not None:
            recording = recording_of(signal)
            rate = rate_in_tune(recording, tuning, self.model_metadata["sample_rate"])
            length = audio.resampled_length(recording.length, recording.sample_rate, rate)
            if length >= params.window_length:  # else no whole frame is left
                self.model_metadata = self.model_metadata | {"sample_rate": rate}
        self.input = ModelInput(signal, self.model_metadata, self.front_end, chunk)
        return self.input.as_signal()

    def run_model(self, signal):
        """The model's outputs for one AudioSignal: {name: tensor, a batch of one}."""
        if self.shifts > 1:
            return self._read_chunks([0])[1]
        samples = torch.from_numpy(np.asarray(signal.audio_data, np.float32))[None]
        return self._read(samples)[1]

    def batches(self, numbers=None):
        """The model's outputs for chunks, in batches.

        Args:
            numbers: of the chunks; None: all.

        Yields:
            (numbers of the chunks, features, outputs): {name: (batch, ...)} both. The features are
            those of a slice of the STFT of the whole recording.
        """
        numbers = list(range(self.input.chunks.count)) if numbers is None else numbers
        for first in range(0, len(numbers), BATCH):
            batch = numbers[first : first + BATCH]
            yield batch, *self._read_chunks(batch)

    def _read_chunks(self, numbers):
        """(features, outputs) of chunks; with `shifts` those of `WITH_FRAMES`, with the frames of
        all readings interleaved."""
        mix = torch.stack([self.input.chunk(number) for number in numbers])
        if self.shifts == 1:
            return self._read(mix, with_margin=True)
        hop = self.input.stft_params.hop_length
        length = mix.shape[-1] - (self.shifts - 1) * hop
        features, outputs = [], []
        for shift in range(self.shifts):
            reading = self._read(mix[..., shift * hop :][..., :length], with_margin=True)
            features.append(reading[0])
            outputs.append(reading[1])
        return self._interleaved(features), self._interleaved(self.in_one_order(outputs))

    def _interleaved(self, readings):
        """The tensors (batch, frames, ...) of all shifts as one: the first frame of each shift, the
        second of each, ..."""
        interleaved = {}
        for key in WITH_FRAMES:
            if all(key in reading for reading in readings):
                frames = torch.stack([reading[key] for reading in readings], dim=2).flatten(1, 2)
                interleaved[key] = frames[:, : self.input.chunks.length]
        return interleaved

    def in_one_order(self, outputs):
        """The outputs at each shift, [{name: tensor}], with their sources in the same order."""
        return outputs

    def _read(self, mix, **how):
        """(features, outputs) of mixtures (batch, channels, samples).

        The network reads them at the level of its training data; estimated waveforms are scaled
        back.
        """
        gain = self.input.gain
        features = self.front_end({"mix": mix.to(self.device) * gain}, **how)
        outputs = self._outputs(features)
        if gain != 1 and "audio" in outputs:
            outputs["audio"] = outputs["audio"] / gain
        return features, outputs

    def _outputs(self, features):
        with torch.inference_mode():
            return self.model({key: features[key] for key in self.model.input})

    # ---- from masks to sources ----------------------------------------------------------------

    def chunk_masks(self):
        """The masks of each chunk: (sources, bins, frames, channels)."""
        raise NotImplementedError

    def postprocess(self, masks):
        """The masks that are applied, from those of the joined chunks."""
        return masks

    def mask_blocks(self):
        """The masks of the whole, (sources, bins, frames, channels), block after block."""
        yield from map(self.postprocess, self.input.chunks.crossfade(self.chunk_masks(), axis=2))

    def stream(self):
        """Separate in bounded memory, whatever the length.

        Yields:
            float32 (sources, channels, samples) at the rate and channels of the mixture, pieces
            that follow each other and are together as long as it is.
        """
        masking = Masking(
            self.input.recording,
            self.model_metadata["sample_rate"],
            self.model_metadata["stft_params"],
        )
        yield from masking.stream(self.mask_blocks())

    def result(self, estimates):
        """The `Result` of a run, its masks over the frequencies of the mixture."""
        return self.over_mixture_range(result_of(self, estimates))

    def over_mixture_range(self, result):
        """A `Result` with its masks over the frequencies of the mixture, not of the model."""
        if result.masks is None:
            return result
        rates = self.input.audio.sample_rate, self.input.recording.sample_rate
        return result._replace(masks=over_range(result.masks, *rates))


def _subclasses(kind=NetworkSeparation):
    for sub in kind.__subclasses__():
        yield sub
        yield from _subclasses(sub)


def _front_end(params, features):
    return FrontEnd(params.window_length, params.hop_length, params.window_type, names=features)
