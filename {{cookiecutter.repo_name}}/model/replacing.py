"""Copies of networks in which some modules are replaced by others that compute the same."""

import copy


def copy_with(network, replacements):
    """A copy of a network in evaluation mode, without gradients, with some modules replaced.

    Args:
        network: a torch module.
        replacements: {class: function(module of this class) -> the new module}.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            for kind, replaced in replacements.items():
                if isinstance(child, kind):
                    setattr(parent, name, replaced(child))
                    break
    return network
