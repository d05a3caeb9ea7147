"""Confidence measures of a clustering, which need no references."""

import contextlib

import numpy as np

from compat import nussl

MOST_POINTS = 2000  # loud points that are measured; more change little
MEASURES = {
    "silhouette": "silhouette_confidence",
    "posterior": "posterior_confidence",
    "loudness": "loudness_confidence",
    "jensen_shannon": "jensen_shannon_confidence",
    "whitened_kmeans": "whitened_kmeans_confidence",
    "deep_clustering_loss": "dpcl_classic_confidence",
}


def confidence(algorithm):
    """nussl's confidence measures (`nussl.ml.confidence`) of a clustering that has run.

    They are measured on the points to which the clusters were fitted, and are deterministic.
    Seetharaman, Wichern, Le Roux and Pardo, "Bootstrapping single-channel source separation via
    unsupervised spatial clustering on stereo mixtures", ICASSP 2019.

    Args:
        algorithm: one with `loud_points`, such as `DeepClustering`.

    Returns:
        {measure: number}, higher is more confident; {} if the algorithm does no clustering.
    """
    if getattr(algorithm, "loud_points", None) is None:
        return {}
    points, loudness = algorithm.loud_points
    if len(points) > MOST_POINTS:
        some = np.random.default_rng(0).choice(len(points), MOST_POINTS, replace=False)
        points, loudness = points[some], loudness[some]
    scores = {}
    with _seeded():
        for name, function in MEASURES.items():
            measure = getattr(nussl.ml.confidence, function)
            # threshold 0: all of these are loud; the quietest is left out
            scores[name] = float(
                measure(None, points, algorithm.num_sources, threshold=0, representation=loudness)
            )
    return scores


@contextlib.contextmanager
def _seeded():
    """A context in which numpy's global generator, which nussl uses, is seeded; its state is
    restored afterwards."""
    state = np.random.get_state()
    np.random.seed(0)
    try:
        yield
    finally:
        np.random.set_state(state)
