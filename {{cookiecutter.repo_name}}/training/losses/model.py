"""The loss that a network of another package computes itself."""

from torch import nn


class ModelLoss(nn.Module):
    """What the network returns when it is given the sources too: its own loss.

    For a `model.module` with `model.target`; the only term of `train.loss` then, since such a
    network returns no waveforms beside its loss.

    Args:
        permutation_invariant: does the network look for the best order of the sources?
    """

    DEFAULT_KEYS = {"audio": "value", "source_audio": "sources"}

    def __init__(self, permutation_invariant: bool = False):
        super().__init__()
        self.permutation_invariant = permutation_invariant

    def forward(self, value, sources):
        """A scalar -> the same; `sources` are what the network was given."""
        return value


def inputs_of(names, features, losses):
    """What a step gives the model: {name: feature}.

    Args:
        names: that the model reads of a mixture.
        features: of the front end.
        losses: {name: Term}.
    """
    own = any(isinstance(term.loss, ModelLoss) for term in losses.values())
    return {name: features[name] for name in (*names, *(["source_audio"] if own else []))}
