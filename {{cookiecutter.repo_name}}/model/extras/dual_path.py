"""The dual-path recurrent network: long sequences as chunks, and chunks as a sequence."""

from torch import nn

from .norms import GlobalLayerNorm
from .sequences import (
    Blocks,
    along_two_paths,
    as_sequences,
    chunks_of,
    linear_of_recurrent,
    overlap_add,
    refuse_odd,
)


class DualPathStack(nn.Module):
    """Recurrent layers run within chunks of the sequence, and across them, in turn.

    The sequence is cut into chunks that overlap by half. In each of `num_layers` blocks one BLSTM
    runs along every chunk, another one from chunk to chunk; both are mapped back, normalised and
    added to their input. The chunks are overlapped and added again. Section 2 of Luo, Chen and
    Yoshioka, "Dual-path RNN: efficient long sequence modeling for time-domain single-channel speech
    separation", ICASSP 2020.

    Args:
        num_features: of a frame.
        num_channels: between blocks (N in the paper); the output.
        hidden_size: units a direction of each BLSTM (H).
        num_layers: blocks (B).
        chunk_size: frames in a chunk (K), an even number; best near sqrt(2 * frames).
        dropout: share of a BLSTM's output left out while training.
        rnn_type: "lstm" or "gru".
    """

    def __init__(
        self,
        num_features: int,
        num_channels: int = 64,
        hidden_size: int = 128,
        num_layers: int = 6,
        chunk_size: int = 100,
        dropout: float = 0.0,
        rnn_type: str = "lstm",
    ):
        super().__init__()
        refuse_odd(chunk_size)
        self.chunk_size = chunk_size
        self.normalization = GlobalLayerNorm(num_features)
        self.bottleneck = nn.Conv1d(num_features, num_channels, 1)
        self.blocks = Blocks(
            nn.ModuleList(_Path(num_channels, hidden_size, dropout, rnn_type) for _ in range(2))
            for _ in range(num_layers)
        )
        self.activation = nn.PReLU()

    def forward(self, data):
        """(batch, frames, ...features) -> (batch, frames, num_channels)"""
        frames = data.shape[1]
        data = as_sequences(data).transpose(1, 2)  # (b, t, f) -> (b, f, t)
        data = self.bottleneck(self.normalization(data)).transpose(1, 2)
        chunks = chunks_of(data, self.chunk_size)
        chunks = along_two_paths(self.blocks, chunks)
        return self.activation(overlap_add(chunks)[:, :frames])


class _Path(nn.Module):
    """A recurrent layer along the third dimension, mapped back, normalised, added to its input."""

    def __init__(self, num_channels, hidden_size, dropout, rnn_type):
        super().__init__()
        kinds = {"lstm": nn.LSTM, "gru": nn.GRU}
        self.rnn = kinds[rnn_type](num_channels, hidden_size, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(2 * hidden_size, num_channels)
        self.normalization = GlobalLayerNorm(num_channels)

    def forward(self, data):
        """(batch, sequences, steps, channels) -> the same shape"""
        out = data.permute(2, 0, 1, 3)  # (b, s, t, c) -> (t, b, s, c)
        out = linear_of_recurrent(out.flatten(1, 2), self.rnn, self.dropout, self.linear)
        # (t, b*s, c) -> (b, t, s, c); in this order, the norm of a CPU does without a copy
        out = out.unflatten(1, data.shape[:2]).transpose(0, 1).contiguous()
        return data + self.normalization(out.permute(0, 3, 1, 2)).permute(0, 3, 2, 1)
