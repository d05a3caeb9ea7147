"""TF-GridNet: recurrent layers along both axes of a spectrum, and attention between its frames."""

import math

import torch
from torch import nn

from . import cpu
from .norms import GlobalLayerNorm
from .sequences import Blocks


class GridStack(nn.Module):
    """The spectra of the sources from that of the mixture, by blocks on a grid of time and
    frequency.

    A convolution gives each bin of the spectrum `num_channels` features; each of `num_layers`
    blocks runs a BLSTM along frequency, one along time, and lets frames attend to each other; a
    transposed convolution gives real and imaginary parts of every source. The mixture is brought to
    unit variance before, and the sources to its level after. Wang, Cornell, Choi, Lee, Kim and
    Watanabe, "TF-GridNet: integrating full- and sub-band modeling for speech separation", TASLP
    2023 (https://arxiv.org/abs/2211.12433).

    Args:
        num_bins: of the spectrum.
        num_sources: spectra that come out.
        num_audio_channels: 1 (mono) or 2 (stereo).
        num_channels: features of a bin (D in the paper).
        hidden_size: units a direction of each BLSTM (H).
        num_layers: blocks (B).
        kernel_size, stride: of the windows that a BLSTM steps through (I and J).
        num_heads: of the attention (L).
        attention_size: about so many features of a frame make a query or a key, all bins together
            (E times the bins).
    """

    def __init__(
        self,
        num_bins: int,
        num_sources: int = 2,
        num_audio_channels: int = 1,
        num_channels: int = 64,
        hidden_size: int = 256,
        num_layers: int = 6,
        kernel_size: int = 4,
        stride: int = 1,
        num_heads: int = 4,
        attention_size: int = 512,
    ):
        super().__init__()
        if num_channels % num_heads:
            raise ValueError(
                f"num_heads is {num_heads}; it must divide num_channels {num_channels}"
            )
        if not 1 <= stride <= kernel_size:
            raise ValueError(f"stride is {stride}; from 1 to kernel_size {kernel_size} is possible")
        self.num_sources = num_sources
        self.first = nn.Conv2d(2 * num_audio_channels, num_channels, 3, padding=1)
        self.first_norm = GlobalLayerNorm(num_channels, eps=1e-5)
        recurrent = (num_channels, hidden_size, kernel_size, stride)
        self.blocks = Blocks(
            nn.ModuleDict(
                {
                    "along_frequency": _Recurrent(*recurrent),
                    "along_time": _Recurrent(*recurrent),
                    "attention": _FrameAttention(
                        num_channels, num_bins, num_heads, math.ceil(attention_size / num_bins)
                    ),
                }
            )
            for _ in range(num_layers)
        )
        self.last = nn.ConvTranspose2d(
            num_channels, 2 * num_audio_channels * num_sources, 3, padding=1
        )

    def forward(self, data):
        """(batch, frames, bins, channels, 2) -> (batch, frames, bins, channels, 2, sources)"""
        # frame by frame: of a long recording, some runtimes of an exported network add up the whole
        # inexactly
        power = data.square().mean(dim=(2, 3, 4), keepdim=True).mean(dim=1, keepdim=True)
        level = power.sqrt() + 1e-8
        features = (data / level).flatten(3).permute(0, 3, 1, 2)  # (b, t, f, 2c) -> (b, 2c, t, f)
        features = self.first_norm(self.first(features)).permute(0, 2, 3, 1)  # (b, t, f, d)
        for block in self.blocks:
            features = self.blocks.run(block["along_frequency"], features)
            features = self.blocks.run(block["along_time"], features.transpose(1, 2))
            features = self.blocks.run(block["attention"], features.transpose(1, 2))
        sources = self.last(features.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        sources = sources.unflatten(-1, (data.shape[3], 2, self.num_sources))
        return sources * level[..., None]


class _Recurrent(nn.Module):
    """A BLSTM along the third dimension, which steps through overlapping windows, added to its
    input (sections III-B and III-C)."""

    def __init__(self, num_channels, hidden_size, kernel_size, stride):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride
        self.normalization = nn.LayerNorm(num_channels)
        self.rnn = nn.LSTM(
            num_channels * kernel_size, hidden_size, batch_first=True, bidirectional=True
        )
        self.out = nn.ConvTranspose1d(2 * hidden_size, num_channels, kernel_size, stride)

    def forward(self, data):
        """(batch, sequences, steps, channels) -> the same shape"""
        batch, sequences, steps, channels = data.shape
        normal = self.normalization(data).flatten(0, 1)  # (b, s, t, c) -> (b*s, t, c)
        # zeros at the end complete the last window, and a second: torch.export would refuse lengths
        # with a single one
        missing = -(steps - self.kernel_size) % self.stride
        missing = max(self.kernel_size + self.stride - steps, missing)
        normal = nn.functional.pad(normal, (0, 0, 0, missing))
        if self.stride == self.kernel_size:
            windows = normal.unflatten(1, (-1, self.stride)).transpose(2, 3).flatten(2)
        else:
            last = normal.shape[1] - self.kernel_size + 1
            starts = [normal[:, k : k + last : self.stride] for k in range(self.kernel_size)]
            windows = torch.stack(starts, dim=-1).flatten(2)
        out = self._mapped(windows)
        # cut off by padding: a slice would make torch.export refuse lengths where it cuts nothing
        out = nn.functional.pad(out, (0, 0, 0, -missing))
        return data + out.reshape(batch, sequences, steps, channels)

    def _mapped(self, windows):
        """(sequences, windows, features) -> (sequences, steps, channels)"""
        if cpu.applies_to_recurrent(self.rnn, windows):
            windows = windows.transpose(0, 1).contiguous()
            out = cpu.transposed_convolution_of_recurrent(windows, self.rnn, self.out)
            return out.transpose(0, 1)
        return self.out(self.rnn(windows)[0].transpose(1, 2)).transpose(1, 2)


class _FrameAttention(nn.Module):
    """Every frame attends to all frames, with all of its bins at once (section III-D)."""

    def __init__(self, num_channels, num_bins, num_heads, size):
        super().__init__()
        self.queries = _Heads(num_channels, num_bins, num_heads, size)
        self.keys = _Heads(num_channels, num_bins, num_heads, size)
        self.values = _Heads(num_channels, num_bins, num_heads, num_channels // num_heads)
        self.out = _Heads(num_channels, num_bins, 1, num_channels)

    def forward(self, data):
        """(batch, frames, bins, channels) -> the same shape"""
        attended = nn.functional.scaled_dot_product_attention(
            self.queries(data), self.keys(data), self.values(data)
        )
        # (b, heads, t, f*size) -> (b, t, f, heads*size)
        attended = attended.unflatten(-1, (data.shape[2], -1)).permute(0, 2, 3, 1, 4).flatten(3)
        return data + self.out(attended)[:, 0].unflatten(-1, (data.shape[2], -1))


class _Heads(nn.Module):
    """For each head a linear layer, PReLU and a norm over the bins and features of a frame."""

    def __init__(self, num_channels, num_bins, num_heads, size):
        super().__init__()
        self.num_heads, self.linear = num_heads, nn.Linear(num_channels, num_heads * size)
        self.slope = nn.Parameter(torch.full((num_heads, 1, 1), 0.25))
        self.scale = nn.Parameter(torch.ones(num_heads, 1, num_bins * size))
        self.shift = nn.Parameter(torch.zeros(num_heads, 1, num_bins * size))

    def forward(self, data):
        """(batch, frames, bins, channels) -> (batch, heads, frames, bins * size)"""
        data = self.linear(data).unflatten(-1, (self.num_heads, -1))
        data = data.permute(0, 3, 1, 2, 4).flatten(3)  # (b, t, f, h, e) -> (b, h, t, f*e)
        positive = data.relu()
        data = torch.addcmul(positive, self.slope, data - positive)  # PReLU: half of torch's time
        normal = nn.functional.layer_norm(data, data.shape[-1:])
        return torch.addcmul(self.shift, normal, self.scale)
