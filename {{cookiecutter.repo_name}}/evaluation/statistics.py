"""Statistics for a table: means, medians, intervals."""

import numpy as np

RESAMPLINGS = 2000


def evenly(count, most):
    """At most `most` of the indices 0 to `count` - 1, spread evenly; None: all."""
    return np.linspace(0, count - 1, min(most or count, count)).round().astype(int).tolist()


def summarize(values, groups=None, seed=0):
    """Mean, median and a 95 % interval of the mean, of the finite values.

    The interval is a percentile bootstrap over `groups` (songs): items of one song are not
    independent, and are drawn together.

    Args:
        values: numbers; NaN and infinite ones are left out and counted.
        groups: to which group each value belongs; None: each to its own.

    Returns:
        {"count", "left_out", "mean", "median", "low", "high"}; None where there is no value, and
        for the interval of a single group, which says nothing of others.
    """
    values = np.asarray(values, float)
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    finite = np.isfinite(values)
    result = {"count": int(finite.sum()), "left_out": int((~finite).sum())}
    values, groups = values[finite], groups[finite]
    if not len(values):
        return {**result, "mean": None, "median": None, "low": None, "high": None}
    _, member = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(member, values), np.bincount(member)
    result |= {"mean": float(values.mean()), "median": float(np.median(values))}
    if len(sums) < 2:
        return {**result, "low": None, "high": None}
    drawn = np.random.default_rng(seed).integers(len(sums), size=(RESAMPLINGS, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return {**result, "low": float(low), "high": float(high)}
