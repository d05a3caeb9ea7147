"""The deep clustering loss, with its gradient in closed form."""

import torch
from torch import nn

ROWS = 8192  # bins at a time on a CPU: embeddings of this many stay in its cache


class DeepClusteringLoss(nn.Module):
    """How far the affinities of the embeddings are from those of the sources, louder bins first.

    With unit-norm embeddings V (N, dims), assignments Y (N, sources) and W = diag(weights^2), over
    the N bins of an item::

        loss = (|V'WV|^2 - 2 |V'WY|^2 + |Y'WY|^2) / (sum of weights^2)^2

    averaged over the batch: equation (7) of Wang, Le Roux and Hershey, "Alternative objective
    functions for deep clustering", ICASSP 2018. Same values as nussl's DeepClusteringLoss; the
    gradient 4 W (V (V'WV) - Y (Y'WV)) is computed directly, without an (N, dims) tensor for each
    operation on the way.
    """

    DEFAULT_KEYS = {
        "embedding": "embedding",
        "ideal_binary_mask": "assignments",
        "weights": "weights",
    }

    def forward(self, embedding, assignments, weights):
        """embedding: (batch, ..., dims); assignments: (batch, ..., sources); weights: (batch, ...).

        Returns:
            the loss, a scalar >= 0.
        """
        batch = embedding.shape[0]
        assignments = nn.functional.normalize(
            assignments.reshape(batch, -1, assignments.shape[-1]), dim=-1
        )
        return _AffinityLoss.apply(
            embedding.reshape(batch, -1, embedding.shape[-1]),
            assignments.to(embedding.dtype),
            weights.reshape(batch, -1, 1).to(embedding.dtype).square(),
        )


class _AffinityLoss(torch.autograd.Function):
    @staticmethod
    def _blocks(embedding):
        """(item, first row, last row) of blocks that fit into a cache; on a GPU, of whole items."""
        batch, rows, _ = embedding.shape
        step = ROWS if embedding.device.type == "cpu" else rows
        return [(b, i, min(i + step, rows)) for b in range(batch) for i in range(0, rows, step)]

    @staticmethod
    def forward(ctx, embedding, assignments, weights):
        batch, _, dims = embedding.shape
        sources = assignments.shape[-1]
        vwv = embedding.new_zeros(batch, dims, dims)
        ywv = embedding.new_zeros(batch, sources, dims)
        norms = torch.linalg.vector_norm(embedding, dim=-1, keepdim=True).clamp_min_(1e-12)
        for b, i, j in _AffinityLoss._blocks(embedding):
            v = embedding[b, i:j] / norms[b, i:j]
            wv = weights[b, i:j] * v
            vwv[b].addmm_(v.T, wv)
            ywv[b].addmm_(assignments[b, i:j].T, wv)
        ywy = (weights * assignments).transpose(1, 2) @ assignments
        scale = weights.sum(dim=(1, 2)).square() + 1e-8
        ctx.save_for_backward(embedding, assignments, weights, norms, vwv, ywv, scale)
        loss = vwv.square().sum((1, 2)) - 2 * ywv.square().sum((1, 2)) + ywy.square().sum((1, 2))
        return (loss / scale).mean()

    @staticmethod
    def backward(ctx, upstream):
        embedding, assignments, weights, norms, vwv, ywv, scale = ctx.saved_tensors
        gradient = torch.empty_like(embedding)
        factor = upstream * 4 / (scale * len(embedding))
        for b, i, j in _AffinityLoss._blocks(embedding):
            norm = norms[b, i:j]
            v = embedding[b, i:j] / norm
            slope = torch.addmm(v @ vwv[b], assignments[b, i:j], ywv[b], alpha=-1)
            # through the normalisation: what points along v changes nothing
            slope -= v * (slope * v).sum(dim=-1, keepdim=True)
            torch.mul(slope, factor[b] * weights[b, i:j] / norm, out=gradient[b, i:j])
        return gradient, None, None
