"""The body of the band-split RNN: recurrent layers along time and across bands."""

from torch import nn

from .sequences import Blocks, linear_of_recurrent


class BandRecurrentStack(nn.Module):
    """BLSTMs along the frames of each band, and across the bands of each frame, in turn.

    Each is normalised before and added to its input. Section II-B of Luo and Yu, "Music source
    separation with band-split RNN", TASLP 2023.

    Args:
        num_features: of a band (N).
        hidden_size: units a direction; the paper has 2 N.
        num_layers: pairs of the two.
        dropout: share of a BLSTM's output left out while training.
    """

    def __init__(
        self,
        num_features: int,
        hidden_size: int = 256,
        num_layers: int = 12,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.layers = Blocks(
            nn.ModuleList(_Recurrent(num_features, hidden_size, dropout) for _ in range(2))
            for _ in range(num_layers)
        )

    def forward(self, data):
        """(batch, frames, bands, num_features) -> the same shape"""
        for along, across in self.layers:
            data = self.layers.run(along, data.transpose(1, 2)).transpose(1, 2)
            data = self.layers.run(across, data)
        return data


class _Recurrent(nn.Module):
    """A BLSTM along the third dimension, normalised before, mapped back, added to its input."""

    def __init__(self, num_features, hidden_size, dropout):
        super().__init__()
        self.normalization = nn.LayerNorm(num_features)
        self.rnn = nn.LSTM(num_features, hidden_size, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(2 * hidden_size, num_features)

    def forward(self, data):
        """(batch, sequences, steps, features) -> the same shape"""
        out = self.normalization(data).permute(2, 0, 1, 3)  # (b, s, t, f) -> (t, b, s, f)
        out = linear_of_recurrent(out.flatten(1, 2), self.rnn, self.dropout, self.linear)
        return data + out.unflatten(1, data.shape[:2]).permute(1, 2, 0, 3)
