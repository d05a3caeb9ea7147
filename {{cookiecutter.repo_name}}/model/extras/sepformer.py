"""SepFormer: transformers within chunks of a sequence and across them."""

import torch
from torch import nn

from .norms import GlobalLayerNorm
from .sequences import (
    Blocks,
    along_two_paths,
    as_sequences,
    chunks_of,
    overlap_add,
    refuse_odd,
)


class SepFormerStack(nn.Module):
    """Transformers run within chunks of the sequence, and across them, in turn.

    As the dual-path RNN, with `depth` transformer layers in place of each BLSTM, positions as
    sines, and a shortcut around each. Subakan, Ravanelli, Cornell, Bronzi and Zhong, "Attention is
    all you need in speech separation", ICASSP 2021 (https://arxiv.org/abs/2010.13154), section 2.2.

    Args:
        num_features: of a frame (F in the paper).
        num_channels: between blocks; the output.
        hidden_size: of the feed-forward layers.
        num_layers: blocks, of two transformers each (N).
        depth: layers of a transformer (K).
        num_heads: of the attention; it divides `num_channels`.
        chunk_size: frames in a chunk (C), an even number.
        dropout: in the transformers, while training.
    """

    def __init__(
        self,
        num_features: int,
        num_channels: int = 256,
        hidden_size: int = 1024,
        num_layers: int = 2,
        depth: int = 8,
        num_heads: int = 8,
        chunk_size: int = 250,
        dropout: float = 0.0,
    ):
        super().__init__()
        if num_channels % num_heads or num_channels % 2:
            raise ValueError(
                f"num_channels is {num_channels}; an even number that num_heads {num_heads} "
                "divides is needed"
            )
        refuse_odd(chunk_size)
        self.chunk_size = chunk_size
        self.normalization = GlobalLayerNorm(num_features)
        self.bottleneck = nn.Linear(num_features, num_channels)
        args = (num_channels, hidden_size, depth, num_heads, dropout)
        self.blocks = Blocks(
            nn.ModuleList(_Transformer(*args) for _ in range(2)) for _ in range(num_layers)
        )
        self.activation = nn.PReLU()
        self.out = nn.Sequential(
            nn.Linear(num_channels, num_channels), nn.ReLU(), nn.Linear(num_channels, num_channels)
        )

    def forward(self, data):
        """(batch, frames, ...features) -> (batch, frames, num_channels)"""
        frames = data.shape[1]
        data = self.normalization(as_sequences(data).transpose(1, 2)).transpose(1, 2)
        chunks = chunks_of(self.bottleneck(data), self.chunk_size)
        chunks = along_two_paths(self.blocks, chunks)
        return self.out(overlap_add(self.activation(chunks))[:, :frames])


class _Transformer(nn.Module):
    """Layers along the third dimension, with positions, a norm and a shortcut around all."""

    def __init__(self, num_channels, hidden_size, depth, num_heads, dropout):
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            num_channels, num_heads, hidden_size, dropout, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(
            layer, depth, norm=nn.LayerNorm(num_channels), enable_nested_tensor=False
        )
        for parameter in self.layers.parameters():  # the layers are copies of one
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        self.normalization = GlobalLayerNorm(num_channels)

    def forward(self, data):
        """(batch, sequences, steps, channels) -> the same shape"""
        batch, sequences, steps, channels = data.shape
        out = self.layers(data.flatten(0, 1) + _positions(steps, channels, data))
        out = out.reshape(batch, sequences * steps, channels).transpose(1, 2)
        return data + self.normalization(out).transpose(1, 2).reshape(data.shape)


def _positions(steps, channels, like):
    """Sines and cosines, (steps, channels): Vaswani et al., "Attention is all you need", NeurIPS
    2017, section 3.5."""
    position = torch.arange(steps, device=like.device, dtype=torch.float32)[:, None]
    even = torch.arange(0, channels, 2, device=like.device, dtype=torch.float32)
    angles = position * 10000.0 ** (-even / channels)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1).to(like.dtype)
