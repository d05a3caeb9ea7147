"""What separation by a network shares: the model listens at its own rate, in chunks if need be."""

import numpy as np
import torch

import audio
import checkpoints
import streams
from compat import nussl
from files import UserError

from .chunks import Chunks
from .masks import Masking

CHUNK = 10.0  # seconds that the network hears at once; longer audio is heard in chunks
OVERLAP = 1.0  # seconds over which a chunk is faded into the next
BATCH = 8  # chunks in a batch


class ModelRate:
    """Mixin: loads a model and brings a mixture to the rate, channels and STFT it was trained on.

    The mixture is an AudioSignal, or a recording as in `streams`, which is read where it is needed
    and never held as a whole: then `stream` is what separates it.

    After `listen`, `self.original` is the mixture as it came, `self.recording` the same to be read
    piece by piece, `self.heard` what the model hears of it, `self.model` and `self.loaded` are the
    checkpoint's, and `self.chunks` says how it is cut.
    """

    def listen(self, signal, model_path, device, output):
        """The mixture as the model hears it: an AudioSignal; of a recording, its first chunk.

        output: the key that the model must give ("embedding", "mask", "audio").

        Raises:
            UserError: the model gives no such output; the audio is silent, or shorter than one STFT
                frame of the model.
        """
        self.original, self.recording = signal, signal
        self.device = torch.device("cpu") if device is None else device
        self.model, self.loaded = checkpoints.load_model(model_path, self.device)
        if output not in self.model.output_keys:
            suited = {
                "embedding": "DeepClustering",
                "mask": "DeepMaskEstimation",
                "audio": "DeepAudioEstimation",
            }
            given = [suited[key] for key in self.model.output_keys if key in suited]
            raise UserError(
                f"{model_path}: gives {', '.join(self.model.output_keys)}, and no {output}, which "
                f"{type(self).__name__} needs; the algorithm for it is {' or '.join(given)}"
            )
        rate, channels = self.loaded["sample_rate"], self.loaded["num_channels"]
        params = self.loaded["stft_params"]
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
                f"{rate} Hz); at least {params.window_length} are needed, one frame"
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
        """The model's outputs for one AudioSignal, as tensors of a batch of one.

        What is fed to it is what `training.FrontEnd` makes, computed by nussl.
        """
        spectrum = torch.from_numpy(np.asarray(signal.stft(), np.complex64))
        spectrum = spectrum.transpose(0, 1)[None]  # (f, t, c) -> (1, t, f, c)
        sound = torch.from_numpy(np.asarray(signal.audio_data, np.float32))[None]
        return self._outputs(spectrum, sound)

    def _outputs(self, spectrum, sound):
        features = {
            "mix_magnitude": spectrum.abs(),
            "mix_spectrum": torch.view_as_real(spectrum),
            "mix_audio": sound,
        }
        wanted = {key: features[key].to(self.device) for key in self.model.input if key in features}
        with torch.inference_mode():
            return self.model(wanted)

    def batches(self, numbers=None):
        """The model's outputs for the chunks (None: all), in batches.

        Yields:
            (numbers of the chunks, magnitudes (batch, frames, bins, channels), outputs), the
            outputs tensors (batch, ...).
        """
        numbers = list(range(self.chunks.count)) if numbers is None else numbers
        for first in range(0, len(numbers), BATCH):
            batch = numbers[first : first + BATCH]
            spectrum, sound = zip(*(self._chunk(number) for number in batch), strict=True)
            spectrum = torch.stack(spectrum)
            yield batch, spectrum.abs(), self._outputs(spectrum, torch.stack(sound))

    def _chunk(self, number):
        """Spectrum (frames, bins, channels) and audio (channels, samples) of a chunk: a slice of
        the whole recording's STFT, scaled as nussl's (scipy's)."""
        params, count = self.loaded["stft_params"], self.chunks.length
        hop, size = params.hop_length, params.window_length
        window = nussl.AudioSignal.get_window(params.window_type, size)
        window = torch.as_tensor(window / window.sum(), dtype=torch.float32)
        start, half = self.chunks.starts[number] * hop, size // 2
        data = torch.from_numpy(self.heard.read(start - half, (count - 1) * hop + size))
        spectrum = torch.fft.rfft(data.unfold(1, size, hop) * window)  # (c, t, f)
        return spectrum.permute(1, 2, 0), data[:, half:][:, : (count - 1) * hop]

    def loudest(self, most):
        """At most `most` numbers of chunks, spread evenly over those that are not nearly silent.

        Raises:
            UserError: the whole recording is silent.
        """
        rate, hop = self.loaded["sample_rate"], self.loaded["stft_params"].hop_length
        scale = self.recording.sample_rate * hop / rate
        count = int(self.chunks.length * scale)
        energies = np.array(
            [
                np.square(self.recording.read(int(start * scale), count)).sum()
                for start in self.chunks.starts
            ]
        )
        if not energies.any():
            raise UserError("is silent (every sample is 0); there is nothing to separate")
        loud = np.flatnonzero(energies > 1e-4 * energies.max())  # within 40 dB
        spread = np.linspace(0, len(loud) - 1, min(most, len(loud))).round().astype(int)
        return loud[spread].tolist()

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


def one_hot(masks):
    """1 for the first of the greatest masks of a bin, else 0: (sources, ...)"""
    greatest = masks.argmax(axis=0)
    return (np.arange(len(masks)).reshape(-1, *[1] * greatest.ndim) == greatest).astype(np.float32)
