"""TasNet for any audio: the waveforms that a network puts out."""

import numpy as np

from compat import nussl

from .chunks import in_one_order
from .deep import ModelRate
from .masks import apply_masks
from .traits import mean_of_channels, result_of


class DeepAudioEstimation(ModelRate, nussl.separation.deep.DeepAudioEstimation):
    """The sources as a network puts them out: TasNet, Conv-TasNet, dual-path RNN.

    As nussl's class of that name, but for audio of any rate, length and number of channels. Audio
    at the model's rate and channels is separated by the network alone. Of other audio the network
    hears a version at its own rate (mono, if it was trained on mono); each source's share of the
    magnitudes
    there is a mask for the audio as it came. Sources come in the order that the model was trained
    on, with the input's length, rate and channels, and add up to it.

    Args:
        input_audio_signal: the mixture.
        model_path: a model whose output has "audio".
        device: where the network runs; a torch.device.
        mixture_consistency: what the sources lack of the mixture is given to them in equal parts
            (Wisdom et al., "Differentiable consistency constraints for improved deep speech
            enhancement", ICASSP 2019, equation (7)). The masks add up anyway.

    Raises:
        UserError: as `DeepClustering`.
    """

    model_output = "audio"

    def __init__(
        self, input_audio_signal, model_path: str, device=None, mixture_consistency: bool = True
    ):
        heard = self.listen(input_audio_signal, model_path, device)
        super().__init__(heard)
        self.metadata.update(self.loaded)
        self.mixture_consistency = mixture_consistency

    def forward(self):
        """The estimates at the model's rate and channels: (channels, samples, sources)."""
        if self.chunks.count > 1:
            return np.moveaxis(np.concatenate(list(self._waveforms()), axis=-1), 0, -1)
        self.model_output = self.run_model(self.audio_signal)
        sources = np.moveaxis(self.model_output["audio"][0].cpu().numpy(), -1, 0)
        return np.moveaxis(self._consistent(sources, self.audio_signal.audio_data), 0, -1)

    def _consistent(self, sources, mix):
        """(sources, channels, samples)"""
        if self.mixture_consistency:
            sources = sources + (mix - sources.sum(axis=0)) / len(sources)
        return sources

    def _chunk_waveforms(self):
        """The estimates of each chunk, in one order: (sources, channels, samples)."""
        self.loudest(1)  # refuses silence
        hop = self.loaded["stft_params"].hop_length
        # (c, n, s) -> (s, c, n)
        chunks = (
            np.moveaxis(audio.cpu().numpy(), -1, 0)
            for _, _, outputs in self.batches()
            for audio in outputs["audio"]
        )
        starts = [start * hop for start in self.chunks.starts]
        return in_one_order(chunks, starts, (self.chunks.length - 1) * hop)

    def _waveforms(self):
        """The estimates of the whole, piece by piece: (sources, channels, samples)."""
        hop, done = self.loaded["stft_params"].hop_length, 0
        for piece in self.chunks.joined(self._chunk_waveforms(), unit=hop):
            piece = piece[..., : self.heard.length - done]
            yield self._consistent(piece, self.heard.read(done, piece.shape[-1]))
            done += piece.shape[-1]

    def chunk_masks(self):
        """Each source's share of the magnitudes: (sources, bins, frames, channels) a chunk."""
        for number, sources in enumerate(self._chunk_waveforms()):
            start = self.chunks.starts[number] * self.loaded["stft_params"].hop_length
            mix = self.heard.read(start, sources.shape[-1])
            yield self._shares(self._consistent(sources, mix))

    def stream(self):
        """Separate in bounded memory: see `ModelRate.stream`."""
        return self._waveforms() if self._as_heard() else super().stream()

    def _as_heard(self):
        here, there = self.heard, self.recording
        return (here.sample_rate, here.num_channels) == (there.sample_rate, there.num_channels)

    def result(self, estimates):
        """The masks shown are each source's share of the magnitudes."""
        shares = self._shares(np.moveaxis(self.audio, -1, 0))
        masks = np.stack([mean_of_channels(share) for share in shares])
        return self.as_it_came(result_of(self, estimates)._replace(masks=masks))

    def _shares(self, sources):
        """(sources, channels, samples) -> (sources, bins, frames, channels), adding up to 1"""
        estimates = [
            self.audio_signal.make_copy_with_audio_data(audio, verbose=False) for audio in sources
        ]
        magnitudes = np.stack([np.abs(estimate.stft()) for estimate in estimates])
        whole = magnitudes.sum(axis=0)
        shares = magnitudes / np.maximum(whole, np.finfo(np.float32).tiny)
        return np.where(whole > 0, shares, 1 / len(shares)).astype(np.float32)

    def make_audio_signals(self):
        """The sources as AudioSignals of the input's length, rate and channels."""
        if self._as_heard():
            return super().make_audio_signals()
        shares = self._shares(np.moveaxis(self.audio, -1, 0))
        heard = self.audio_signal
        return apply_masks(self.original, shares, heard.sample_rate, heard.stft_params)
