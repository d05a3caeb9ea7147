"""The temporal convolutional stack of Conv-TasNet, as the body of any network here."""

import torch
from torch import nn

from . import cpu
from .norms import CumulativeLayerNorm, GlobalLayerNorm
from .sequences import Blocks, as_sequences


class ConvolutionalStack(nn.Module):
    """Dilated depthwise convolutions over the frames, each seeing twice as far as the one before.

    Normalised, projected to `num_channels`, then `num_repeats` times `num_layers` blocks with
    dilations 1, 2, 4, ...; what every block adds to the skip path is summed, through a PReLU.
    Figure 1 (B, C) and section II-C of Luo and Mesgarani, "Conv-TasNet: surpassing ideal
    time-frequency magnitude masking for speech separation", TASLP 2019.

    Args:
        num_features: of a frame, all channels of audio together.
        num_channels: between blocks (B in the paper), and on the skip path (Sc): the output.
        hidden_size: within a block (H).
        num_layers: blocks in a repeat (X).
        num_repeats: R.
        kernel_size: frames that a convolution sees (P), an odd number.
        dropout: share of the block's inner features left out while training.
        causal: frames see none that come later: padding before them only, and cumulative layer norm
            (equations (9) and (10)) in place of global layer norm.
    """

    looks_ahead = False

    def __init__(
        self,
        num_features: int,
        num_channels: int = 128,
        hidden_size: int = 512,
        num_layers: int = 8,
        num_repeats: int = 3,
        kernel_size: int = 3,
        dropout: float = 0.0,
        causal: bool = False,
    ):
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size is {kernel_size}; an odd number keeps frames in place")
        self.receptive_field = 1 + num_repeats * (kernel_size - 1) * (2**num_layers - 1)  # frames
        self.normalization = _norm(num_features, causal)
        self.bottleneck = nn.Conv1d(num_features, num_channels, 1)
        count = num_repeats * num_layers
        self.blocks = Blocks(
            TemporalBlock(
                num_channels,
                hidden_size,
                kernel_size,
                dilation=2 ** (i % num_layers),
                dropout=dropout,
                causal=causal,
                last=i == count - 1,
            )
            for i in range(count)
        )
        self.activation = nn.PReLU()

    def forward(self, data):
        """(batch, frames, ...features) -> (batch, frames, num_channels)"""
        data = as_sequences(data).transpose(1, 2)  # (b, t, f) -> (b, f, t): features are channels
        data = self.bottleneck(self.normalization(data))
        total = None
        for block in self.blocks:
            data, skip = self.blocks.run(block, data)
            total = skip if total is None else total + skip
        return self.activation(total).transpose(1, 2)


class TemporalBlock(nn.Module):
    """1x1 convolution, PReLU, norm, depthwise convolution, PReLU, norm, then two 1x1 convolutions:
    the residual, which is added to the input, and the skip path. The last block has no residual, as
    no block follows."""

    def __init__(self, num_channels, hidden_size, kernel_size, dilation, dropout, causal, last):
        super().__init__()
        depthwise = _CausalConv1d if causal else _DepthwiseConv1d
        self.inner = nn.Sequential(
            nn.Conv1d(num_channels, hidden_size, 1),
            nn.PReLU(),
            _norm(hidden_size, causal),
            depthwise(
                hidden_size,
                hidden_size,
                kernel_size,
                dilation=dilation,
                padding=dilation * (kernel_size - 1) // 2,
                groups=hidden_size,
            ),
            nn.PReLU(),
            _norm(hidden_size, causal),
            nn.Dropout(dropout),
        )
        self.residual = None if last else nn.Conv1d(hidden_size, num_channels, 1)
        self.skip = nn.Conv1d(hidden_size, num_channels, 1)

    def forward(self, data):
        """(batch, num_channels, frames) -> two of this shape: for the next block, the skip path"""
        expand, activation, norm, depthwise, last_activation, last_norm, dropout = self.inner
        inner = depthwise(_normalized(expand(data), activation, norm))
        inner = dropout(_normalized(inner, last_activation, last_norm))
        if self.residual is None:
            return data, self.skip(inner)
        # both as one matrix product
        weight = torch.cat([self.residual.weight, self.skip.weight])
        bias = torch.cat([self.residual.bias, self.skip.bias])
        residual, skip = nn.functional.conv1d(inner, weight, bias).chunk(2, dim=1)
        return data + residual, skip


class _DepthwiseConv1d(nn.Conv1d):
    """A convolution of each channel by itself, with as many frames padded before as after."""

    def forward(self, data):
        if cpu.applies_to(data):
            return cpu.depthwise(data, self, before=self.padding[0])
        return super().forward(data)


class _CausalConv1d(nn.Conv1d):
    """A convolution of each channel by itself, with all of its padding before the first frame."""

    def forward(self, data):
        if cpu.applies_to(data):
            return cpu.depthwise(data, self, before=2 * self.padding[0])
        data = nn.functional.pad(data, (2 * self.padding[0], 0))
        return nn.functional.conv1d(
            data, self.weight, self.bias, self.stride, 0, self.dilation, self.groups
        )


def _normalized(data, activation, norm):
    """`norm(activation(data))`"""
    if isinstance(norm, GlobalLayerNorm) and cpu.applies_to(data):
        return cpu.activated_norm(data, activation, norm)
    return norm(activation(data))


def _norm(num_features, causal):
    return CumulativeLayerNorm(num_features) if causal else GlobalLayerNorm(num_features)
