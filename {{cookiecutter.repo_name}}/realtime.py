"""Separation of audio as it arrives, block by block, by causal networks.

The network runs on new frames only (`model/causal.py`). The sources equal those of the whole
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

SMALLEST = 1e-10  # floor of the sum of squared windows


def as_floats(name, audio):
    """An array or tensor of finite floats as a numpy array; `name`: of it, in error messages.

    Raises:
        UserError: it holds integers, NaN or infinity, or is too loud for float32.
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
    """Separates a recording that arrives in blocks of any size.

    Attributes:
        names: of the sources in their order; None: they have no order.
        sample_rate: of the blocks, in Hz.
        latency: by how many samples the sources lag behind the mixture at most: one frame.

    Args:
        algorithm: the class that separates, `DeepAudioEstimation` or `DeepMaskEstimation`.
        model: (nussl's SeparationModel, metadata).
        args: of the algorithm.
        channels: of the blocks.

    Raises:
        UserError: the algorithm or the network needs later samples.
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
        num_channels = metadata["num_channels"]
        if type(channels) is not int or channels < 1:
            raise UserError(f"channels is {channels!r}; expected a whole number, 1 or more")
        if channels != num_channels and not (kind is _Masks and num_channels == 1):
            raise UserError(f"channels is {channels}; the network separates {num_channels}")
        self.latency = self._frames.size
        self._buffer = torch.zeros(channels, self._frames.before)  # samples of incomplete frames
        self._tail = None  # the end of the last frames, to which the next ones are added
        self._skip = self._frames.before  # samples of the zeros before the recording, to be dropped
        self._received = self._returned = 0  # samples so far
        self._finished, self._ndim = False, 2

    def __call__(self, block):
        """Take the next samples of the mixture.

        Args:
            block: floats, (samples,) or (channels, samples), any number of samples.

        Returns:
            {name: next samples of the source}, shaped like the block, but with another number of
            samples, which may be 0: all that are complete, those of `latency` samples ago at least.

        Raises:
            UserError: the block has another number of channels or is no array of finite floats; the
                stream is finished.
        """
        block = as_floats("a block", block).astype(np.float32)
        channels = len(self._buffer)
        alone = block.ndim == 1 and channels == 1
        if not alone and (block.ndim != 2 or len(block) != channels):
            raise UserError(
                f"a block has the shape {block.shape}, expected ({channels}, samples)"
                + (" or (samples,)" if channels == 1 else "")
            )
        if self._finished:
            raise UserError("the stream is finished; separator.stream() begins another")
        samples = torch.from_numpy(np.atleast_2d(block))
        self._received += samples.shape[1]
        self._ndim = block.ndim
        return self._named(self._push(samples))

    def finish(self):
        """The remaining samples of the recording: {name: source}, shaped like the blocks.

        Raises:
            UserError: the stream is finished already.
        """
        if self._finished:
            raise UserError("the stream is finished already")
        self._finished = True
        padding = self._frames.before + -self._received % self._frames.hop
        sources = self._push(torch.zeros(len(self._buffer), padding))
        if self._returned < self._received:  # nothing is added to the tail of the last frame
            last = self._complete(self._tail, np.zeros(self._tail.shape[1:], np.float32))
            sources = np.concatenate([sources, last], axis=-1)
        return self._named(sources)

    def _push(self, samples):
        """Run the network on the frames that are complete with these samples, and overlap-add them:
        (sources, channels, samples) to which no later frame adds anything."""
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
        return self._complete(ready, mixture)

    def _complete(self, waves, mixture):
        """The sources of overlap-added samples, without the padding around the recording."""
        sources = self._frames.finished(waves, mixture)
        skipped = min(self._skip, sources.shape[-1])
        self._skip -= skipped
        sources = sources[..., skipped:][..., : self._received - self._returned]
        self._returned += sources.shape[-1]
        return np.ascontiguousarray(sources, dtype=np.float32)

    def _named(self, sources):
        """{name: source}, each with as many dimensions as the last block."""
        names = self.names or [f"source{number}" for number in range(len(sources))]
        if self._ndim == 1:
            sources = sources[:, 0]
        return dict(zip(names, sources, strict=True))


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
        """(channels, samples) of `count` frames -> (sources, channels, samples), to be added to
        those of the frames before and after."""
        return self.network({"mix_audio": data[None]})["audio"][0].permute(2, 0, 1)

    def finished(self, waves, mixture):
        """The sources, from overlap-added outputs: (sources, channels, samples) both."""
        return consistent(waves, mixture) if self.consistent else waves


class _Encoder(nn.Module):
    """An `Encoder` without padding: it is given the samples of whole frames."""

    def __init__(self, module):
        super().__init__()
        self.filters, self.gate = module.filters, module.gate

    def forward(self, audio):
        weights = torch.relu(self.filters(audio))
        if self.gate is not None:
            weights = weights * torch.sigmoid(self.gate(audio))
        return weights.transpose(1, 2).unsqueeze(-1)


class _Decoder(nn.Module):
    """A `Decoder` without the cut to the length of the mixture."""

    def __init__(self, module):
        super().__init__()
        self.filters = module.filters

    def forward(self, data, audio):
        data = data.squeeze(3).permute(0, 3, 2, 1).flatten(0, 1)
        waves = self.filters(data)
        return waves.unflatten(0, (len(audio), -1)).permute(0, 2, 3, 1)


class _Masks:
    """Frames of the STFT, multiplied by the network's masks.

    Attributes: as of `_Filters`.
    """

    def __init__(self, network, metadata, args):
        params = metadata["stft_params"]
        self.network, self.size, self.hop = network, params.window_length, params.hop_length
        if self.size % 2:
            raise UserError("its STFT has an odd window, and cannot separate a stream")
        self.before = self.size // 2
        shifts = args.get("shifts", 1)
        if shifts != 1:
            raise UserError(f"shifts is {shifts}; the network reads a stream once: write 1")
        if args.get("tuning") is not None:
            raise UserError("tuning is measured on a whole recording; for a stream write null")
        self.mono = metadata["num_channels"] == 1
        self.consistent = args.get("mixture_consistency", True)
        self.binary = args.get("mask_type", "soft") == "binary"
        window = nussl.AudioSignal.get_window(params.window_type, self.size)
        device = next(network.parameters()).device
        self.window = torch.as_tensor(window, dtype=torch.float32, device=device)
        self.num_sources = DeepMaskEstimation.outputs_of(copy.deepcopy(network), metadata)

    def __call__(self, data, count):
        """As `_Filters`, with one signal more behind the sources: the squared windows, by whose sum
        `finished` divides."""
        frames = data.unfold(1, self.size, self.hop) * self.window
        spectrum = torch.fft.rfft(frames)  # (c, t, f)
        read = spectrum.mean(dim=0, keepdim=True) if self.mono else spectrum
        read = read.permute(1, 2, 0)[None] / self.window.sum()  # (1, t, f, c)
        features = {"mix_magnitude": read.abs(), "mix_spectrum": torch.view_as_real(read)}
        masks = self.network({name: features[name] for name in self.network.input})["mask"][0]
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
        """As `_Filters.finished`; the masks are consistent already."""
        return waves[:-1] / np.maximum(waves[-1:], SMALLEST)
