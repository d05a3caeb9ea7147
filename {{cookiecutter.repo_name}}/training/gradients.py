"""Gradient clipping: by a norm, or by AutoClip."""

import array
import math

import numpy as np
import torch


class Clipping:
    """Limit the norm of the gradient: to a number, or to a percentile of all norms seen so far.

    The latter is AutoClip: Seetharaman, Wichern, Pardo and Le Roux, "AutoClip: adaptive gradient
    clipping for source separation networks", MLSP 2020.

    Args:
        settings: the section `train.gradient_clip` of a config, or None: no limit.
    """

    def __init__(self, settings):
        self.settings = settings
        self.norms = array.array("d")  # of all steps, whose percentile is AutoClip's limit

    def __call__(self, parameters, norm):
        """Scale the gradients of `parameters`, whose norm is `norm` (a scalar tensor)."""
        limit = self._limit(norm)
        if limit is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, limit, norm)

    def _limit(self, norm):
        if self.settings is None:
            return None
        if self.settings.percentile is None:
            return self.settings.max_norm
        value = norm.item()
        if not math.isfinite(value):  # float16 overflow: GradScaler skips this step
            return None
        self.norms.append(value)
        return float(np.percentile(self.norms, self.settings.percentile))

    def state_dict(self):
        return {"norms": torch.tensor(self.norms.tolist(), dtype=torch.float64)}

    def load_state_dict(self, state):
        self.norms = array.array("d", state["norms"].tolist())
