"""What losses between estimates and sources share: the permutation of the estimates."""

import itertools

import torch
from scipy.optimize import linear_sum_assignment
from torch import nn

EXHAUSTIVE = 3  # estimates up to which all orders are tried, on the device


class SourceLoss(nn.Module):
    """The mean over utterances and sources of the cost of an estimate against its source.

    A subclass defines `paired`, the cost of each estimate against the target of the same index, and
    may define `pairwise`, the cost of each against every target, where that is faster than calling
    `paired` for each estimate.

    Args:
        permutation_invariant: utterance-level permutation-invariant training (uPIT): the estimates
            may come in any order, and the permutation of each utterance that costs least counts;
            surplus estimates cost nothing. Yu, Kolbaek, Tan and Jensen, "Permutation invariant
            training of deep models for speaker-independent multi-talker speech separation", ICASSP
            2017; Kolbaek, Yu, Tan and Jensen, "Multitalker speech separation with utterance-level
            permutation invariant training of deep recurrent neural networks", TASLP 2017. False:
            the estimates are in the order of the targets.
    """

    def __init__(self, permutation_invariant: bool = True):
        super().__init__()
        self.permutation_invariant = permutation_invariant

    def forward(self, estimates, targets):
        """estimates, targets: (batch, ..., sources); with permutation_invariant there may be more
        estimates than targets. Half precision is computed in float32.

        Returns:
            the loss, a scalar.

        Raises:
            ValueError: the shapes do not fit.
        """
        self._check_shapes(estimates, targets)
        estimates, targets = _at_least_single(estimates), _at_least_single(targets)
        if self.permutation_invariant and estimates.shape[-1] > 1:
            with torch.no_grad():
                order = cheapest_permutation(self.pairwise(estimates, targets))
            if estimates.shape[-1] == targets.shape[-1]:
                # targets have no gradient, so that they are cheaper to move
                targets = _in_order(targets, order.argsort(dim=-1))
            else:
                estimates = _in_order(estimates, order)
        return self.paired(estimates, targets).mean()

    def paired(self, estimates, targets):
        """(batch, ..., sources) twice -> the cost of each, (batch, sources)."""
        raise NotImplementedError

    def pairwise(self, estimates, targets):
        """The cost of each estimate against each target: (batch, estimates, targets).

        It only decides the permutation; no gradient flows through it.
        """
        costs = [
            self.paired(one.unsqueeze(-1).expand_as(targets), targets)
            for one in estimates.unbind(-1)
        ]
        return torch.stack(costs, dim=1)

    def _check_shapes(self, estimates, targets):
        shapes = f"estimates {tuple(estimates.shape)}, targets {tuple(targets.shape)}"
        name = type(self).__name__
        if estimates.ndim < 3 or estimates.shape[:-1] != targets.shape[:-1]:
            raise ValueError(
                f"{name} takes estimates and targets (batch, ..., sources) that may differ only in "
                f"the number of sources, found {shapes}"
            )
        fewest = targets.shape[-1]
        if estimates.shape[-1] < fewest:
            raise ValueError(
                f"{name} needs an estimate for each of {fewest} sources, found {shapes}"
            )
        if estimates.shape[-1] > fewest and not self.permutation_invariant:
            raise ValueError(
                f"{name} needs as many estimates as sources, or permutation_invariant: true, "
                f"found {shapes}"
            )


def cheapest_permutation(costs):
    """The estimate for each target, so that the sum of costs is least.

    costs: (batch, estimates, targets), at least as many estimates as targets. All orders are tried
    for up to 3 estimates; beyond, it is the Hungarian algorithm's (Kuhn 1955).

    Returns:
        indices of estimates, (batch, targets).
    """
    batch, estimates, targets = costs.shape
    if estimates <= EXHAUSTIVE:
        orders = torch.tensor(
            list(itertools.permutations(range(estimates), targets)), device=costs.device
        )
        places = torch.arange(targets, device=costs.device)
        # (batch, orders, targets): what each source costs in each order
        return orders[costs[:, orders, places].sum(dim=-1).argmin(dim=-1)]
    if costs.is_meta:
        return costs.new_zeros(batch, targets, dtype=torch.long)
    # a NaN must not raise here: the loss will be NaN too, and the Trainer reports where from
    matrices = costs.double().nan_to_num().transpose(1, 2).cpu().numpy()
    orders = [torch.from_numpy(linear_sum_assignment(matrix)[1]) for matrix in matrices]
    return torch.stack(orders).to(costs.device)


def _in_order(signals, order):
    """The sources (last dimension) of each utterance in an order of its own: (batch, sources)."""
    rows = torch.arange(len(order), device=order.device)[:, None]
    return signals.movedim(-1, 1)[rows, order].movedim(1, -1)


def _at_least_single(signals):
    return signals.to(torch.promote_types(signals.dtype, torch.float32))
