"""What modules that run over frames share."""

from torch import nn


def as_sequences(data):
    """(batch, frames, ...features) -> (batch, frames, features)"""
    return data.reshape(data.shape[0], data.shape[1], -1)


def chunks_of(data, chunk_size):
    """(batch, frames, channels) -> (batch, chunks, chunk_size, channels), each frame in two"""
    hop = chunk_size // 2
    data = nn.functional.pad(data, (0, 0, hop, hop + -data.shape[1] % hop))
    # (b, chunks, channels, chunk_size) -> (b, chunks, chunk_size, channels)
    return data.unfold(1, chunk_size, hop).transpose(2, 3)


def overlap_add(chunks):
    """The inverse of `chunks_of`, each frame the sum of its two places; what was added at the end
    is still there."""
    batch, count, size, channels = chunks.shape
    first, second = chunks[:, 1:, : size // 2], chunks[:, :-1, size // 2 :]
    return (first + second).reshape(batch, (count - 1) * (size // 2), channels)
