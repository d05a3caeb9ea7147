"""Band split: each band of a spectrum as a vector by layers of its own, and back to its bins."""

import itertools

import torch
from torch import nn

from .embedding import Embedding


def band_widths(num_bins, sample_rate, bands):
    """The widths of the bands of a spectrum, in bins; they add up to `num_bins`.

    Args:
        bands: [[up to which frequency, how wide], ...] in Hz, ascending. Above the last frequency
            bands are as wide as the last. Bins at the end that are less than half a band are part
            of the band below.

    Raises:
        ValueError: `bands` is empty, unsorted or not positive.
    """
    for band in bands:
        if len(band) != 2 or min(band) <= 0:
            raise ValueError(f"bands holds {band}; [up to which frequency, how wide] in Hz is one")
    if not bands or bands != sorted(bands):
        raise ValueError("bands has to name at least one width, in the order of frequencies")
    bin_hz = sample_rate / 2 / (num_bins - 1)
    widths, first = [], 0
    while first < num_bins:
        hertz = next((width for limit, width in bands if first * bin_hz < limit), bands[-1][1])
        width = max(1, round(hertz / bin_hz))
        rest = num_bins - first - width
        if rest < width / 2 and rest < num_bins - first:
            width += rest
        widths.append(width)
        first += width
    return widths


class BandSplit(nn.Module):
    """Each band of a spectrum as a vector: its own norm and linear layer.

    Section II-A of Luo and Yu, "Music source separation with band-split RNN", TASLP 2023.
    Neighbouring bands of the same width are computed at once.

    Args:
        widths: of the bands, in bins (`band_widths`).
        num_features: of a band: N.
        num_audio_channels: 1 (mono) or 2 (stereo); a band's layer reads all of them.
        num_values: of a bin and channel: 2 for a complex spectrum, 1 for magnitudes.
        norm: divide a band by its root mean square; not for log magnitudes, which would lose their
            level.
    """

    looks_ahead = False

    def __init__(
        self,
        widths: list[int],
        num_features: int,
        num_audio_channels: int = 1,
        num_values: int = 2,
        norm: bool = True,
    ):
        super().__init__()
        self.groups = _groups(widths)
        per_bin = num_values * num_audio_channels
        self.layers = nn.ModuleList(
            _BandLinear(count, width * per_bin, num_features, norm) for count, width in self.groups
        )

    def forward(self, data):
        """(batch, frames, bins, channels), or with one more dimension of `num_values` ->
        (batch, frames, bands, num_features)"""
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


class BandOutputs(nn.Module):
    """`num_outputs` values for every bin; each band has a small network of its own.

    Section II-C of Luo and Yu, TASLP 2023: norm, a layer with tanh, a gated linear unit.

    Args:
        widths: of the bands, in bins.
        num_features: of a band.
        num_outputs: of a bin and channel.
        num_audio_channels: each channel gets its own.
        hidden_size: of the hidden layer; the paper has 4 * num_features.
    """

    def __init__(
        self,
        widths: list[int],
        num_features: int,
        num_outputs: int,
        num_audio_channels: int = 1,
        hidden_size: int | None = None,
    ):
        super().__init__()
        hidden_size = hidden_size or 4 * num_features
        self.groups, self.num_audio_channels = _groups(widths), num_audio_channels
        self.hidden = nn.ModuleList(
            _BandLinear(count, num_features, hidden_size, norm=True) for count, _ in self.groups
        )
        per_bin = 2 * num_outputs * num_audio_channels  # values and their gates
        self.out = nn.ModuleList(
            _BandLinear(count, hidden_size, width * per_bin) for count, width in self.groups
        )

    def forward(self, data):
        """(batch, frames, bands, num_features) -> (batch, frames, bins, channels, num_outputs)"""
        counts = [count for count, _ in self.groups]
        layers = zip(data.split(counts, dim=2), self.groups, self.hidden, self.out, strict=True)
        outputs = []
        for piece, (_, width), hidden, out in layers:
            piece = nn.functional.glu(out(torch.tanh(hidden(piece))), dim=-1)
            piece = piece.unflatten(-1, (width, self.num_audio_channels, -1))
            outputs.append(piece.flatten(2, 3))  # (b, t, bands, width, ...) -> (b, t, bins, ...)
        return torch.cat(outputs, dim=2)


class BandMasks(BandOutputs):
    """The real and imaginary parts of `num_sources` masks, in the order of `ComplexMask`.

    Args:
        widths, num_features, num_audio_channels, hidden_size: as `BandOutputs`.
        num_sources: masks.
    """

    def __init__(
        self,
        widths: list[int],
        num_features: int,
        num_sources: int,
        num_audio_channels: int = 1,
        hidden_size: int | None = None,
    ):
        super().__init__(widths, num_features, 2 * num_sources, num_audio_channels, hidden_size)


class BandEmbedding(Embedding):
    """An embedding, or masks, of every bin, by `BandOutputs` in the place of one linear layer.

    Args:
        widths, num_features, num_audio_channels, hidden_size: as `BandOutputs`.
        embedding_size: dimensions, or sources.
        activation: as `Embedding`.
    """

    is_head = True
    looks_ahead = False

    def __init__(
        self,
        widths: list[int],
        num_features: int,
        embedding_size: int,
        activation: list[str],
        num_audio_channels: int = 1,
        hidden_size: int | None = None,
    ):
        super().__init__(
            sum(widths), 1, embedding_size, activation, num_audio_channels, reshape=False
        )
        self.linear = BandOutputs(
            widths, num_features, embedding_size, num_audio_channels, hidden_size
        )


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
    """[(number of bands, their width)] of neighbouring bands of the same width."""
    return [(len([*same]), width) for width, same in itertools.groupby(widths)]
