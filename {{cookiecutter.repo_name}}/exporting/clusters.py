"""k-means as a fixed number of tensor operations, so that it can be a part of an exported graph."""

import itertools

import torch
from torch import nn

STARTS = 4  # initialisations of k-means
STEPS = 20  # of Lloyd's algorithm
EQUAL = 1.001  # initialisations with mean distances within this factor count as equally good
SHARPNESS = 200.0  # of the soft assignment of points, relative to their variance


class Clusters(nn.Module):
    """Soft masks from the embedding of a recording, as `algorithms.DeepClustering` makes them.

    Lloyd's algorithm on the loud points. If the network's masks have an order, it starts from the
    means weighted by these. Otherwise it starts several times, from points that are far apart
    (Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985), and the result
    with the smallest sum of squared distances is used. Points are assigned softly, so that the
    centres depend continuously on the rounding errors of a runtime.

    Args:
        num_sources: clusters.
        percentile: clusters are fitted to points louder than this percentile.
        beta: of the masks exp(-beta * distance to the centre), normalised.
    """

    def __init__(self, num_sources, percentile, beta):
        super().__init__()
        self.num_sources, self.beta = num_sources, beta
        self.thousandths = round(percentile * 1000)
        orders = list(itertools.permutations(range(num_sources)))
        self.register_buffer("orders", torch.tensor(orders), persistent=False)

    def forward(self, embedding, loudness, masks=None):
        """Args:
            embedding: (points, dims).
            loudness: (points,).
            masks: (points, sources), of the network, which name the clusters; or None.

        Returns:
            (points, sources), adding up to 1
        """
        loud = loudness.topk(self._above(loudness.shape[0])).indices
        points = embedding[loud]
        if masks is None:
            starts = self._far_apart(points)
        else:
            weights = masks[loud].T
            means = weights @ points / weights.sum(dim=1, keepdim=True).clamp_min(1e-8)
            starts = means[None]
        centres = self._fit(points, starts)
        shares = self._shares(embedding, centres)
        if masks is None:
            return shares
        agreement = (masks[loud] * loudness[loud, None]).T @ shares[loud]
        sources = torch.arange(self.num_sources)
        best = agreement[sources, self.orders].sum(dim=1).argmax()
        return shares[:, self.orders[best]]

    def _above(self, count):
        """How many of `count` points are at or above the percentile."""
        below = (count - 1) * self.thousandths
        return count + -below // 100_000  # count - ceil(below / 100,000)

    def _far_apart(self, points):
        """Initial centres, (starts, sources, dims): one of the points, then always the one farthest
        from the centres so far."""
        count = points.shape[0]
        first = (2 * torch.arange(STARTS) + 1) * count // (2 * STARTS)
        centres = [points[first]]
        nearest = _squared(points, centres[0])  # (points, starts)
        for _ in range(self.num_sources - 1):
            centres.append(points[nearest.argmax(dim=0)])
            nearest = torch.minimum(nearest, _squared(points, centres[-1]))
        return torch.stack(centres, dim=1)

    def _fit(self, points, centres):
        """(starts, sources, dims) -> the best (sources, dims)"""
        variance = (points - points.mean(dim=0)).square().sum(dim=1).mean()
        sharpness = SHARPNESS / variance.clamp_min(1e-12)
        for _ in range(STEPS):
            member = torch.softmax(-sharpness * _farness(points, centres), dim=1)
            count = member.sum(dim=2, keepdim=True)
            centres = torch.where(count > 0.5, member @ points / count.clamp_min(0.5), centres)
        constant = points.square().sum(dim=1) / 2
        distance = (constant + _farness(points, centres).amin(dim=1)).mean(dim=1)
        # the first of those that are equally good: they may be the same clusters in another order,
        # and rounding must not choose between them
        good = distance <= EQUAL * distance.min() + 1e-6
        return centres[(good.to(torch.int64).cumsum(dim=0) == 0).sum()]

    def _shares(self, embedding, centres):
        """(points, sources)"""
        squared = [(embedding - centre).square().sum(dim=-1) for centre in centres.unbind()]
        closeness = torch.exp(-self.beta * torch.stack(squared, dim=-1).sqrt()) + 1e-8
        return closeness / closeness.sum(dim=-1, keepdim=True)


def _squared(points, centres):
    """Squared distances of (points, dims) and (starts, dims): (points, starts)"""
    return points.square().sum(-1, keepdim=True) - 2 * points @ centres.T + centres.square().sum(-1)


def _farness(points, centres):
    """Half of the squared distances, without |x|^2, which is the same for all centres of a point:
    (points, dims), (starts, sources, dims) -> (starts, sources, points)"""
    return centres.square().sum(dim=-1)[..., None] / 2 - centres @ points.T
