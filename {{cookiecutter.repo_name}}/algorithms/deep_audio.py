"""Waveform estimation for any audio: TasNet, Conv-TasNet, dual-path RNN."""

import numpy as np

from compat import nussl

from .chunks import align_permutations
from .masks import apply_masks, consistent
from .network import NetworkSeparation
from .traits import mean_of_channels, result_of


class DeepAudioEstimation(NetworkSeparation, nussl.separation.deep.DeepAudioEstimation):
    """The waveforms that a network estimates: TasNet, Conv-TasNet, dual-path RNN.

    nussl's class of that name for audio of any rate, length and number of channels. Audio at the
    model's rate and channels is separated by the network alone. Other audio is converted to them
    (to mono, if the model was trained on mono), and separated by ratio masks: each estimate's
    magnitude over the sum of all. Sources come in the order that the model was trained on, with the
    input's length, rate and channels, and add up to the input.

    Args:
        input_audio_signal: the mixture.
        model_path: a model whose output has "audio".
        device: where the network runs; a torch.device.
        mixture_consistency: make the sources add up to the mixture (`masks.consistent`); masks add
            up to 1 anyway.
        chunk: as of `DeepClustering`.

    Raises:
        UserError: as `DeepClustering`.
    """

    output_key = "audio"

    def __init__(
        self,
        input_audio_signal,
        model_path: str,
        device=None,
        mixture_consistency: bool = True,
        chunk: float | None = None,
    ):
        super().__init__(self.set_up(input_audio_signal, model_path, device, chunk))
        self.metadata.update(self.model_metadata)
        self.mixture_consistency = mixture_consistency

    def forward(self):
        """The estimates at the model's rate and channels: (channels, samples, sources)."""
        if self.input.chunks.count > 1:
            return np.moveaxis(np.concatenate(list(self._waveforms()), axis=-1), 0, -1)
        self.model_output = self.run_model(self.audio_signal)
        sources = np.moveaxis(self.model_output["audio"][0].cpu().numpy(), -1, 0)
        return np.moveaxis(self._consistent(sources, self.audio_signal.audio_data), 0, -1)

    def _consistent(self, sources, mix):
        """(sources, channels, samples), which add up to `mix` if `mixture_consistency`"""
        return consistent(sources, mix) if self.mixture_consistency else sources

    def _chunk_waveforms(self):
        """The estimates of each chunk, in one order: (sources, channels, samples)."""
        self.input.loudest(1)  # raises an error for a silent recording
        hop = self.model_metadata["stft_params"].hop_length
        # (c, n, s) -> (s, c, n)
        chunks = (
            np.moveaxis(audio.cpu().numpy(), -1, 0)
            for _, _, outputs in self.batches()
            for audio in outputs["audio"]
        )
        starts = [start * hop for start in self.input.chunks.starts]
        return align_permutations(chunks, starts, (self.input.chunks.length - 1) * hop)

    def _waveforms(self):
        """The estimates of the whole, piece by piece: (sources, channels, samples)."""
        hop, done = self.model_metadata["stft_params"].hop_length, 0
        for piece in self.input.chunks.crossfade(self._chunk_waveforms(), unit=hop):
            piece = piece[..., : self.input.audio.length - done]
            yield self._consistent(piece, self.input.audio.read(done, piece.shape[-1]))
            done += piece.shape[-1]

    def chunk_masks(self):
        """Ratio masks of the estimates of each chunk: (sources, bins, frames, channels)."""
        hop = self.model_metadata["stft_params"].hop_length
        for start, sources in zip(self.input.chunks.starts, self._chunk_waveforms(), strict=True):
            mix = self.input.audio.read(start * hop, sources.shape[-1])
            yield self._ratio_masks(self._consistent(sources, mix))

    def stream(self):
        """Separate in bounded memory: see `NetworkSeparation.stream`."""
        return self._waveforms() if self.input.unchanged else super().stream()

    def result(self, estimates):
        """The `Result` of a run, with ratio masks of the estimates."""
        masks = self._ratio_masks(np.moveaxis(self.audio, -1, 0))
        masks = np.stack([mean_of_channels(mask) for mask in masks])
        return self.over_mixture_range(result_of(self, estimates)._replace(masks=masks))

    def _ratio_masks(self, sources):
        """(sources, channels, samples) -> (sources, bins, frames, channels), adding up to 1"""
        estimates = [
            self.audio_signal.make_copy_with_audio_data(audio, verbose=False) for audio in sources
        ]
        magnitudes = np.stack([np.abs(estimate.stft()) for estimate in estimates])
        whole = magnitudes.sum(axis=0)
        ratios = magnitudes / np.maximum(whole, np.finfo(np.float32).tiny)
        return np.where(whole > 0, ratios, 1 / len(ratios)).astype(np.float32)

    def make_audio_signals(self):
        """The sources as AudioSignals of the input's length, rate and channels."""
        if self.input.unchanged:
            return super().make_audio_signals()
        masks = self._ratio_masks(np.moveaxis(self.audio, -1, 0))
        rate, params = self.audio_signal.sample_rate, self.audio_signal.stft_params
        return apply_masks(self.input.signal, masks, rate, params)
