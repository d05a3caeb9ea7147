"""Weighted inner products of embeddings and assignments, from which their losses are computed."""

import torch
from torch import nn

ROWS = 8192  # bins at a time on a CPU: embeddings of this many stay in its cache


def inner_products(embedding, assignments, weights):
    """Of unit-norm embeddings V, unit-norm assignments Y and W = diag(weights^2), over the bins of
    each item: V'WV, Y'WV, Y'WY and the sum of W.

    The gradient, W (V (G + G') + Y H) for the gradients G of V'WV and H of Y'WV, and back through
    the norm of V, is computed directly: no other tensor of the embedding's size is made on the way.

    Args:
        embedding: (batch, ..., dims), of any norm.
        assignments: (batch, ..., sources), of any norm; no gradient flows through it.
        weights: (batch, ...), likewise.

    Returns:
        (batch, dims, dims), (batch, sources, dims), (batch, sources, sources), (batch,)
    """
    batch = embedding.shape[0]
    # half precision has too few digits to add up some 100 000 bins
    dtype = torch.promote_types(embedding.dtype, torch.float32)
    assignments = assignments.reshape(batch, -1, assignments.shape[-1]).to(dtype)
    assignments = nn.functional.normalize(assignments, dim=-1)
    weights = weights.reshape(batch, -1, 1).to(dtype).square()
    vwv, ywv = _InnerProducts.apply(
        embedding.reshape(batch, -1, embedding.shape[-1]).to(dtype), assignments, weights
    )
    ywy = (weights * assignments).transpose(1, 2) @ assignments
    return vwv, ywv, ywy, weights.sum(dim=(1, 2))


class _InnerProducts(torch.autograd.Function):
    @staticmethod
    def _blocks(embedding):
        """(item, first row, last row) of blocks that fit into a cache; on a GPU, of whole items."""
        batch, rows, _ = embedding.shape
        step = ROWS if embedding.device.type == "cpu" else rows
        return [(b, i, min(i + step, rows)) for b in range(batch) for i in range(0, rows, step)]

    @staticmethod
    def forward(ctx, embedding, assignments, weights):
        batch, _, dims = embedding.shape
        vwv = embedding.new_zeros(batch, dims, dims)
        ywv = embedding.new_zeros(batch, assignments.shape[-1], dims)
        norms = torch.linalg.vector_norm(embedding, dim=-1, keepdim=True).clamp_min_(1e-12)
        for b, i, j in _InnerProducts._blocks(embedding):
            e, norm = embedding[b, i:j], norms[b, i:j]  # V is e / norm, and never written
            scaled = e * (weights[b, i:j] / norm.square())
            vwv[b].addmm_(e.T, scaled)
            ywv[b].addmm_((assignments[b, i:j] * norm).T, scaled)
        ctx.save_for_backward(embedding, assignments, weights, norms)
        return vwv, ywv

    @staticmethod
    def backward(ctx, grad_vwv, grad_ywv):
        embedding, assignments, weights, norms = ctx.saved_tensors
        gradient = torch.empty_like(embedding)
        grad_vwv = grad_vwv + grad_vwv.transpose(1, 2)
        for b, i, j in _InnerProducts._blocks(embedding):
            e, norm = embedding[b, i:j], norms[b, i:j]
            # with respect to V, times the norm
            grad_v = torch.addmm(e @ grad_vwv[b], assignments[b, i:j] * norm, grad_ywv[b])
            # back through V = e / |e|: a change along e does not change V
            along = torch.linalg.vecdot(grad_v, e)[:, None] / norm.square()
            grad_v.addcmul_(e, along, value=-1)
            torch.mul(grad_v, weights[b, i:j] / norm.square(), out=gradient[b, i:j])
        return gradient, None, None
