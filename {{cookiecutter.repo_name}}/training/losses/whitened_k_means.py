"""The whitened k-means loss, with its gradient in closed form."""

import torch
from torch import nn

from .deep_clustering import DeepClusteringLoss
from .inner_products import inner_products


class WhitenedKMeansLoss(nn.Module):
    """Distance of whitened embeddings from the means of their sources, weighted by loudness.

    With unit-norm embeddings V (N, dims), assignments Y (N, sources) and W = diag(weights^2), over
    the N bins of an item::

        loss = dims + sources - 2 trace((V'WV + I)^-1 V'WY (Y'WY + I)^-1 Y'WV)

    averaged over the batch: equation (6) of Wang, Le Roux and Hershey, "Alternative objective
    functions for deep clustering", ICASSP 2018, as nussl's WhitenedKMeansLoss has it. Where weights
    sum to many bins (N, with those of the front end) it is between dims - sources, for embeddings
    that separate the sources, and dims + sources.
    """

    mean_over_items = True
    DEFAULT_KEYS = DeepClusteringLoss.DEFAULT_KEYS

    def forward(self, embedding, assignments, weights):
        """embedding: (batch, ..., dims); assignments: (batch, ..., sources); weights: (batch, ...).

        Returns:
            the loss, a scalar.
        """
        vwv, ywv, ywy, _ = inner_products(embedding, assignments, weights)
        # (batch, sources, dims) and (batch, dims, sources)
        means = torch.linalg.solve(_plus_identity(ywy), ywv)
        whitened = torch.linalg.solve(_plus_identity(vwv), ywv.transpose(1, 2))
        trace = (whitened * means.transpose(1, 2)).sum(dim=(1, 2))
        return (vwv.shape[-1] + ywy.shape[-1] - 2 * trace).mean()


def _plus_identity(matrices):
    return matrices + torch.eye(matrices.shape[-1], dtype=matrices.dtype, device=matrices.device)
