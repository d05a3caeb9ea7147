"""Networks of other packages, by their dotted path: `model: {module: package.Class, ...}`."""

from .extras.external import INPUT, allow, class_at, package_of
from .graphs import Graph

DEFAULT_INPUT, DEFAULT_OUTPUT = " ".join(INPUT), "batch sources channels samples"


def external_network(path, args, input=None, output=None, target=None):
    """A network of another package, which reads and writes waveforms::

        mix_audio (batch, channels, samples) -> audio (batch, channels, samples, sources)

    Args:
        path: dotted, of a torch.nn.Module; checkpoints that name it may be loaded from now on.
        args: of the class.
        input, output, target: as in `extras.external.ExternalNetwork`.

    Returns:
        the graph, as nussl's SeparationModel takes it, with the name and version of the package.
    """
    allow(path)
    package, version = package_of(path)
    graph = Graph(path, "mix_audio")
    sources = [] if target is None else [{"sources": "source_audio"}]  # where they are given
    graph.add(
        "audio",
        ["mix_audio", *sources],
        "ExternalNetwork",
        path=path,
        args=dict(args),
        input=input or DEFAULT_INPUT,
        output=output or DEFAULT_OUTPUT,
        package=package,
        version=version,
        **({} if target is None else {"target": target}),
    )
    return graph.finished("audio")


__all__ = ["allow", "class_at", "external_network"]
