"""The deep clustering loss, with its gradient in closed form."""

from torch import nn

from .inner_products import inner_products


class DeepClusteringLoss(nn.Module):
    """Squared distance of the affinities of the embeddings from those of the sources, weighted by
    loudness.

    With unit-norm embeddings V (N, dims), assignments Y (N, sources) and W = diag(weights^2), over
    the N bins of an item::

        loss = (|V'WV|^2 - 2 |V'WY|^2 + |Y'WY|^2) / (sum of weights^2)^2

    averaged over the batch: equation (7) of Wang, Le Roux and Hershey, "Alternative objective
    functions for deep clustering", ICASSP 2018. Same values as nussl's DeepClusteringLoss.
    """

    mean_over_items = True
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
        vwv, ywv, ywy, total = inner_products(embedding, assignments, weights)
        distance = _energy(vwv) - 2 * _energy(ywv) + _energy(ywy)
        return (distance / (total.square() + 1e-8)).mean()


def _energy(matrices):
    return matrices.square().sum(dim=(1, 2))
