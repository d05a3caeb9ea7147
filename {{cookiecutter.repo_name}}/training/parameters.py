"""The parameters of a model by the names of its modules: which are frozen, which form a group of
the optimizer.

A name is that of a module of the model's graph (`recurrent_stack`), of a module or parameter in it
(`recurrent_stack.rnn`, as in torch's `named_parameters`), or a shell pattern (`*.bias`). It
includes all parameters below it.
"""

from fnmatch import fnmatchcase

from torch.nn.modules.batchnorm import _NormBase  # of BatchNorm and InstanceNorm, of any dimension

from config.errors import closest, listed
from config.plain import is_below
from errors import amount

LAYERS = "layers."  # a nussl SeparationModel has its modules in an attribute of this name


def short(name):
    """A name of torch's without the prefix "layers."."""
    return name.removeprefix(LAYERS)


def tensors(model):
    """{name: tensor} of a model's parameters and buffers."""
    return {short(name): tensor for name, tensor in model.state_dict().items()}


def trainable(model):
    """{name: parameter} of those that are not frozen."""
    return {short(n): p for n, p in model.named_parameters() if p.requires_grad}


def matches(name, patterns):
    """Does any of the patterns match the module or parameter `name`, or one that it is below?"""
    return any(fnmatchcase(name, p) or fnmatchcase(name, f"{p}.*") for p in patterns)


def no_such_module(name, names, owner="the model", patterns=True):
    """The error message for a name that matches none of `names`; None if it matches one.

    Args:
        names: of the tensors of a model.
        owner: of these tensors, for the message.
        patterns: may the name be a pattern?
    """
    if any(matches(one, [name]) if patterns else is_below(one, name) for one in names):
        return None
    modules = [*dict.fromkeys(one.partition(".")[0] for one in names)]
    guess = closest(name, modules)
    hint = f"did you mean '{guess}'? " if guess else ""
    return f"there is no module '{name}' with weights; {hint}{owner} has {listed(modules)}"


class Frozen:
    """The parameters of a model that are not trained: they get no gradient, and no optimizer.

    Batch normalisation (or instance normalisation with running statistics) whose own weights are
    frozen, or that is named itself, uses its running statistics in training too, and does not
    update them. Dropout stays active.

    Attributes:
        names: of the parameters.
        norms: torch's names of the layers whose running statistics are frozen.

    Args:
        model: whose parameters are frozen.
        patterns: names, as above; None: nothing is frozen.
    """

    def __init__(self, model, patterns):
        self.names = []
        for name, parameter in model.named_parameters():
            if matches(short(name), patterns or ()):
                parameter.requires_grad_(False)
                self.names.append(short(name))
        self.norms = [
            name
            for name, module in model.named_modules()
            if isinstance(module, _NormBase)
            and module.track_running_stats
            and _is_frozen(short(name), module, patterns or ())
        ]

    def train_mode(self, model):
        """Put a model, or a copy of it, in training mode, all but the frozen statistics."""
        model.train()
        for name in self.norms:
            model.get_submodule(name).eval()
        return model

    def describe(self, model):
        """How many parameters there are, and which are frozen, for a log."""
        all_of_them = amount(sum(p.numel() for p in model.parameters()), "parameter")
        if not self.names:
            return all_of_them
        sizes = {short(name): p.numel() for name, p in model.named_parameters()}
        modules = dict.fromkeys(name.partition(".")[0] for name in self.names)
        count = sum(sizes[name] for name in self.names)
        return f"{all_of_them}, {count} of them frozen ({', '.join(modules)})"


def _is_frozen(name, module, patterns):
    own = [f"{name}.{parameter}" for parameter, _ in module.named_parameters()]
    return matches(name, patterns) or (own and all(matches(one, patterns) for one in own))


def groups_of(names, groups):
    """The parameters of each group of the optimizer.

    Args:
        names: of the parameters that are trained.
        groups: `train.optimizer.groups` of a config; a parameter is in the first that matches.

    Returns:
        [[name]]: the parameters in no group, then those of each group; lists may be empty.
    """
    of_groups = [[] for _ in range(len(groups) + 1)]
    for name in names:
        number = next((i for i, g in enumerate(groups, 1) if matches(name, g.modules)), 0)
        of_groups[number].append(name)
    return of_groups


def parameter_groups(model, groups):
    """The parameters that are trained, as an optimizer of torch takes them.

    Args:
        groups: as in `groups_of`, or None.

    Returns:
        [parameter], or with groups [{"params": [...], argument: value}]: first those in no group,
        to which the arguments of the optimizer itself apply.
    """
    parameters = trainable(model)
    if not groups:
        return list(parameters.values())
    args_of_groups = [{}, *(group.args for group in groups)]
    return [
        {"params": [parameters[name] for name in names], **args}
        for names, args in zip(groups_of(parameters, groups), args_of_groups, strict=True)
        if names
    ]
