"""Networks of other packages, as a module between the mixture and the sources."""

import functools
import importlib
import importlib.metadata

import torch
from torch import nn

from errors import UserError

INPUT = ("batch", "channels", "samples")
OUTPUT = ("batch", "channels", "samples", "sources")
LONGEST_REST = 8192  # samples by which an output may be shorter or longer than the mixture
LARGEST_REST = 0.5  # of a training excerpt: if more is missing, the axes are probably wrong

_packages = functools.cache(importlib.metadata.packages_distributions)  # looks at all files
_allowed: set[str] = set()  # dotted paths that configurations name


def allow(path):
    """Let `ExternalNetwork` import a dotted path that a configuration names. A path that only a
    checkpoint names is never imported, as importing it would run its code."""
    _allowed.add(path)


def class_at(path):
    """The class at a dotted path.

    Raises:
        ValueError: the path names no torch.nn.Module; the package cannot be imported.
    """
    module, _, name = path.rpartition(".")
    if not module or not all(part.isidentifier() for part in path.split(".")):
        raise ValueError(f"{path!r} is no dotted path of a class, as in package.module.Class")
    try:
        kind = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise ValueError(f"{module} cannot be imported ({error}); is it installed?") from error
    if kind is None:
        raise ValueError(f"{module} has no {name}")
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise ValueError(f"{module} has a {name} that is no torch.nn.Module")
    return kind


def package_of(path):
    """(name, version) of the installed package of a dotted path; (None, None) if it is in none."""
    names = _packages().get(path.partition(".")[0])
    return (names[0], importlib.metadata.version(names[0])) if names else (None, None)


def axes_of(text, all_of):
    """The axes in a text such as "batch channels samples".

    Args:
        all_of: the names that must be there, in any order; "channels" may be missing.

    Raises:
        ValueError: a name is missing, unknown or repeated.
    """
    axes = tuple(text.split())
    needed = {axis for axis in all_of if axis != "channels"}
    if len({*axes}) != len(axes) or not needed <= {*axes} <= {*all_of}:
        raise ValueError(
            f"{text!r} does not name the axes {', '.join(all_of)}, each once, in any order "
            "(channels may be missing, for mono)"
        )
    return axes


class ExternalNetwork(nn.Module):
    """A torch.nn.Module of any package that separates waveforms.

    Args:
        path: dotted, of the class: "bs_roformer.BSRoformer". A configuration has to have named it
            (`allow`).
        args: of the class.
        input: the axes of its input: "batch channels samples" in any order.
        output: of its output: "batch sources channels samples" in any order. Without "channels" it
            is mono.
        target: the argument of the class's `forward` that takes the sources, with the axes of the
            output; the network then returns its loss.
        package, version: with which the weights were trained; other versions are refused. None:
            the class is in no package.

    Raises:
        UserError: no configuration names the path, or the package has another version.
        ValueError: there is no such class, or the axes are others.
    """

    def __init__(
        self,
        path: str,
        args: dict,
        input: str = "batch channels samples",
        output: str = "batch sources channels samples",
        package: str | None = None,
        version: str | None = None,
        target: str | None = None,
    ):
        super().__init__()
        self.input, self.output = axes_of(input, INPUT), axes_of(output, OUTPUT)
        if path not in _allowed:
            raise UserError(
                f"its network is {path}{f' of the package {package}' if package else ''}; a file "
                "that names it has it imported, a checkpoint alone does not. Write module: "
                f"{path} under model, as in the config.yml of its training run"
            )
        if package is not None and (installed := package_of(path)) != (package, version):
            raise UserError(
                f"its network was made by {package} {version}, and {installed[1] or 'none'} is "
                f"installed; pip install {package}=={version}"
            )
        self.path, self.target = path, target
        self.network = class_at(path)(**args)

    def forward(self, audio, sources=None):
        """(batch, channels, samples) -> (batch, channels, samples, sources)

        sources: (batch, channels, samples, sources), with `target` in training: the result is then
        the loss, a scalar. Anything but a tensor counts as no sources.
        """
        channels, samples = audio.shape[1:]
        if "channels" not in self.input:
            audio = self._mono(audio)
        given = [axis for axis in INPUT if axis in self.input]
        audio = audio.permute([given.index(axis) for axis in self.input])
        if torch.is_tensor(sources):
            return self._loss(audio, sources)
        out = self.network(audio)
        if getattr(out, "ndim", None) != len(self.output):
            found = f"shape {tuple(out.shape)}" if hasattr(out, "shape") else type(out).__name__
            raise ValueError(
                f"{self.path} gives {found}, which is not model.output {' '.join(self.output)!r}"
            )
        named = [axis for axis in OUTPUT if axis in self.output]
        out = out.permute([self.output.index(axis) for axis in named])
        if "channels" not in self.output:
            out = out.unsqueeze(1)
        missing = samples - out.shape[2]
        if out.shape[1] != channels or abs(missing) > LONGEST_REST or self._too_short(out, samples):
            raise ValueError(
                f"{self.path} gives {out.shape[1]} channels of {out.shape[2]} samples for "
                f"{channels} of {samples}; are the axes of model.input and model.output right?"
            )
        return nn.functional.pad(out, (0, 0, 0, missing))

    def _too_short(self, out, samples):
        """Is so much of a training excerpt missing that the axes must be wrong? Recordings to
        separate may be shorter than `LONGEST_REST` themselves."""
        return self.training and out.shape[2] < samples * (1 - LARGEST_REST)

    def _loss(self, audio, sources):
        if "channels" not in self.output:
            sources = sources[:, 0]
        named = [axis for axis in OUTPUT if axis in self.output]
        sources = sources.permute([named.index(axis) for axis in self.output])
        loss = self.network(audio, **{self.target: sources})
        if not torch.is_tensor(loss) or loss.numel() != 1:
            found = f"shape {tuple(loss.shape)}" if torch.is_tensor(loss) else type(loss).__name__
            raise ValueError(
                f"{self.path}, given the sources as {self.target}, returns {found} and no loss, "
                "which is one number"
            )
        return loss.reshape(())

    def _mono(self, audio):
        if audio.shape[1] != 1:
            raise ValueError(
                f"{self.path} takes no channels (model.input), and the audio has {audio.shape[1]}; "
                "write signal.num_channels: 1"
            )
        return audio[:, 0]
