"""A recurrent stack with the residual connections of BLSTM-TasNet."""

from torch import nn

from .sequences import as_sequences


class ResidualRecurrentStack(nn.Module):
    """Pairs of (B)LSTM layers with residual connections around each pair but the first.

    The frames are normalised first. Section 2.2.2 of Luo and Mesgarani, "TasNet: time-domain audio
    separation network for real-time, single-channel speech separation", ICASSP 2018.

    Args:
        num_features: of a frame.
        hidden_size: units a direction.
        num_layers: an even number, as they come in pairs.
        bidirectional: false: causal.
        dropout: share of a layer's output left out while training.
    """

    looks_ahead = False

    def __init__(
        self,
        num_features: int,
        hidden_size: int = 500,
        num_layers: int = 4,
        bidirectional: bool = True,
        dropout: float = 0.0,
    ):
        super().__init__()
        if num_layers < 2 or num_layers % 2:
            raise ValueError(f"num_layers is {num_layers}; an even number is needed, for pairs")
        out = hidden_size * (2 if bidirectional else 1)
        self.normalization = nn.LayerNorm(num_features)
        self.pairs = nn.ModuleList(
            nn.LSTM(
                out if i else num_features,
                hidden_size,
                num_layers=2,
                batch_first=True,
                bidirectional=bidirectional,
                dropout=dropout,
            )
            for i in range(num_layers // 2)
        )

    def forward(self, data):
        """(batch, frames, ...features) -> (batch, frames, hidden_size * directions)"""
        data = self.normalization(as_sequences(data))
        for number, pair in enumerate(self.pairs):
            out = pair(data)[0]
            data = data + out if number else out
        return data
