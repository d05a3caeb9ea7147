"""Networks that compute the same in another way: copies with other modules in their places."""

import copy


def copy_with(network, replacements):
    """A copy of a network, in evaluation mode, without the gradients of its weights.

    Args:
        network: a torch module.
        replacements: {class: function(module of that class) -> the module in its place}.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            for kind, replaced in replacements.items():
                if isinstance(child, kind):
                    setattr(parent, name, replaced(child))
                    break
    return network
