"""Mask inference for any audio: the masks that a network estimates."""

from typing import Literal

import numpy as np

from compat import nussl

from .deep import ModelRate
from .masks import apply_masks


class DeepMaskEstimation(ModelRate, nussl.separation.deep.DeepMaskEstimation):
    """Multiply the mixture's spectrogram by the masks of a network: mask inference and chimera.

    As nussl's class of that name, but for audio of any rate and number of channels, as
    `DeepClustering`, and for complex masks. Sources come in the order that the model was trained
    on, and with the input's length, rate and channels. With masks that add up to 1 (softmax) they
    add up to the input; with others, `mixture_consistency` makes them.

    Args:
        input_audio_signal: the mixture.
        model_path: a model whose output has a "mask".
        device: where the network runs; a torch.device.
        mask_type: "soft", or "binary" for 0 and 1 (not for complex masks).
        mixture_consistency: what the sources lack of the mixture is given to them in equal parts
            (Wisdom et al., "Differentiable consistency constraints for improved deep speech
            enhancement", ICASSP 2019, equation (7)).

    Raises:
        UserError: as `DeepClustering`.
        ValueError: binary masks of a model with complex ones.
    """

    def __init__(
        self,
        input_audio_signal,
        model_path: str,
        device=None,
        mask_type: Literal["soft", "binary"] = "soft",
        mixture_consistency: bool = True,
    ):
        heard = self.listen(input_audio_signal, model_path, device, "mask")
        super().__init__(heard, mask_type=mask_type)
        self.metadata.update(self.loaded)
        self.mixture_consistency = mixture_consistency

    def forward(self):
        """The masks: (bins, frames, channels, sources), complex if the model's are."""
        self.model_output = self.run_model(self.audio_signal)
        masks = self.model_output["mask"][0].transpose(0, 1).cpu().numpy()
        return masks[..., 0, :] + 1j * masks[..., 1, :] if masks.ndim == 5 else masks

    def run(self, masks=None):
        """nussl's masks, whose sizes are shown; the masks themselves are kept for the audio."""
        self.masks = self.forward() if masks is None else masks
        if np.iscomplexobj(self.masks):
            if self.mask_type == self.MASKS["binary"]:
                raise ValueError("mask_type binary does not go with a model of complex masks")
            return super().run(np.clip(np.abs(self.masks), 0.0, 1.0))
        return super().run(self.masks)

    def make_audio_signals(self):
        """The sources as AudioSignals of the input's length, rate and channels."""
        masks = self.masks
        if not np.iscomplexobj(masks):
            masks = np.stack([mask.mask for mask in self.result_masks], axis=-1).astype(np.float32)
        if self.mixture_consistency:
            masks = masks + (1 - masks.sum(axis=-1, keepdims=True)) / masks.shape[-1]
        return apply_masks(
            self.original,
            np.moveaxis(masks, -1, 0),
            self.metadata["sample_rate"],
            self.metadata["stft_params"],
        )
