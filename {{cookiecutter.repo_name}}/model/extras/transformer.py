"""Transformers over bands and frames, with rotary position embeddings."""

import torch
from torch import nn

from .sequences import Blocks


class BandTransformerStack(nn.Module):
    """Transformers along the frames of each band, and across the bands of each frame, in turn.

    Pre-norm layers (RMSNorm) with rotary position embeddings. Lu, Wang, Kong and Hung, "Music
    source separation with band-split RoPE transformer", ICASSP 2024
    (https://arxiv.org/abs/2309.02612), section 2.2.

    Args:
        num_features: of a band (D).
        num_layers: pairs of the two transformers (L).
        num_heads: of the attention.
        head_size: features of a head, an even number.
        expansion: width of the feed-forward layer, as a multiple of `num_features`.
        dropout: of attention and feed-forward layer, in training.
    """

    def __init__(
        self,
        num_features: int,
        num_layers: int = 12,
        num_heads: int = 8,
        head_size: int = 64,
        expansion: int = 4,
        dropout: float = 0.0,
    ):
        super().__init__()
        args = (num_features, num_heads, head_size, expansion, dropout)
        self.layers = Blocks(
            nn.ModuleList(RotaryTransformerLayer(*args) for _ in range(2))
            for _ in range(num_layers)
        )
        self.normalization = nn.RMSNorm(num_features)

    def forward(self, data):
        """(batch, frames, bands, num_features) -> the same shape"""
        batch, frames, bands, _ = data.shape
        for along, across in self.layers:
            # (b, t, k, d) -> (b*k, t, d), and back
            data = self.layers.run(along, data.transpose(1, 2).flatten(0, 1))
            data = data.unflatten(0, (batch, bands))
            data = self.layers.run(across, data.transpose(1, 2).flatten(0, 1))
            data = data.unflatten(0, (batch, frames))
        return self.normalization(data)


class RotaryTransformerLayer(nn.Module):
    """Attention and a feed-forward layer, each after an RMSNorm and with a residual connection.

    Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021
    (https://arxiv.org/abs/2104.09864): queries and keys are rotated by angles that grow with the
    position, so that their products depend on distances alone.

    Args:
        as `BandTransformerStack`'s.
    """

    def __init__(
        self,
        num_features: int,
        num_heads: int,
        head_size: int,
        expansion: int = 4,
        dropout: float = 0.0,
    ):
        super().__init__()
        if head_size % 2:
            raise ValueError(f"head_size is {head_size}; an even number can be rotated")
        self.num_heads, self.dropout = num_heads, dropout
        inner = num_heads * head_size
        self.attention_norm = nn.RMSNorm(num_features)
        self.queries_keys_values = nn.Linear(num_features, 3 * inner, bias=False)
        self.attention_out = nn.Linear(inner, num_features, bias=False)
        self.hidden = nn.Sequential(
            nn.RMSNorm(num_features),
            nn.Linear(num_features, expansion * num_features),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(expansion * num_features, num_features),
        )
        frequencies = 10000.0 ** (-torch.arange(0, head_size, 2) / head_size)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, data):
        """(batch, steps, num_features) -> the same shape"""
        heads = self.queries_keys_values(self.attention_norm(data))
        heads = heads.unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys, values = heads.unbind(0)  # (b, heads, steps, head_size)
        cosines, sines = self._rotation(data.shape[1])
        attended = nn.functional.scaled_dot_product_attention(
            rotated(queries, cosines, sines),
            rotated(keys, cosines, sines),
            values,
            dropout_p=self.dropout if self.training else 0.0,
        )
        data = data + self.attention_out(attended.transpose(1, 2).flatten(2))
        return data + self.hidden(data)

    def _rotation(self, steps):
        """(cosines, sines) of all positions: (steps, head_size / 2) each"""
        positions = torch.arange(steps, device=self.frequencies.device, dtype=torch.float32)
        angles = positions[:, None] * self.frequencies
        return angles.cos(), angles.sin()


def rotated(data, cosines, sines):
    """Pairs of features (i, i + half) of (..., steps, size), rotated by a position's angles."""
    first, second = data.chunk(2, dim=-1)
    cosines, sines = cosines.to(data.dtype), sines.to(data.dtype)
    return torch.cat((first * cosines - second * sines, first * sines + second * cosines), dim=-1)
