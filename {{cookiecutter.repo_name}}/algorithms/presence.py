"""Masks of a chimera network averaged with its clusters, and used alone where a source is absent.

Clusters divide every passage among all sources, even an instrumental one; masks can leave a source
silent.
"""

import torch

AROUND = 0.4  # seconds before and after a frame over which energies are averaged
OVER_DB = 10.0  # range below `absent_db` over which the weight of the masks rises to 1


def blended(shares, masks, magnitude, weight, absent_db, frame_rate):
    """Clusters and a network's masks, averaged.

    Args:
        shares: of the clusters in each bin, (..., frames, bins, channels, sources), which add up
            to 1.
        masks: of the network, the same shape.
        magnitude: of the mixture, (..., frames, bins, channels).
        weight: of the masks, 0 to 1.
        absent_db: level of a source below which the weight rises (`weight_of_masks`); None: it is
            the same everywhere.
        frame_rate: frames a second.

    Returns:
        the shape of `shares`; they add up to 1.
    """
    if not weight and absent_db is None:
        return shares
    masks = masks / masks.sum(dim=-1, keepdim=True).clamp_min(1e-8)
    if absent_db is not None:
        weight = weight_of_masks(masks, magnitude, weight, absent_db, round(AROUND * frame_rate))
    return shares + weight * (masks - shares)


def weight_of_masks(masks, magnitude, usual, absent_db, reach):
    """The weight of a network's masks in each frame: `usual`, and up to 1 where they give one of
    the sources less than `absent_db` of the energy around.

    Args:
        masks: (..., frames, bins, channels, sources), which add up to 1.
        magnitude: of the mixture, (..., frames, bins, channels).
        usual: the weight where all sources are present.
        absent_db: in dB relative to the energy of the mixture.
        reach: frames before and after each over which energies are averaged.

    Returns:
        (..., frames, 1, 1, 1)
    """
    power = magnitude.square()[..., None]
    parts = _around((masks.square() * power).sum(dim=(-3, -2)), reach)  # (..., frames, sources)
    whole = _around(power.sum(dim=(-3, -2)), reach)
    least = (parts.amin(dim=-1) / whole[..., 0].clamp_min(1e-20)).clamp_min(1e-12)
    absence = ((absent_db - 10 * torch.log10(least)) / OVER_DB).clamp(0.0, 1.0)
    return (usual + (1.0 - usual) * absence)[..., None, None, None]


def _around(energy, reach):
    """The mean over the frames around: (..., frames, values) -> the same shape."""
    rows = energy.transpose(-1, -2)
    mean = torch.nn.functional.avg_pool1d(
        rows.reshape(1, -1, rows.shape[-1]), 2 * reach + 1, stride=1, padding=reach
    )
    return mean.reshape(rows.shape).transpose(-1, -2)
