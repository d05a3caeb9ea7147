"""Builds the graphs of nussl's `SeparationModel`, and checks the arguments of builders."""

ACTIVATIONS = ("sigmoid", "tanh", "relu", "softmax", "unit_norm", "l1_norm")

# [up to which frequency, how wide] in Hz
Bands = list[list[float]]
SPLIT_RNN: Bands = [[1000, 100], [4000, 250], [8000, 500], [16000, 1000], [20000, 2000]]  # "V7"


class Graph:
    """A graph under construction: inputs, then modules, each connected to earlier ones.

    Args:
        name: of the model.
        inputs: names of the features that it reads (`features.FrontEnd`).
    """

    def __init__(self, name, *inputs):
        self.name = name
        self.modules = {key: {} for key in inputs}
        self.connections = []

    def add(self, module_name, inputs, class_name, **args):
        """Add a module.

        Args:
            module_name: in the graph, and as an input of later modules.
            inputs: names of modules or features, or {argument of forward: such a name}.
            class_name: of nussl or in `model.extras.EXTRAS`.
            args: of the class.

        Returns:
            module_name.
        """
        self.modules[module_name] = {"class": class_name, "args": args}
        self.connections.append([module_name, list(inputs)])
        return module_name

    def finished(self, *output):
        """The graph as plain data; its outputs are those of the modules named."""
        return {
            "name": self.name,
            "modules": self.modules,
            "connections": self.connections,
            "output": list(output),
        }


def refuse_below(least, **values):
    """ValueError for a value that is too small: refuse_below(1, num_layers=num_layers)."""
    for name, value in values.items():
        if value < least:
            raise ValueError(f"{name} is {value}; at least {least} is needed")


def refuse_activations(name, activations):
    """ValueError for an activation that nussl's Embedding does not know and would leave out."""
    for activation in activations:
        if activation not in ACTIVATIONS:
            raise ValueError(f"{name} holds {activation!r}; known are " + ", ".join(ACTIVATIONS))


def check_probability(**values):
    """ValueError for a dropout that is not from 0 to below 1."""
    for name, value in values.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name} is {value}; it is a probability, from 0 to below 1")
