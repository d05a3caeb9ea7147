"""TasNet for any audio: the waveforms that a network puts out."""

import numpy as np

from compat import nussl

from .deep import ModelRate
from .masks import apply_masks


class DeepAudioEstimation(ModelRate, nussl.separation.deep.DeepAudioEstimation):
    """The sources as a network puts them out: TasNet, Conv-TasNet, dual-path RNN.

    As nussl's class of that name, but for audio of any rate and number of channels. Audio at the
    model's rate and channels is separated by the network alone. Of other audio the network hears a
    version at its own rate (mono, if it was trained on mono); each source's share of the magnitudes
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

    def __init__(
        self, input_audio_signal, model_path: str, device=None, mixture_consistency: bool = True
    ):
        heard = self.listen(input_audio_signal, model_path, device, "audio")
        super().__init__(heard)
        self.metadata.update(self.loaded)
        self.mixture_consistency = mixture_consistency

    def forward(self):
        """The estimates at the model's rate and channels: (channels, samples, sources)."""
        mix = self.audio_signal.audio_data
        self.model_output = self.run_model(self.audio_signal)
        sources = self.model_output["audio"][0].cpu().numpy()
        if self.mixture_consistency:
            sources = sources + ((mix - sources.sum(axis=-1)) / sources.shape[-1])[..., None]
        return sources

    @property
    def result_masks(self):
        """Each source's share of the magnitudes, as nussl's SoftMasks: what a picture shows."""
        return [nussl.core.masks.SoftMask(mask) for mask in self._shares()]

    def _shares(self):
        """(sources, bins, frames, channels), adding up to 1 where there is sound"""
        estimates = [
            self.audio_signal.make_copy_with_audio_data(audio, verbose=False)
            for audio in np.moveaxis(self.audio, -1, 0)
        ]
        magnitudes = np.stack([np.abs(estimate.stft()) for estimate in estimates])
        whole = magnitudes.sum(axis=0)
        shares = magnitudes / np.maximum(whole, np.finfo(np.float32).tiny)
        return np.where(whole > 0, shares, 1 / len(shares)).astype(np.float32)

    def make_audio_signals(self):
        """The sources as AudioSignals of the input's length, rate and channels."""
        heard, original = self.audio_signal, self.original
        if (heard.sample_rate, heard.num_channels) == (original.sample_rate, original.num_channels):
            return super().make_audio_signals()
        return apply_masks(original, self._shares(), heard.sample_rate, heard.stft_params)
