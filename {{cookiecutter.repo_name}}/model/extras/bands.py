"""A spectrum as bands of bins, each with a layer of its own, and masks of bands as a spectrum's."""

import itertools

import torch
from torch import nn


def band_widths(num_bins, sample_rate, bands):
    """The widths of the bands of a spectrum, in bins; they add up to `num_bins`.

    Args:
        bands: [[up to which frequency, how wide], ...] in Hz, ascending. Above the last frequency
            bands are as wide as the last; what is left at the end, if it is less than half a band,
            belongs to the band below.
    """
    bin_hz = sample_rate / 2 / (num_bins - 1)
    widths, first = [], 0
    while first < num_bins:
        fitting = [width for limit, width in bands if first * bin_hz < limit]
        width = max(1, round((fitting or [bands[-1][1]])[0] / bin_hz))
        rest = num_bins - first - width
        if rest < width / 2 and rest < num_bins - first:
            width += rest
        widths.append(width)
        first += width
    return widths


class BandSplit(nn.Module):
    """Each band of a spectrum, normalised, as a vector: its own norm and linear layer.

    Section II-A of Luo and Yu, "Music source separation with band-split RNN", TASLP 2023. Bands of
    one width that follow each other are computed at once.

    Args:
        widths: of the bands, in bins (`band_widths`).
        num_features: of a band: N.
        num_audio_channels: 1 (mono) or 2 (stereo); a band's layer reads all of them.
    """

    def __init__(self, widths: list[int], num_features: int, num_audio_channels: int = 1):
        super().__init__()
        self.groups = _groups(widths)
        self.layers = nn.ModuleList(
            _BandLinear(count, 2 * width * num_audio_channels, num_features, norm=True)
            for count, width in self.groups
        )

    def forward(self, data):
        """(batch, frames, bins, channels, 2) -> (batch, frames, bands, num_features)"""
        data = data.flatten(3)
        bins = [count * width for count, width in self.groups]
        pieces = zip(data.split(bins, dim=2), self.groups, self.layers, strict=True)
        return torch.cat(
            [
                layer(piece.reshape(*piece.shape[:2], count, -1))
                for piece, (count, _), layer in pieces
            ],
            dim=2,
        )


class BandMasks(nn.Module):
    """The masks of every band, by a network of its own with one hidden layer, and a gate.

    Section II-C of Luo and Yu, TASLP 2023: norm, a layer with tanh, a gated linear unit.

    Args:
        widths: of the bands, in bins.
        num_features: of a band.
        num_sources: masks.
        num_audio_channels: each channel gets its masks.
        hidden_size: of the hidden layer; the paper has 4 * num_features.
    """

    def __init__(
        self,
        widths: list[int],
        num_features: int,
        num_sources: int,
        num_audio_channels: int = 1,
        hidden_size: int | None = None,
    ):
        super().__init__()
        hidden_size = hidden_size or 4 * num_features
        self.groups, self.num_audio_channels = _groups(widths), num_audio_channels
        self.hidden = nn.ModuleList(
            _BandLinear(count, num_features, hidden_size, norm=True) for count, _ in self.groups
        )
        per_bin = 2 * 2 * num_sources * num_audio_channels  # real and imaginary, value and gate
        self.out = nn.ModuleList(
            _BandLinear(count, hidden_size, width * per_bin) for count, width in self.groups
        )

    def forward(self, data):
        """(batch, frames, bands, num_features) -> (batch, frames, bins, channels, 2 * sources), in
        the order of `ComplexMask`"""
        counts = [count for count, _ in self.groups]
        layers = zip(data.split(counts, dim=2), self.groups, self.hidden, self.out, strict=True)
        masks = []
        for piece, (_, width), hidden, out in layers:
            piece = nn.functional.glu(out(torch.tanh(hidden(piece))), dim=-1)
            piece = piece.unflatten(-1, (width, self.num_audio_channels, -1))
            masks.append(piece.flatten(2, 3))  # (b, t, bands, width, ...) -> (b, t, bins, ...)
        return torch.cat(masks, dim=2)


class _BandLinear(nn.Module):
    """A linear layer for each of `count` bands, after an RMS norm if `norm`:
    (batch, frames, count, in) -> (batch, frames, count, out)."""

    def __init__(self, count, num_in, num_out, norm=False):
        super().__init__()
        bound = num_in**-0.5  # as nn.Linear draws its weights
        self.weight = nn.Parameter(torch.empty(count, num_in, num_out).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(count, 1, num_out).uniform_(-bound, bound))
        self.scale = nn.Parameter(torch.ones(count, num_in)) if norm else None

    def forward(self, data):
        if self.scale is not None:
            data = nn.functional.rms_norm(data, data.shape[-1:], eps=1e-8) * self.scale
        batch, frames, count, _ = data.shape
        data = data.permute(2, 0, 1, 3).reshape(count, batch * frames, -1)
        data = torch.baddbmm(self.bias, data, self.weight)
        return data.reshape(count, batch, frames, -1).permute(1, 2, 0, 3)


def _groups(widths):
    """[(how many, width)] of bands of one width that follow each other."""
    return [(len([*same]), width) for width, same in itertools.groupby(widths)]
