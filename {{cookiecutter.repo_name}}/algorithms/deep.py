"""What separation by a network shares: the model listens at its own rate, in chunks if need be."""

import numpy as np
import torch

import audio
import checkpoints
import streams
from compat import nussl
from errors import UserError
from features import FrontEnd

from .chunks import Chunks
from .masks import Masking, over_range
from .traits import result_of

CHUNK = 10.0  # seconds that the network hears at once; longer audio is heard in chunks
OVERLAP = 1.0  # seconds over which a chunk is faded into the next
BATCH = 8  # chunks in a batch


class ModelRate:
    """Mixin: loads a model and brings a mixture to the rate, channels and STFT it was trained on.

    The mixture is an AudioSignal, or a recording as in `streams`, which is read where it is needed
    and never held as a whole: then `stream` is what separates it.

    After `listen`, `self.original` is the mixture as it came, `self.recording` the same to be read
    piece by piece, `self.heard` what the model hears of it, `self.model` and `self.loaded` are the
    checkpoint's, `self.front_end` makes what the model reads, and `self.chunks` says how the
    recording is cut.
    """

    #: the output of the model that a subclass works on
    model_output = None
    streams = True
    #: are the sources those of the model, in its order?
    keeps_order = True

    @classmethod
    def load(cls, model_path, device):
        """(model, metadata) of a checkpoint that suits this algorithm.

        Raises:
            UserError: it gives another output, or reads what separation does not have.
        """
        model, loaded = checkpoints.load_model(model_path, device)
        if cls.model_output not in model.output_keys:
            suited = {kind.model_output: kind.__name__ for kind in ModelRate.__subclasses__()}
            given = [suited[key] for key in model.output_keys if key in suited]
            advice = f"the algorithm for it is {' or '.join(given)}" if given else "train another"
            raise UserError(
                f"{model_path}: gives {', '.join(model.output_keys)}, and no {cls.model_output}, "
                f"which {cls.__name__} needs; {advice}"
            )
        missing = sorted({*model.input} - {*FrontEnd.of_mixture})
        if missing:
            of_sources = {*missing} <= {*FrontEnd.of_sources}
            raise UserError(
                f"{model_path}: reads {', '.join(missing)}, which "
                + ("is made of the sources" if of_sources else "features.py does not make")
                + f"; of a mixture there is {', '.join(FrontEnd.of_mixture)}"
            )
        return model, loaded

    @classmethod
    def outputs_of(cls, model, loaded):
        """How many sources a model gives; None where the algorithm decides."""
        if not cls.keeps_order:
            return None
        params, device = loaded["stft_params"], next(model.parameters()).device
        front_end = _front_end(params, model.input).to(device)
        silence = torch.zeros(1, loaded["num_channels"], params.window_length, device=device)
        with torch.inference_mode():
            outputs = model({k: front_end({"mix": silence})[k] for k in model.input})
        return outputs[cls.model_output].shape[-1]

    @classmethod
    def labels_of(cls, model, loaded):
        """Labels of the sources in their order, if the model was trained with one; else None."""
        return loaded["labels"] if cls.keeps_order and loaded.get("ordered") else None

    @property
    def source_labels(self):
        return self.labels_of(self.model, self.loaded)

    def listen(self, signal, model_path, device, also=()):
        """The mixture as the model hears it: an AudioSignal; of a recording, its first chunk.

        also: features that the algorithm needs beside those that the model reads.

        Raises:
            UserError: the model does not fit this algorithm; the audio is silent, or shorter than
                one STFT frame of the model.
        """
        self.original, self.recording = signal, signal
        self.device = torch.device("cpu") if device is None else device
        self.model, self.loaded = self.load(model_path, self.device)
        rate, channels = self.loaded["sample_rate"], self.loaded["num_channels"]
        params = self.loaded["stft_params"]
        self.front_end = _front_end(params, {*self.model.input, *also}).to(self.device)
        whole = isinstance(signal, nussl.AudioSignal)
        if whole:
            self.recording = streams.Memory(signal.audio_data, signal.sample_rate)
            data = audio.convert(signal.audio_data, signal.sample_rate, rate, channels)
            self.heard = streams.Memory(data, rate)
        else:
            self.heard = streams.Resampled(signal, rate, channels)
        if self.heard.length < params.window_length:
            raise UserError(
                f"has {self.recording.length} samples ({self.heard.length} at the model's "
                f"{rate} Hz), at least {params.window_length} are needed, one frame of the model's "
                "STFT; leave it out"
            )
        if whole and not np.any(signal.audio_data):
            raise UserError("is silent (every sample is 0); there is nothing to separate")
        hop = params.hop_length
        self.chunks = Chunks(
            -(-self.heard.length // hop) + 1, int(CHUNK * rate / hop), int(OVERLAP * rate / hop)
        )
        if not whole:  # nussl's classes want a signal: the first chunk, which `stream` does not use
            data = self.heard.read(0, min(self.heard.length, self.chunks.length * hop))
        return nussl.AudioSignal(audio_data_array=data, sample_rate=rate, stft_params=params)

    def run_model(self, signal):
        """The model's outputs for one AudioSignal, as tensors of a batch of one."""
        sound = torch.from_numpy(np.asarray(signal.audio_data, np.float32))[None]
        return self._outputs(self.front_end({"mix": sound.to(self.device)}))

    def _outputs(self, features):
        with torch.inference_mode():
            return self.model({key: features[key] for key in self.model.input})

    def batches(self, numbers=None):
        """The model's outputs for the chunks (None: all), in batches.

        Yields:
            (numbers of the chunks, features, outputs): {name: (batch, ...)} both; the features are
            those of a slice of the whole recording's STFT.
        """
        numbers = list(range(self.chunks.count)) if numbers is None else numbers
        for first in range(0, len(numbers), BATCH):
            batch = numbers[first : first + BATCH]
            mix = torch.stack([self._chunk(number) for number in batch]).to(self.device)
            features = self.front_end({"mix": mix}, with_margin=True)
            yield batch, features, self._outputs(features)

    def _chunk(self, number):
        """The audio of a chunk with the front end's margin around it: (channels, samples)."""
        margin = self.front_end.margin
        start = self.chunks.starts[number] * self.front_end.hop_length - margin
        length = self.front_end.samples(self.chunks.length) + 2 * margin
        return torch.from_numpy(self.heard.read(start, length))

    def loudest(self, most):
        """At most `most` numbers of chunks, spread evenly over those that are not nearly silent.

        Raises:
            UserError: the whole recording is silent.
        """
        energies = self.energies()
        if not energies.any():
            raise UserError("is silent (every sample is 0); there is nothing to separate")
        loud = np.flatnonzero(energies > 1e-4 * energies.max())  # within 40 dB
        spread = np.linspace(0, len(loud) - 1, min(most, len(loud))).round().astype(int)
        return loud[spread].tolist()

    def energies(self):
        """The energy of each chunk: (chunks,)."""
        rate, hop = self.loaded["sample_rate"], self.loaded["stft_params"].hop_length
        scale = self.recording.sample_rate * hop / rate
        count = int(self.chunks.length * scale)
        return np.array(
            [
                np.square(self.recording.read(int(start * scale), count)).sum()
                for start in self.chunks.starts
            ]
        )

    def result(self, estimates):
        """What `traits.separated` returns; masks over the frequencies of the mixture as it came."""
        return self.as_it_came(result_of(self, estimates))

    def as_it_came(self, result):
        if result.masks is None:
            return result
        rates = self.heard.sample_rate, self.recording.sample_rate
        return result._replace(masks=over_range(result.masks, *rates))

    def stream(self):
        """Separate in bounded memory, whatever the length.

        Yields:
            float32 (sources, channels, samples) at the rate and channels of the mixture, pieces
            that follow each other and are together as long as it is.
        """
        masks = self.mask_blocks()
        params = self.loaded["stft_params"]
        bins = params.window_length // 2 + 1
        masking = Masking(self.recording, self.loaded["sample_rate"], params, bins)
        yield from masking.stream(masks)

    def mask_blocks(self):
        """The masks of the whole, (sources, bins, frames, channels), block after block."""
        blocks = self.chunks.joined(self.chunk_masks(), axis=2)
        yield from map(self.finished, blocks)

    def chunk_masks(self):
        """The masks of each chunk: (sources, bins, frames, channels)."""
        raise NotImplementedError

    def finished(self, masks):
        """What is done to masks after they are joined."""
        return masks


def _front_end(params, wanted):
    return FrontEnd(params.window_length, params.hop_length, params.window_type, wanted=wanted)


def one_hot(masks):
    """1 for the first of the greatest masks of a bin, else 0: (sources, ...)"""
    greatest = masks.argmax(axis=0)
    return (np.arange(len(masks)).reshape(-1, *[1] * greatest.ndim) == greatest).astype(np.float32)
