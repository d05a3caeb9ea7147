"""Mask inference for any audio: the masks that a network estimates."""

from typing import Literal

import numpy as np
import torch

from compat import nussl

from .chunks import align_permutations, order_like
from .masks import apply_masks, consistent, one_hot
from .network import NetworkSeparation


class DeepMaskEstimation(NetworkSeparation, nussl.separation.deep.DeepMaskEstimation):
    """Multiply the mixture's spectrogram by the masks of a network: mask inference and chimera.

    nussl's class of that name for audio of any rate, length and number of channels, and for complex
    masks. Sources come in the order that the model was trained on, the same in every chunk, and
    with the input's length, rate and channels. With masks that add up to 1 (softmax) they add up to
    the input; with others, `mixture_consistency` makes them.

    Args:
        input_audio_signal: the mixture.
        model_path: a model whose output has a "mask".
        device: where the network runs; a torch.device.
        mask_type: "soft", or "binary" for 0 and 1 (not for complex masks).
        mixture_consistency: make the sources add up to the mixture (`masks.consistent`).
        chunk, shifts, tuning: as of `DeepClustering`.

    Raises:
        UserError: as `DeepClustering`; binary masks of a model with complex ones.
    """

    output_key = "mask"

    def __init__(
        self,
        input_audio_signal,
        model_path: str,
        device=None,
        mask_type: Literal["soft", "binary"] = "soft",
        mixture_consistency: bool = True,
        chunk: float | None = None,
        shifts: int = 1,
        tuning: float | None = None,
    ):
        how = {"shifts": shifts, "tuning": tuning}
        signal = self.set_up(input_audio_signal, model_path, device, chunk, **how)
        super().__init__(signal, mask_type=mask_type)
        self.metadata.update(self.model_metadata)
        self.mixture_consistency = mixture_consistency

    def forward(self):
        """The masks: (bins, frames, channels, sources), complex if the model's are."""
        self.model_output = self.run_model(self.audio_signal)
        return self._as_masks(self.model_output["mask"][0])

    @staticmethod
    def _as_masks(output):
        """(frames, bins, channels, [2,] sources) -> (bins, frames, channels, sources)"""
        masks = output.transpose(0, 1).cpu().numpy()
        return masks[..., 0, :] + 1j * masks[..., 1, :] if masks.ndim == 5 else masks

    def in_one_order(self, outputs):
        """The outputs at each shift, with the sources of all in the order of the first."""
        if self.source_labels is not None:
            return outputs
        reference = [self._sources_first(masks) for masks in outputs[0]["mask"]]
        aligned = [outputs[0]]
        for output in outputs[1:]:
            items = []
            for first, masks in zip(reference, output["mask"], strict=True):
                order = order_like(first, self._sources_first(masks))
                items.append(masks[..., order])
            aligned.append({"mask": torch.stack(items)})
        return aligned

    def chunk_masks(self):
        """The masks of each chunk, sources in one order: (sources, bins, frames, channels)."""
        self.input.loudest(1)  # raises an error for a silent recording
        chunks = self.input.chunks
        for masks in align_permutations(self._time_last(), chunks.starts, chunks.length):
            yield np.moveaxis(masks, -1, 2)

    def _time_last(self):
        for _, _, outputs in self.batches():
            yield from map(self._sources_first, outputs["mask"])

    def _sources_first(self, output):
        """(sources, bins, channels, frames)"""
        return self._as_masks(output).transpose(3, 0, 2, 1)

    def postprocess(self, masks):
        """The masks that are applied to the audio: made binary, and made to add up to 1, as the
        arguments of the class say. (sources, ...)"""
        if self.mask_type == self.MASKS["binary"]:
            masks = one_hot(masks)
        elif not np.iscomplexobj(masks):
            masks = masks.astype(np.float32)
        return consistent(masks, 1) if self.mixture_consistency else masks

    def run(self, masks=None):
        """The masks as nussl's objects, which hold magnitudes; `self.masks` may be complex."""
        chunks = self.input.chunks
        if masks is None and chunks.count > 1:
            whole = np.concatenate(list(chunks.crossfade(self.chunk_masks(), axis=2)), axis=2)
            masks = np.moveaxis(whole, 0, -1)
        self.masks = self.forward() if masks is None else masks
        if np.iscomplexobj(self.masks):
            return super().run(np.clip(np.abs(self.masks), 0.0, 1.0))
        return super().run(self.masks)

    def make_audio_signals(self):
        """The sources as AudioSignals of the input's length, rate and channels."""
        return apply_masks(
            self.input.signal,
            self.postprocess(np.moveaxis(self.masks, -1, 0)),
            self.metadata["sample_rate"],
            self.metadata["stft_params"],
        )
