"""Oracles: ideal masks, made from the references."""

from compat import nussl


def ideal_ratio_mask(mix, sources):
    """Each source by its share of the magnitudes: [AudioSignal] in the order of `sources`."""
    oracle = nussl.separation.benchmark.IdealRatioMask(mix, sources, approach="msa")
    return oracle()


def ideal_binary_mask(mix, sources):
    """Each bin to its loudest source: [AudioSignal] in the order of `sources`."""
    return nussl.separation.benchmark.IdealBinaryMask(mix, sources)()


ORACLES = {"ideal ratio mask": ideal_ratio_mask, "ideal binary mask": ideal_binary_mask}
