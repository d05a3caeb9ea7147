"""Which names belong to which split, where the publisher does not say."""

import numpy as np

from errors import UserError

from .folders import did_you_mean

SPLITS = ("train", "val", "test")
FRACTIONS = {"val": 0.1, "test": 0.1}


def divided(names, fractions=None, seed=0):
    """{split: [names], sorted}: a fraction of the names for val and for test, the others for train.

    Args:
        names: of speakers, artists or whatever must not be in two splits.
        fractions: {"val": 0.1, "test": 0.1}, the default; what is not named there is 0.
        seed: of the draw.

    Raises:
        UserError: fractions of another kind, or that leave nothing for train.
    """
    fractions = FRACTIONS if fractions is None else fractions
    for split, share in fractions.items():
        if split not in ("val", "test"):
            raise UserError(
                f"fractions has the key {split!r}; {did_you_mean(split, ['val', 'test'])}"
                "write {val: 0.1, test: 0.1}, train is what is left"
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
