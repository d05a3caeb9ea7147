"""Divides names into splits, for datasets that are published without splits."""

import numpy as np

from errors import UserError

from .folders import suggestion

SPLITS = ("train", "val", "test")
FRACTIONS = {"val": 0.1, "test": 0.1}


def split_names(names, fractions=None, seed=0):
    """Divide names randomly: a fraction is for val, a fraction for test, the others for train.

    Args:
        names: of speakers, artists or anything else that must not be in two splits.
        fractions: {"val": 0.1, "test": 0.1}, the default; a split that is not in it gets none.
        seed: of the random order.

    Returns:
        {split: [name]}, each list sorted.

    Raises:
        UserError: fractions with other keys or values, or that leave nothing for train.
    """
    fractions = FRACTIONS if fractions is None else fractions
    for split, share in fractions.items():
        if split not in ("val", "test"):
            raise UserError(
                f"fractions has the key {split!r}; {suggestion(split, ['val', 'test'])}"
                "write {val: 0.1, test: 0.1}; train gets the others"
            )
        if not isinstance(share, int | float) or not 0 <= share < 1:
            raise UserError(f"fractions.{split} is {share!r}; write a number from 0 to below 1")
    if sum(fractions.values()) >= 1:
        raise UserError(f"fractions add up to {sum(fractions.values())}; nothing is left for train")
    names = sorted(names)
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    parts, first = {}, 0
    for split in ("test", "val"):
        count = round(fractions.get(split, 0) * len(names))
        parts[split], first = sorted(order[first : first + count]), first + count
    return {"train": sorted(order[first:]), **parts}
