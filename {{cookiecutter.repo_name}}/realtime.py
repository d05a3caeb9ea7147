"""Real-time separation by causal networks, block by block as audio arrives.

The network runs on new frames only (`model/causal.py`). The sources equal those that it gives for
the whole recording.
"""

import copy

import numpy as np
import torch
from torch import nn

from algorithms import DeepAudioEstimation, DeepMaskEstimation
from algorithms.masks import consistent, one_hot
from audio import check_level
from compat import nussl
from errors import UserError
from model import EXTRAS
from model.causal import check_causal, remembering

EPSILON = 1e-10  # lower bound of the sum of squared windows


def as_float_array(name, audio):
    """An array or tensor of finite floats as a numpy array of the same shape.

    Args:
        name: what error messages call it.

    Raises:
        UserError: it holds integers, NaN or infinity, or samples beyond 1e12.
    """
    if isinstance(audio, torch.Tensor):
        audio = audio.detach().cpu()
        # numpy has no bfloat16
        audio = (audio.float() if audio.dtype == torch.bfloat16 else audio).numpy()
    try:
        audio = np.asarray(audio)
    except ValueError as error:
        raise UserError(f"{name} is not an array: its parts differ in shape ({error})") from error
    if not np.issubdtype(audio.dtype, np.floating):
        advice = "; divide 16-bit samples by 32768" if audio.dtype.kind in "iu" else ""
        raise UserError(f"{name} has dtype {audio.dtype}, expected floats{advice}")
    if not np.isfinite(audio).all():
        raise UserError(f"{name} has samples that are NaN or infinite")
    check_level(name, audio)
    return audio


class Stream:
    """Separates a recording that arrives in blocks of any size.

    Attributes:
        names: labels of the sources in order; None: the model has no labels.
        sample_rate: of the blocks, in Hz.
        latency: the largest delay between mixture and sources, in samples: one frame.

    Args:
        algorithm: `DeepAudioEstimation` or `DeepMaskEstimation` (the class).
        model: (nussl's SeparationModel, metadata).
        args: the algorithm's arguments.
        channels: number of channels of the blocks.

    Raises:
        UserError: the algorithm or the network is not causal; `channels` does not fit the network.
    """

    def __init__(self, algorithm, model, args, channels=1):
        network, metadata = model
        if algorithm not in (DeepAudioEstimation, DeepMaskEstimation):
            raise UserError(
                f"{algorithm.__name__} needs the whole recording and cannot separate a stream; "
                "DeepMaskEstimation (of a chimera's masks too) and DeepAudioEstimation can"
            )
        check_causal(network)
        self._device = next(network.parameters()).device
        network = remembering(network)
        self.sample_rate, self.names = metadata["sample_rate"], algorithm.labels_of(*model)
        kind = _TasNetFrames if algorithm is DeepAudioEstimation else _STFTFrames
        self._frames = kind(network, metadata, args)
        num_channels = metadata["num_channels"]
        if type(channels) is not int or channels < 1:
            raise UserError(f"channels is {channels!r}; expected a whole number, 1 or more")
        if channels != num_channels and not (kind is _STFTFrames and num_channels == 1):
            raise UserError(f"channels is {channels}; the network separates {num_channels}")
        self.latency = self._frames.length
        self._buffer = torch.zeros(channels, self._frames.padding)  # samples of incomplete frames
        self._tail = None  # the overlap of the last frame with the next ones
        self._skip = self._frames.padding  # samples of the padding that are still to be dropped
        self._received = self._returned = 0  # samples so far
        self._finished, self._ndim = False, 2

    def __call__(self, block):
        """Process the next samples of the mixture.

        Args:
            block: floats, (samples,) or (channels, samples), with any number of samples.

        Returns:
            {name: the next samples of the source} with as many dimensions as the block. They
            continue the samples returned before and extend to at most `latency` samples before the
            end of the block; their number may be 0.

        Raises:
            UserError: the block has another number of channels or is not an array of finite floats;
                the stream is finished.
        """
        block = as_float_array("a block", block).astype(np.float32)
        channels = len(self._buffer)
        is_mono = block.ndim == 1 and channels == 1
        if not is_mono and (block.ndim != 2 or len(block) != channels):
            raise UserError(
                f"a block has the shape {block.shape}, expected ({channels}, samples)"
                + (" or (samples,)" if channels == 1 else "")
            )
        if self._finished:
            raise UserError("the stream is finished; separator.stream() begins another")
        samples = torch.from_numpy(np.atleast_2d(block))
        self._received += samples.shape[1]
        self._ndim = block.ndim
        return self._with_names(self._push(samples))

    def finish(self):
        """The remaining samples of the recording: {name: source}, shaped like the blocks.

        Raises:
            UserError: the stream is finished already.
        """
        if self._finished:
            raise UserError("the stream is finished already")
        self._finished = True
        padding = self._frames.padding + -self._received % self._frames.hop
        sources = self._push(torch.zeros(len(self._buffer), padding))
        if self._returned < self._received:  # no frame overlaps with the tail any more
            last = self._finalize(self._tail, np.zeros(self._tail.shape[1:], np.float32))
            sources = np.concatenate([sources, last], axis=-1)
        return self._with_names(sources)

    def _push(self, samples):
        """Run the network on the frames that these samples complete, and overlap-add its outputs.

        Returns:
            the samples to which no later frame contributes, (sources, channels, samples).
        """
        frames = self._frames
        self._buffer = torch.cat([self._buffer, samples], dim=1)
        count = (self._buffer.shape[1] - frames.length) // frames.hop + 1
        if count < 1:
            return np.zeros((frames.num_sources, len(self._buffer), 0), np.float32)
        length = (count - 1) * frames.hop + frames.length
        data = self._buffer[:, :length].to(self._device)
        self._buffer = self._buffer[:, count * frames.hop :]
        with torch.inference_mode():
            waves = frames(data, count).cpu().numpy()
        if self._tail is not None:
            waves[..., : self._tail.shape[-1]] += self._tail
        complete, self._tail = np.split(waves, [count * frames.hop], axis=-1)
        mixture = data[:, : count * frames.hop].cpu().numpy()
        return self._finalize(complete, mixture)

    def _finalize(self, waves, mixture):
        """The sources from overlap-added samples, without the padding around the recording."""
        sources = self._frames.finalize(waves, mixture)
        skipped = min(self._skip, sources.shape[-1])
        self._skip -= skipped
        sources = sources[..., skipped:][..., : self._received - self._returned]
        self._returned += sources.shape[-1]
        return np.ascontiguousarray(sources, dtype=np.float32)

    def _with_names(self, sources):
        """{name: source}; the sources have as many dimensions as the last block."""
        names = self.names or [f"source{number}" for number in range(len(sources))]
        if self._ndim == 1:
            sources = sources[:, 0]
        return dict(zip(names, sources, strict=True))


class _TasNetFrames:
    """Separates frames by a TasNet: encoder, network and decoder.

    Attributes:
        length, hop: of the frames, in samples.
        padding: number of zeros before the first sample.
        num_sources: number of outputs.
    """

    def __init__(self, network, metadata, args):
        layers = network.layers
        (encoder,) = [one for one in layers.values() if isinstance(one, EXTRAS["Encoder"])]
        self.network, self.length, self.hop = network, encoder.filter_length, encoder.stride
        self.padding = self.length - self.hop
        self.consistent = args.get("mixture_consistency", True)
        for name, layer in layers.items():
            if isinstance(layer, EXTRAS["Encoder"]):
                layers[name] = _UnpaddedEncoder(layer)
            if isinstance(layer, EXTRAS["Decoder"]):
                layers[name] = _UncutDecoder(layer)
        self.num_sources = layers["mask"].embedding_size

    def __call__(self, data, count):
        """The mixture of `count` frames, (channels, samples) -> (sources, channels, samples), which
        overlap with the outputs of the previous and next frames and are to be added to them."""
        return self.network({"mix_audio": data[None]})["audio"][0].permute(2, 0, 1)

    def finalize(self, waves, mixture):
        """The sources from overlap-added outputs, both (sources, channels, samples).

        mixture: the same samples of the mixture, (channels, samples).
        """
        return consistent(waves, mixture) if self.consistent else waves


class _UnpaddedEncoder(nn.Module):
    """An `Encoder` that does not pad: its input consists of whole frames."""

    def __init__(self, module):
        super().__init__()
        self.filters, self.gate = module.filters, module.gate

    def forward(self, audio):
        weights = torch.relu(self.filters(audio))
        if self.gate is not None:
            weights = weights * torch.sigmoid(self.gate(audio))
        return weights.transpose(1, 2).unsqueeze(-1)


class _UncutDecoder(nn.Module):
    """A `Decoder` that does not cut its output to the length of the mixture."""

    def __init__(self, module):
        super().__init__()
        self.filters = module.filters

    def forward(self, data, audio):
        data = data.squeeze(3).permute(0, 3, 2, 1).flatten(0, 1)
        waves = self.filters(data)
        return waves.unflatten(0, (len(audio), -1)).permute(0, 2, 3, 1)


class _STFTFrames:
    """Separates frames of the STFT by the network's masks. Attributes: as of `_TasNetFrames`."""

    def __init__(self, network, metadata, args):
        params = metadata["stft_params"]
        self.network, self.length, self.hop = network, params.window_length, params.hop_length
        if self.length % 2:
            raise UserError(
                f"window_length of the model is {self.length}; a stream needs an even number"
            )
        self.padding = self.length // 2
        shifts = args.get("shifts", 1)
        if shifts != 1:
            raise UserError(f"shifts is {shifts}; the network reads a stream once: write 1")
        if args.get("tuning") is not None:
            raise UserError("tuning is measured on a whole recording; for a stream write null")
        self.mono = metadata["num_channels"] == 1
        self.consistent = args.get("mixture_consistency", True)
        self.binary = args.get("mask_type", "soft") == "binary"
        window = nussl.AudioSignal.get_window(params.window_type, self.length)
        device = next(network.parameters()).device
        self.window = torch.as_tensor(window, dtype=torch.float32, device=device)
        self.num_sources = DeepMaskEstimation.outputs_of(copy.deepcopy(network), metadata)

    def __call__(self, data, count):
        """As `_TasNetFrames`, with one more signal after the sources: the overlap-added squared
        windows, by which `finalize` divides."""
        frames = data.unfold(1, self.length, self.hop) * self.window
        spectrum = torch.fft.rfft(frames)  # (c, t, f)
        seen = spectrum.mean(dim=0, keepdim=True) if self.mono else spectrum  # by the network
        seen = seen.permute(1, 2, 0)[None] / self.window.sum()  # (1, t, f, c)
        features = {"mix_magnitude": seen.abs(), "mix_spectrum": torch.view_as_real(seen)}
        masks = self.network({name: features[name] for name in self.network.input})["mask"][0]
        if masks.ndim == 5:
            masks = torch.view_as_complex(masks.transpose(-1, -2).contiguous())
        masks = masks.permute(3, 2, 0, 1)  # (t, f, c, s) -> (s, c, t, f)
        if self.binary:
            masks = torch.from_numpy(one_hot(masks.cpu().numpy())).to(masks.device)
        if self.consistent:
            masks = consistent(masks, 1)
        sources = torch.fft.irfft(spectrum * masks, self.length) * self.window
        power = self.window.square().expand(1, len(spectrum), count, -1)
        signals = torch.cat([sources, power])  # (s + 1, c, t, length)
        waves = nn.functional.fold(  # overlap-add
            signals.flatten(0, 1).transpose(1, 2),
            output_size=(1, data.shape[1]),
            kernel_size=(1, self.length),
            stride=(1, self.hop),
        )
        return waves[:, 0, 0].unflatten(0, (-1, len(spectrum)))

    def finalize(self, waves, mixture):
        """As `_TasNetFrames.finalize`; mixture consistency was applied to the masks."""
        return waves[:-1] / np.maximum(waves[-1:], EPSILON)
