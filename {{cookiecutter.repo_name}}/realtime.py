"""Separation of audio as it arrives, block by block, by networks where no frame sees a later one.

The network runs on the new frames alone (`model/causal.py`). The sources are those of the whole
recording.
"""

import copy

import numpy as np
import torch
from torch import nn

from algorithms import DeepAudioEstimation, DeepMaskEstimation
from algorithms.masks import consistent, one_hot
from audio import refuse_loudest
from compat import nussl
from errors import UserError
from model import EXTRAS
from model.causal import check_causal, remembering

SMALLEST = 1e-10  # what the squared windows add up to is not less


def as_floats(name, audio):
    """A numpy array of an array or tensor of finite floats; `name` is what messages call it.

    Raises:
        UserError: it holds other numbers, NaN, infinity, or is too loud for float32.
    """
    if isinstance(audio, torch.Tensor):
        audio = audio.detach().cpu()
        # numpy has no bfloat16
        audio = (audio.float() if audio.dtype == torch.bfloat16 else audio).numpy()
    try:
        audio = np.asarray(audio)
    except ValueError as error:
        raise UserError(f"{name} is no array, its parts have different shapes ({error})") from error
    if not np.issubdtype(audio.dtype, np.floating):
        advice = "; divide 16-bit samples by 32768" if audio.dtype.kind in "iu" else ""
        raise UserError(f"{name} is of {audio.dtype}, expected floats{advice}")
    if not np.isfinite(audio).all():
        raise UserError(f"{name} has samples that are NaN or infinite")
    refuse_loudest(name, audio)
    return audio


class Stream:
    """Sources of a recording that comes in blocks of any size.

    Attributes:
        names: of the sources.
        sample_rate: of the blocks, in Hz.
        latency: samples by which a source is behind the mixture at most: one frame.

    Args:
        algorithm: the class that separates, `DeepAudioEstimation` or `DeepMaskEstimation`.
        model: (nussl's SeparationModel, metadata).
        args: of the algorithm.
        channels: of the blocks.

    Raises:
        UserError: the algorithm or the network needs more than what came before.
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
        kind = _Filters if algorithm is DeepAudioEstimation else _Masks
        self._frames = kind(network, metadata, args)
        of_model = metadata["num_channels"]
        if channels != of_model and not (kind is _Masks and of_model == 1):
            raise UserError(f"channels is {channels}; the network separates {of_model}")
        self.latency = self._frames.size
        self._skipped = self._frames.before  # zeros before the first sample, yet to be left out
        self._buffer = torch.zeros(channels, self._frames.before)
        self._given = self._done = 0
        self._tail = None
        self._ended, self._dimensions = False, 2

    def __call__(self, block):
        """Take the next samples of the mixture.

        Args:
            block: floats, (samples,) or (channels, samples), any number of samples.

        Returns:
            {name: what is ready of the source}, shaped like the block but for the number of
            samples, which may be 0: all sources of samples that are `latency` ago, and more.

        Raises:
            UserError: another number of channels, no finite floats, or a stream that has been
                finished.
        """
        block = as_floats("a block", block).astype(np.float32)
        channels = len(self._buffer)
        alone = block.ndim == 1 and channels == 1
        if not alone and (block.ndim != 2 or len(block) != channels):
            raise UserError(
                f"a block has the shape {block.shape}, expected ({channels}, samples)"
                + (" or (samples,)" if channels == 1 else "")
            )
        if self._ended:
            raise UserError("the stream is finished; separator.stream() begins another")
        samples = torch.from_numpy(np.atleast_2d(block))
        self._given += samples.shape[1]
        self._dimensions = block.ndim
        return self._named(self._push(samples), block.ndim)

    def finish(self):
        """What is left at the end of the recording: {name: the source}, shaped like the blocks."""
        if self._ended:
            raise UserError("the stream is finished already")
        self._ended = True
        rest = self._frames.before + -self._given % self._frames.hop
        sources = self._push(torch.zeros(len(self._buffer), rest))
        if self._done < self._given:  # the last frame has no other to wait for
            last = self._finished(self._tail, np.zeros(self._tail.shape[1:], np.float32))
            sources = np.concatenate([sources, last], axis=-1)
        return self._named(sources, self._dimensions)

    def _push(self, samples):
        """(sources, channels, samples) that are complete."""
        frames = self._frames
        self._buffer = torch.cat([self._buffer, samples], dim=1)
        count = (self._buffer.shape[1] - frames.size) // frames.hop + 1
        if count < 1:
            return np.zeros((frames.num_sources, len(self._buffer), 0), np.float32)
        length = (count - 1) * frames.hop + frames.size
        data = self._buffer[:, :length].to(self._device)
        self._buffer = self._buffer[:, count * frames.hop :]
        with torch.inference_mode():
            waves = frames(data, count).cpu().numpy()  # (parts, channels, length)
        if self._tail is not None:
            waves[..., : self._tail.shape[-1]] += self._tail
        ready, self._tail = np.split(waves, [count * frames.hop], axis=-1)
        mixture = data[:, : count * frames.hop].cpu().numpy()
        return self._finished(ready, mixture)

    def _finished(self, waves, mixture):
        """The sources of complete samples, without those before the first and after the last."""
        sources = self._frames.finished(waves, mixture)
        skipped = min(self._skipped, sources.shape[-1])
        self._skipped -= skipped
        sources = sources[..., skipped:][..., : self._given - self._done]
        self._done += sources.shape[-1]
        return np.ascontiguousarray(sources, dtype=np.float32)

    def _named(self, sources, axes):
        names = self.names or [f"source{number}" for number in range(len(sources))]
        return {
            name: source[0] if axes == 1 else source
            for name, source in zip(names, sources, strict=True)
        }


class _Filters:
    """Frames of a TasNet: its encoder, network and decoder.

    size, hop: of a frame, in samples. before: zeros before the first sample.
    """

    def __init__(self, network, metadata, args):
        layers = network.layers
        (encoder,) = [one for one in layers.values() if isinstance(one, EXTRAS["Encoder"])]
        self.network, self.size, self.hop = network, encoder.filter_length, encoder.stride
        self.before = self.size - self.hop
        self.consistent = args.get("mixture_consistency", True)
        for name, layer in layers.items():
            if isinstance(layer, EXTRAS["Encoder"]):
                layers[name] = _Encoder(layer)
            if isinstance(layer, EXTRAS["Decoder"]):
                layers[name] = _Decoder(layer)
        self.num_sources = layers["mask"].embedding_size

    def __call__(self, data, count):
        """(channels, samples) of `count` frames -> (sources, channels, samples), which overlap with
        those before and after."""
        return self.network({"mix_audio": data[None]})["audio"][0].permute(2, 0, 1)

    def finished(self, waves, mixture):
        return consistent(waves, mixture) if self.consistent else waves


class _Encoder(nn.Module):
    """An `Encoder` of samples that are whole frames, without padding."""

    def __init__(self, module):
        super().__init__()
        self.filters, self.gate = module.filters, module.gate

    def forward(self, audio):
        weights = torch.relu(self.filters(audio))
        if self.gate is not None:
            weights = weights * torch.sigmoid(self.gate(audio))
        return weights.transpose(1, 2).unsqueeze(-1)


class _Decoder(nn.Module):
    """A `Decoder` that cuts nothing off."""

    def __init__(self, module):
        super().__init__()
        self.filters = module.filters

    def forward(self, data, audio):
        data = data.squeeze(3).permute(0, 3, 2, 1).flatten(0, 1)
        waves = self.filters(data)
        return waves.unflatten(0, (len(audio), -1)).permute(0, 2, 3, 1)


class _Masks:
    """Frames of the STFT, under the network's masks."""

    def __init__(self, network, metadata, args):
        params = metadata["stft_params"]
        self.network, self.size, self.hop = network, params.window_length, params.hop_length
        if self.size % 2:
            raise UserError("its STFT has an odd window, and cannot separate a stream")
        self.before = self.size // 2
        if (shifts := args.get("shifts", 1)) != 1:
            raise UserError(f"shifts is {shifts}; the network reads a stream once: write 1")
        if args.get("tuning") is not None:
            raise UserError("tuning is that of a whole recording; in a stream write null")
        self.mono = metadata["num_channels"] == 1
        self.consistent = args.get("mixture_consistency", True)
        self.binary = args.get("mask_type", "soft") == "binary"
        window = nussl.AudioSignal.get_window(params.window_type, self.size)
        device = next(network.parameters()).device
        self.window = torch.as_tensor(window, dtype=torch.float32, device=device)
        self.num_sources = DeepMaskEstimation.outputs_of(copy.deepcopy(network), metadata)

    def __call__(self, data, count):
        """As `_Filters`; one part more: what the squared windows add up to."""
        frames = data.unfold(1, self.size, self.hop) * self.window
        spectrum = torch.fft.rfft(frames)  # (c, t, f)
        read = spectrum.mean(dim=0, keepdim=True) if self.mono else spectrum
        read = read.permute(1, 2, 0)[None] / self.window.sum()  # (1, t, f, c)
        there = {"mix_magnitude": read.abs(), "mix_spectrum": torch.view_as_real(read)}
        masks = self.network({name: there[name] for name in self.network.input})["mask"][0]
        if masks.ndim == 5:
            masks = torch.view_as_complex(masks.transpose(-1, -2).contiguous())
        masks = masks.permute(3, 2, 0, 1)  # (t, f, c, s) -> (s, c, t, f)
        if self.binary:
            masks = torch.from_numpy(one_hot(masks.cpu().numpy())).to(masks.device)
        if self.consistent:
            masks = consistent(masks, 1)
        parts = torch.fft.irfft(spectrum * masks, self.size) * self.window
        power = self.window.square().expand(1, len(spectrum), count, -1)
        parts = torch.cat([parts, power]).flatten(0, 1).transpose(1, 2)  # (p*c, size, t)
        waves = nn.functional.fold(parts, (1, data.shape[1]), (1, self.size), stride=(1, self.hop))
        return waves[:, 0, 0].unflatten(0, (-1, len(spectrum)))

    def finished(self, waves, mixture):
        return waves[:-1] / np.maximum(waves[-1:], SMALLEST)
