"""What pictures and pages show of a separation: levels of bins, and the plane of an embedding."""

import numpy as np
from sklearn.decomposition import PCA

FLOOR = -80  # dB relative to the loudest bin: the lowest level shown


def level_db(signal, reference=None):
    """The magnitude of the STFT, averaged over channels, in dB relative to `reference` and at least
    `FLOOR`: (bins, frames).

    Args:
        signal: an AudioSignal.
        reference: a magnitude; None: the largest one.
    """
    magnitude = np.abs(signal.stft()).mean(axis=-1)
    reference = max(magnitude.max(), 1e-12) if reference is None else reference
    return 20 * np.log10(np.maximum(magnitude / reference, 10 ** (FLOOR / 20)))


def embedding_plane(embedding, loud, most):
    """Loud bins in the plane of the two principal components of their embedding.

    Args:
        embedding: (..., dimensions).
        loud: bool (...), the bins to choose from; None: all.
        most: at most so many bins, drawn with a fixed seed.

    Returns:
        (indices of the bins in the flattened embedding, (bins, 2), share of the variance).
    """
    points = embedding.reshape(-1, embedding.shape[-1])
    chosen = np.arange(len(points)) if loud is None else np.flatnonzero(loud.reshape(-1))
    if len(chosen) > most:
        chosen = np.random.default_rng(0).choice(chosen, most, replace=False)
    plane = PCA(n_components=2, random_state=0).fit(points[chosen])
    return chosen, plane.transform(points[chosen]), plane.explained_variance_ratio_.sum()
