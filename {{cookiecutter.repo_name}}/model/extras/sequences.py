"""Helpers of modules that process sequences of frames: checkpointing, and chunks for two paths."""

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from . import cpu


class Blocks(nn.ModuleList):
    """The blocks of a stack, with activation checkpointing if `checkpointing` is set
    (`train.checkpointing`): only the inputs of a block are stored for the backward pass, which
    computes the other activations again.

    Chen, Xu, Zhang and Guestrin, "Training deep nets with sublinear memory cost", 2016
    (https://arxiv.org/abs/1604.06174).
    """

    checkpointing = False

    def run(self, function, *data):
        """`function(*data)`, checkpointed in training; function: a block or a part of one."""
        if self.checkpointing and self.training and torch.is_grad_enabled():
            return checkpoint(function, *data, use_reentrant=False)
        return function(*data)


def as_sequences(data):
    """(batch, frames, ...features) -> (batch, frames, features)"""
    return data.reshape(data.shape[0], data.shape[1], -1)


def refuse_odd(chunk_size):
    """Raise a ValueError for an odd size: such chunks cannot overlap by half."""
    if chunk_size < 2 or chunk_size % 2:
        raise ValueError(f"chunk_size is {chunk_size}; an even number lets chunks overlap by half")


def along_two_paths(blocks, chunks):
    """(batch, chunks, chunk_size, channels) through `Blocks` of two layers each: one that runs
    within chunks, one that runs across them."""
    for within, across in blocks:
        chunks = blocks.run(within, chunks)
        chunks = blocks.run(across, chunks.transpose(1, 2)).transpose(1, 2)
    return chunks


def linear_of_recurrent(data, rnn, dropout, linear):
    """A bidirectional recurrent layer, dropout and a linear layer: (steps, sequences, features) ->
    (steps, sequences, features of `linear`)"""
    if cpu.applies_to_recurrent(rnn, data):
        return cpu.linear_of_recurrent(data, rnn, dropout, linear.weight, linear.bias)
    return linear(dropout(rnn(data)[0]))


def chunks_of(data, chunk_size):
    """(batch, frames, channels) -> (batch, chunks, chunk_size, channels), each frame in two"""
    hop = chunk_size // 2
    batch, frames, channels = data.shape
    count = (frames + hop - 1) // hop + 2  # halves, the first and the last of zeros
    data = nn.functional.pad(data, (0, 0, hop, (count - 1) * hop - frames))
    halves = data.reshape(batch, count, hop, channels)
    return torch.cat([halves[:, :-1], halves[:, 1:]], dim=2)


def overlap_add(chunks):
    """Add chunks that overlap by half: (batch, chunks, chunk_size, channels) -> (batch, frames,
    channels). The padding that `chunks_of` put at the end is not removed."""
    first, second = (half.flatten(1, 2) for half in chunks.chunk(2, dim=2))
    hop = chunks.shape[2] // 2
    # cut off by padding: torch.export would refuse lengths where slices leave one chunk
    cut = nn.functional.pad
    return cut(first, (0, 0, -hop, 0)) + cut(second, (0, 0, 0, -hop))
