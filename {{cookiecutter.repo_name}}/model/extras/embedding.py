"""nussl's Embedding, with a unit norm that costs less to train."""

import copy

import torch

from compat import nussl


class Embedding(nussl.ml.networks.modules.Embedding):
    """Replaces nussl's module of that name: same arguments, same weights, same outputs.

    With the activation unit_norm every vector is divided by its length. Autograd writes six tensors
    of the embedding's size in the backward pass of the division, `_UnitNorm` one.
    """

    is_head = True
    looks_ahead = False

    def forward(self, data):
        """(batch, frames, hidden_size) -> (batch, frames, bins, channels, embedding_size)"""
        activation = self.activation
        if "unit_norm" not in activation or torch.compiler.is_compiling():
            return super().forward(data)
        plain = copy.copy(self)  # with the same weights; several threads may call one module
        plain.activation = [name for name in activation if name != "unit_norm"]
        return _UnitNorm.apply(super(Embedding, plain).forward(data))


class _UnitNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, data):
        norm = torch.linalg.vector_norm(data, dim=-1, keepdim=True).clamp_min_(1e-12)
        unit = data / norm
        ctx.save_for_backward(unit, norm)
        return unit

    @staticmethod
    def backward(ctx, upstream):
        unit, norm = ctx.saved_tensors
        along = torch.linalg.vecdot(upstream, unit)[..., None]
        return torch.addcmul(upstream, unit, along, value=-1).div_(norm)
