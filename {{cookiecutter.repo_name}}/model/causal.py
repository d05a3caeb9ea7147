"""Causal networks (no frame depends on later ones), run on new frames only.

Modules that depend on earlier frames are replaced by stateful copies, which remember what they need
of these; the others run unchanged.
"""

import torch
from torch import nn

from errors import UserError

from .extras.convolution import TemporalBlock
from .extras.norms import CumulativeLayerNorm
from .replacing import copy_with

# modules of nussl that are causal if all of their parts are; ours declare it (model/extras/)
NUSSL_CAUSAL = ("Alias", "AmplitudeToDB", "BatchNorm", "Mask", "RecurrentStack")


def check_causal(network):
    """Check that no frame of a network's output depends on later frames.

    Raises:
        UserError: one does; the message names the first module that is not causal.
    """
    for name, layer in network.layers.items():
        if reason := _looks_ahead(layer):
            raise UserError(
                f"the network cannot separate a stream: {name} {reason}; separator(audio, "
                "sample_rate) separates a whole recording"
            )


def _looks_ahead(layer):
    """Why frames of a layer depend on later ones; None if they do not."""
    kind = type(layer).__name__
    if vars(type(layer)).get("looks_ahead", kind not in NUSSL_CAUSAL):
        return f"({kind}) sees all frames"
    for part in layer.modules():
        if isinstance(part, nn.RNNBase) and part.bidirectional:
            return "is bidirectional (bidirectional: false in model.args is not)"
        if isinstance(part, (nn.GroupNorm, nn.InstanceNorm1d)):
            return "is normalised over all frames"
    return None


def remembering(network):
    """A stateful copy of a network that passes `check_causal`: it is given the frames of one
    recording in order, any number at a time."""
    return copy_with(network, REMEMBERING)


class _Recurrent(nn.Module):
    """A recurrent layer that keeps its hidden state between calls."""

    def __init__(self, module):
        super().__init__()
        self.module, self.state = module, None

    def flatten_parameters(self):
        self.module.flatten_parameters()

    def forward(self, data):
        out, self.state = self.module(data, self.state)
        return out, self.state


class _Block(nn.Module):
    """A `TemporalBlock`, stateful, with its 1x1 convolutions as matrix products."""

    def __init__(self, block):
        super().__init__()
        expand, self.activation, norm, depthwise, self.last_activation, last_norm, _ = block.inner
        self.expand = _matrix(expand)
        self.norm, self.last_norm = _CumulativeNorm(norm), _CumulativeNorm(last_norm)
        self.depthwise = _Depthwise(depthwise)
        self.is_last = block.residual is None
        outputs = [block.skip] if self.is_last else [block.residual, block.skip]
        biases, weights = zip(*map(_matrix, outputs), strict=True)
        self.outputs = torch.cat(biases), torch.cat(weights)  # as one matrix product

    def forward(self, data):
        """(1, num_channels, frames) -> the same shape twice: for the next block, the skip path"""
        inner = self.norm(self.activation(torch.addmm(*self.expand, data[0])))
        inner = self.last_norm(self.last_activation(self.depthwise(inner)))
        outputs = torch.addmm(*self.outputs, inner)[None]
        if self.is_last:
            return data, outputs
        residual, skip = outputs.chunk(2, dim=1)
        return data + residual, skip


def _matrix(module):
    """(bias, weight) of a 1x1 convolution, for torch.addmm: (out, 1), (out, in)."""
    return module.bias[:, None], module.weight[..., 0]


class _Depthwise(nn.Module):
    """A stateful causal depthwise convolution: the sum over its taps of shifted frames."""

    def __init__(self, module):
        super().__init__()
        (self.dilation,), self.reach = module.dilation, 2 * module.padding[0]  # frames looked back
        self.taps, self.bias = module.weight[:, 0].split(1, dim=1), module.bias[:, None]
        self.memory, self.end = None, 0  # buffer of frames, of which `end` are used

    def forward(self, data):
        """(channels, frames) -> the same shape"""
        frames = data.shape[1]
        self._remember(data)
        out = torch.addcmul(self.bias, self.taps[-1], data)
        for number, tap in enumerate(self.taps[:-1]):
            first = self.end - self.reach + number * self.dilation - frames
            out.addcmul_(tap, self.memory[:, first : first + frames])
        return out

    def _remember(self, data):
        """Append frames to the buffer. When it is full, a new one begins with the last `reach`
        frames."""
        channels, frames = data.shape
        if self.memory is None or self.end + frames > self.memory.shape[1]:
            memory = data.new_zeros(channels, 2 * self.reach + 8 * frames)
            if self.memory is not None:
                memory[:, : self.reach] = self.memory[:, self.end - self.reach : self.end]
            self.memory, self.end = memory, self.reach
        self.memory[:, self.end : self.end + frames] = data
        self.end += frames


class _CumulativeNorm(nn.Module):
    """A `CumulativeLayerNorm` that keeps its sums between calls."""

    def __init__(self, module):
        super().__init__()
        self.module, self.count, self.sums = module, 0, None

    def forward(self, data):
        """(..., num_features, frames) -> the same shape"""
        data = data.float()
        features, frames = data.shape[-2:]
        # of all frames so far, in float64: (2, ..., frames)
        sums = torch.stack([data.sum(dim=-2), data.square().sum(dim=-2)]).double().cumsum(dim=-1)
        if self.sums is not None:
            sums += self.sums
        self.sums = sums[..., -1:]
        counts = torch.arange(self.count + 1, self.count + frames + 1, device=data.device)
        self.count += frames
        mean, power = (sums / (counts * features)).unsqueeze(-2)
        scale = (power - mean.square()).clamp_min_(0).add_(self.module.eps).rsqrt_()
        centred = (data - mean.float()).mul_(scale.float())
        return torch.addcmul(self.module.bias, centred, self.module.weight)


REMEMBERING = {
    nn.RNNBase: _Recurrent,
    TemporalBlock: _Block,
    CumulativeLayerNorm: _CumulativeNorm,
}
