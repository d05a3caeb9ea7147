"""The levels of the mixtures that a network was trained on, stored in its checkpoint: separation
scales recordings that are softer or louder to them."""

import logging
import math

import torch

log = logging.getLogger("train")

SILENT_DB = -60.0  # excerpts below this RMS level do not count


class Levels:
    """Mean and standard deviation of the RMS levels of mixtures, in dB of full scale."""

    def __init__(self):
        self.count, self.total, self.squares = 0, 0.0, 0.0

    def add(self, mix):
        """Count the mixtures of a batch: (batch, channels, samples)."""
        norm = torch.linalg.vector_norm(mix, dim=(1, 2)) / math.sqrt(mix[0].numel())
        for level in (20 * norm.clamp_min(1e-10).log10()).tolist():
            if level > SILENT_DB:
                self.count += 1
                self.total += level
                self.squares += level * level

    def warn_if_silent(self, kind):
        """Warn if nothing was counted: every excerpt, of training or validation, was silent."""
        if not self.count:
            log.warning(
                "all %s excerpts so far are silent or nearly so (below %g dB of full scale), and "
                "losses on them mean nothing; look at the data, with scripts.audit for example",
                kind,
                SILENT_DB,
            )

    def summary(self):
        """{"mean": ..., "std": ...}; None if nothing was counted."""
        if not self.count:
            return None
        mean = self.total / self.count
        variance = max(0.0, self.squares / self.count - mean * mean)
        return {"mean": round(mean, 2), "std": round(math.sqrt(variance), 2)}

    def state_dict(self):
        return vars(self).copy()

    def load_state_dict(self, state):
        vars(self).update(state)
