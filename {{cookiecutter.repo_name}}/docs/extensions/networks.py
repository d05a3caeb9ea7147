"""Networks drawn from the code: what stands in a page as `<!-- network: NAME -->` becomes the
diagram of the network of experiments/NAME.yml, with the shapes that a forward pass gives.
"""

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import marks
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PROJECT = Path(__file__).parents[2]

# in pixels of the picture
WIDTH, BOX, HEIGHT, GAP, LANE = 342, 290, 46, 34, 15


class Layer(NamedTuple):
    """An input or a module of a graph.

    about: its class and size; inputs: names of layers; shapes: of what it gives, without the batch;
    outputs: under which names the network returns that.
    """

    name: str
    about: str
    inputs: list[str]
    shapes: list[tuple[int, ...]]
    outputs: list[str]


def setup(app: Sphinx) -> dict[str, bool]:
    marks.add(app, "network", Network)
    return {"parallel_read_safe": True}


class Network(SphinxDirective):
    """The diagram of an experiment's network."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        path = PROJECT / "experiments" / f"{self.arguments[0]}.yml"
        if not path.exists():
            raise self.error(f"there is no {path}")
        self.env.note_dependency(str(path))
        picture = svg(layers_of(path), f"The network of {path.name}")
        return [nodes.raw("", f'<div class="network">{picture}</div>', format="html")]


def layers_of(path: Path) -> list[Layer]:
    """The layers of an experiment's network, in the order in which they run, with the shapes that
    one second of audio has in them. Aliases are outputs of what they stand for."""
    import torch

    import config
    from compat import nussl
    from experiment.training import build_front_end, build_graph

    experiment = config.load(path)
    signal, graph = experiment.signal, build_graph(experiment)
    network = nussl.ml.SeparationModel(graph)
    shapes = {}

    def note(name: str) -> Any:
        def hook(layer: torch.nn.Module, given: Any, result: Any) -> None:
            values = result.values() if isinstance(result, dict) else [result]
            shapes[name] = [*dict.fromkeys(tuple(value.shape[1:]) for value in values)]

        return hook

    for name, layer in network.layers.items():
        layer.register_forward_hook(note(name))
    mixture = torch.zeros(1, signal.num_channels, signal.sample_rate)
    features = build_front_end(experiment, [*network.input])({"mix": mixture})
    inputs = {name: features[name] for name in network.input}
    with torch.no_grad():
        network(inputs)
    shapes |= {name: [tuple(value.shape[1:])] for name, value in inputs.items()}

    sources = {
        name: [one.partition(":")[0] for one in given] for name, given in graph["connections"]
    }
    alias = {
        name: sources[name][0]
        for name, module in graph["modules"].items()
        if module.get("class") == "Alias"
    }
    found = []
    for name in [*network.input, *(name for name, _ in graph["connections"])]:
        if name in alias:
            continue
        module = graph["modules"][name]
        weights = sum(p.numel() for p in network.layers[name].parameters()) if module else 0
        size = f" · {weights:,} weights" if weights else ""
        about = f"{module['class']}{size}" if module else "input"
        outputs = [one for one in graph["output"] if alias.get(one, one) == name]
        given = [alias.get(one, one) for one in sources.get(name, [])]
        found.append(Layer(name, about, given, shapes[name], outputs))
    return found


def svg(layers: list[Layer], title: str) -> str:
    """Layers from top to bottom; lines beside them lead to those that are not the next."""
    place = {layer.name: number for number, layer in enumerate(layers)}
    parts = [part for number, layer in enumerate(layers) for part in _box(layer, _top(number))]
    past = []  # (from, to) of lines that pass by other layers
    for number, layer in enumerate(layers):
        for given in layer.inputs:
            if place[given] == number - 1:
                x, y = BOX / 2, _top(number)
                parts.append(f'<path class="line" d="M{x},{y - GAP} V{y}"/>{_head(x, y, 90)}')
            else:
                past.append((place[given], number))
    for lane, (first, last) in _lanes(past):
        x, start, end = BOX + (lane + 1) * LANE, _top(first) + 32, _top(last) + 14
        parts.append(
            f'<path class="line" d="M{BOX},{start} H{x - 6} q6,0 6,6 V{end - 6} q0,6 -6,6 H{BOX}"/>'
            + _head(BOX, end, 180)
        )
    height = _top(len(layers)) - GAP + 28
    chain = ", ".join(f"{layer.name} {_sizes(layer)}" for layer in layers)
    return (
        f'<svg role="img" viewBox="-1 -1 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'xmlns="http://www.w3.org/2000/svg" aria-label="{html.escape(f"{title}: {chain}")}">'
        + "".join(parts)
        + "</svg>"
    )


def _top(number: int) -> int:
    return number * (HEIGHT + GAP)


def _box(layer: Layer, top: int) -> Iterator[str]:
    kind = "box" if layer.inputs else "box input"
    yield f'<rect class="{kind}" x="0" y="{top}" width="{BOX}" height="{HEIGHT}" rx="6"/>'
    yield f'<text class="name" x="12" y="{top + 19}">{html.escape(layer.name)}</text>'
    yield f'<text class="about" x="12" y="{top + 36}">{html.escape(layer.about)}</text>'
    if layer.outputs:
        own = layer.outputs == [layer.name]
        text = "output" if own else "output " + ", ".join(layer.outputs)
        yield f'<text class="output" x="{BOX - 10}" y="{top + 19}">{html.escape(text)}</text>'
    yield f'<text class="shape" x="{BOX / 2 + 12}" y="{top + HEIGHT + 20}">{_sizes(layer)}</text>'


def _sizes(layer: Layer) -> str:
    return ", ".join(" × ".join(map(str, shape)) for shape in layer.shapes)


def _head(x: float, y: float, angle: int) -> str:
    return (
        f'<path class="head" transform="translate({x},{y}) rotate({angle})" d="M0,0 l-8,-4 v8 z"/>'
    )


def _lanes(lines: list[tuple[int, int]]) -> list[tuple[int, tuple[int, int]]]:
    """(lane, line) of each line: short ones are nearest; those that meet have different lanes."""
    taken: list[list[tuple[int, int]]] = []
    found = []
    for line in sorted(lines, key=lambda one: one[1] - one[0]):
        apart = (all(line[1] < other[0] or other[1] < line[0] for other in lane) for lane in taken)
        lane = next((number for number, fits in enumerate(apart) if fits), len(taken))
        taken += [[]] if lane == len(taken) else []
        taken[lane].append(line)
        found.append((lane, line))
    return found
