"""Modules in a form that can be exported: the STFT and its inverse as convolutions, which every
ONNX runtime has, and norms that stay exact over minutes of audio."""

import torch
from torch import nn

from model import EXTRAS, copy_with

from .recurrent import LSTM

SMALLEST = 1e-10  # floor of the sum of squared windows: no division by 0 at the ends


class STFT(nn.Module):
    """Frames under a window, times a matrix of cosines and sines: a strided convolution.

    Args:
        window: (window_length,), an even number of samples.
        hop_length: in samples.
    """

    def __init__(self, window, hop_length):
        super().__init__()
        self.window_length, self.hop_length = len(window), hop_length
        cosines, sines = _waves(len(window))
        basis = torch.cat([cosines, -sines]) * window.double()
        self.register_buffer("basis", basis.float()[:, None])

    def forward(self, audio):
        """(items, samples) -> real and imaginary parts, (items, 2, bins, frames) of 1 +
        ceil(samples / hop) frames, whose middles are at 0, hop, 2 hop, ...; beyond its ends the
        signal is 0."""
        around = self.window_length // 2
        audio = nn.functional.pad(audio, (around, around + self.hop_length - 1))
        return nn.functional.conv1d(audio[:, None], self.basis, stride=self.hop_length).unflatten(
            1, (2, -1)
        )


class InverseSTFT(nn.Module):
    """Frames under the window again, overlapped, added, and divided by what the squared windows add
    up to: the transpose of that convolution.

    Args:
        as `STFT`'s.
    """

    def __init__(self, window, hop_length):
        super().__init__()
        self.window_length, self.hop_length = len(window), hop_length
        cosines, sines = _waves(len(window))
        both_sides = torch.full((len(cosines), 1), 2.0, dtype=torch.float64)
        both_sides[0] = both_sides[-1] = 1.0  # 0 Hz and half of the sample rate occur once
        basis = torch.cat([cosines * both_sides, -sines * both_sides]) / len(window)
        self.register_buffer("basis", (basis * window.double()).float()[:, None])
        self.register_buffer("power", window.float().square()[None, None])

    def forward(self, spectrum, length):
        """(items, 2, bins, frames) -> (items, length)"""
        ones = torch.ones_like(spectrum[:1, :1, 0])
        level = nn.functional.conv_transpose1d(ones, self.power, stride=self.hop_length)
        audio = nn.functional.conv_transpose1d(
            spectrum.flatten(1, 2), self.basis, stride=self.hop_length
        )
        start = self.window_length // 2
        return (audio / level.clamp_min(SMALLEST))[:, 0, start : start + length]


class Encoder(nn.Module):
    """What `model.extras.STFTEncoder` computes."""

    def __init__(self, module):
        super().__init__()
        self.stft = STFT(module.window / module.window.sum().sqrt(), module.hop_length)

    def forward(self, audio):
        """(batch, channels, samples) -> (batch, frames, bins, channels, 2)"""
        spectrum = self.stft(audio.flatten(0, 1)).unflatten(0, audio.shape[:2])
        return spectrum.permute(0, 4, 3, 1, 2)  # (b, c, 2, f, t) -> (b, t, f, c, 2)


class Decoder(nn.Module):
    """What `model.extras.STFTDecoder` computes."""

    def __init__(self, module):
        super().__init__()
        self.istft = InverseSTFT(module.window / module.window.sum().sqrt(), module.hop_length)

    def forward(self, data, audio):
        """(batch, frames, bins, channels, 2, sources) -> (batch, channels, samples, sources)"""
        batch, _, _, channels, _, sources = data.shape
        data = data.permute(0, 3, 5, 4, 2, 1).flatten(0, 2)  # -> (b*c*s, 2, f, t)
        audio = self.istft(data, audio.shape[-1]).unflatten(0, (batch, channels, sources))
        return audio.transpose(2, 3)


class GlobalNorm(nn.Module):
    """What a torch.nn.GroupNorm of one group computes, one dimension after the other.

    Runtimes that add the millions of values of a minute one after another in float32 are off by
    0.03 % of their mean.
    """

    def __init__(self, module):
        super().__init__()
        if module.num_groups != 1:
            raise ValueError(f"num_groups is {module.num_groups}; only 1 can be exported")
        self.eps, self.weight, self.bias = module.eps, module.weight, module.bias

    def forward(self, data):
        """(batch, channels, ...) -> the same shape"""
        data = data - _mean_of_items(data)
        data = data / (_mean_of_items(data.square()) + self.eps).sqrt()
        shape = (-1, *[1] * (data.ndim - 2))
        return data * self.weight.view(shape) + self.bias.view(shape)


def _mean_of_items(data):
    """(batch, ...) -> (batch, 1, ...)"""
    for dim in reversed(range(1, data.ndim)):
        data = data.mean(dim=dim, keepdim=True)
    return data


EXPORTED = {
    EXTRAS["STFTEncoder"]: Encoder,
    EXTRAS["STFTDecoder"]: Decoder,
    nn.LSTM: LSTM,
    nn.GroupNorm: GlobalNorm,
}


def exportable(network):
    """A copy of a nussl SeparationModel on the CPU, without gradients, with the modules in
    `EXPORTED` replaced."""
    return copy_with(network, EXPORTED).cpu()


def _waves(length):
    """cos and sin of 2 pi k n / length: float64 (length / 2 + 1, length) both"""
    bins, samples = torch.arange(length // 2 + 1), torch.arange(length)
    turns = (bins[:, None] * samples) % length  # exact, however large the product
    angles = turns.double() * (2 * torch.pi / length)
    return angles.cos(), angles.sin()
