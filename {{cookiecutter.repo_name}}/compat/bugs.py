"""Repairs of errors in nussl 1.1.9 itself.

They change results to what nussl's own documentation says. None changes the names or the shapes of
a model's weights.
"""

import functools
import inspect
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import nussl
import torch
from nussl.core import migration  # nussl itself imports it only when it loads a model
from torch import Tensor, nn

from compat.overlay import Overlay
from errors import UserError, amount

blocks = nussl.ml.networks.modules.blocks
transforms = nussl.datasets.transforms
SeparationException = nussl.separation.SeparationException


def repair() -> None:
    """Apply all repairs of this file. Call it once, directly after importing nussl."""
    permutation_per_example()
    clipped_files()
    short_signals()
    sum_sources()
    silent_references()
    mix_key_in_builders()
    forget_gate_bias()
    residuals()
    trailing_frames()
    mask_gradient()
    gated_tanh_as_a_string()
    absent_device()
    checkpoints()


def permutation_per_example() -> None:
    """ml/train/loss.py:242,285 chose the best permutation of each time-frequency bin if the wrapped
    loss is elementwise (L1Loss, MSELoss): estimates that swap sources between bins had a loss of 0.

    Now: one permutation for each example, as in Yu et al. 2017.
    """

    def per_example(criterion: nn.Module, estimates: Tensor, targets: Tensor) -> Tensor:
        # (batch, points, sources), or (batch, sources) of SISDRLoss
        losses = criterion(estimates, targets)
        return losses.reshape(losses.shape[0], -1).mean(dim=-1)

    def permutation_invariant(self: nn.Module, estimates: Tensor, targets: Tensor) -> Tensor:
        """estimates, targets: (batch, ..., sources)"""
        if estimates.shape[-1] != targets.shape[-1]:
            raise ValueError(
                f"{amount(estimates.shape[-1], 'estimate')} of {targets.shape[-1]} sources: "
                "use CombinationInvariantLoss"
            )
        return combination_invariant(self, estimates, targets)

    def combination_invariant(self: nn.Module, estimates: Tensor, targets: Tensor) -> Tensor:
        """estimates: (batch, ..., sources or more of them), targets: (batch, ..., sources)"""
        estimates, targets = estimates.flatten(1, -2), targets.flatten(1, -2)
        sources = targets.shape[-1]
        losses = [
            per_example(self.loss_function, estimates[..., list(chosen)], targets[..., list(order)])
            for chosen in itertools.combinations(range(estimates.shape[-1]), sources)
            for order in itertools.permutations(range(sources))
        ]
        return torch.stack(losses).amin(dim=0).mean()

    nussl.ml.train.loss.PermutationInvariantLoss.forward = permutation_invariant
    nussl.ml.train.loss.CombinationInvariantLoss.forward = combination_invariant


def clipped_files() -> None:
    """core/audio_signal.py:877: samples of 1.0 or more wrapped around to -1 in the 16-bit file. Now
    they are clipped.
    """
    write = nussl.AudioSignal.write_audio_to_file

    @functools.wraps(write)
    def write_clipped(self, output_file_path: str, sample_rate: int | None = None) -> None:
        audio = self.audio_data
        if audio is not None and np.issubdtype(audio.dtype, np.floating):
            in_range = np.clip(audio, -1.0, 1.0 - 2.0**-15)
            if not np.array_equal(audio, in_range):
                self = nussl.AudioSignal(audio_data_array=in_range, sample_rate=self.sample_rate)
        write(self, output_file_path, sample_rate)

    nussl.AudioSignal.write_audio_to_file = write_clipped


def short_signals() -> None:
    """core/audio_signal.py:1010 passed signals shorter than a frame to scipy, whose error message,
    "window is longer than input signal", has neither length.

    Now: an error message with both lengths.
    """
    stft = nussl.AudioSignal.stft

    @functools.wraps(stft)
    def stft_of_a_frame(self, window_length: int | None = None, *args: Any, **kwargs: Any):
        needed = int(window_length or self.stft_params.window_length)
        if self.audio_data is not None and 0 < self.signal_length < needed:
            raise UserError(
                f"has {amount(self.signal_length, 'sample')}, at least {needed} are needed, one "
                "frame of the STFT; leave it out"
            )
        return stft(self, window_length, *args, **kwargs)

    nussl.AudioSignal.stft = stft_of_a_frame


def sum_sources() -> None:
    """datasets/transforms.py:130 appended the names of the groups to the dataset's own list of
    labels (hooks.py:210) each time an item was read; :123 raised a KeyError without explanation for
    a source in two groups, :124 an AttributeError for an empty group.
    """
    build, call = transforms.SumSources.__init__, transforms.SumSources.__call__

    @functools.wraps(build)
    def build_checked(
        self, groupings: list, group_names: list | None = None, source_key: str = "sources"
    ) -> None:
        build(self, groupings, group_names, source_key)
        members = [name for group in groupings for name in group]
        twice = sorted({name for name in members if members.count(name) > 1})
        if twice:
            raise transforms.TransformException(
                f"SumSources: {', '.join(twice)} appears more than once in groupings {groupings}; "
                "a source can go into one group only."
            )

    @functools.wraps(call)
    def call_on_own_labels(self, data: dict) -> dict:
        if self.source_key not in data:
            return call(self, data)  # which raises an error
        present = {key.split("::")[0] for key in data[self.source_key]}
        for group in self.groupings:
            if not present & set(group):
                raise transforms.TransformException(
                    f"SumSources: none of the group {group} is among the item's sources "
                    f"{sorted(present)}."
                )
        if "labels" in data.get("metadata", {}):
            data["metadata"] = {**data["metadata"], "labels": list(data["metadata"]["labels"])}
        return call(self, data)

    transforms.SumSources.__init__ = build_checked
    transforms.SumSources.__call__ = call_on_own_labels


def silent_references() -> None:
    """evaluation/bss_eval.py:44 raised LinAlgError for all sources of an item if one reference was
    silent.

    Now: all scores of a silent source are nan, the other sources are scored without it, and the
    best permutation (evaluation_base.py:215) is that of the sources with scores. A source is silent
    if it is at least 156 dB below the loudest one.
    """
    bss_eval = nussl.evaluation.bss_eval
    scale = bss_eval._scale_bss_eval

    @functools.wraps(scale)
    def scale_of_audible_references(
        references: np.ndarray, estimate: np.ndarray, idx: int, compute_sir_sar: bool = True
    ):
        energy = (references**2).sum(axis=0)  # references: (samples, sources)
        audible = energy > np.finfo(np.float64).eps * energy.max()
        if not audible[idx]:
            return (np.nan,) * 6
        return scale(references[:, audible], estimate, int(audible[:idx].sum()), compute_sir_sar)

    def mean(scores: list[float]) -> float:
        valid = np.asarray(scores)[~np.isnan(scores)]
        return valid.mean() if valid.size else -np.inf

    bss_eval._scale_bss_eval = scale_of_audible_references
    nussl.evaluation.evaluation_base.np = Overlay(np, mean=mean)


def mix_key_in_builders() -> None:
    """ml/networks/builders.py:172,281,286: build_recurrent_dpcl and build_recurrent_chimera connect
    'mix_magnitude' and ignore ``mix_key``. Now they connect ``mix_key``."""
    builders = nussl.ml.networks.builders

    def connected(build: Callable[..., dict]) -> Callable[..., dict]:
        @functools.wraps(build)
        def build_connected(*args: Any, **kwargs: Any) -> dict:
            given = inspect.signature(build).bind(*args, **kwargs)
            given.apply_defaults()
            mix_key = given.arguments["mix_key"]
            config = build(*args, **kwargs)
            config["connections"] = [
                [layer, [mix_key if source == "mix_magnitude" else source for source in sources]]
                for layer, sources in config["connections"]
            ]
            return config

        return build_connected

    builders.build_recurrent_dpcl = connected(builders.build_recurrent_dpcl)
    builders.build_recurrent_chimera = connected(builders.build_recurrent_chimera)


def forget_gate_bias() -> None:
    """blocks.py:557 set the bias of the LSTM's forget gate to 1.0 in both of torch's bias vectors,
    which are added: the bias was 2.0. A GRU has no forget gate: there half of the reset and half of
    the update rows became 1.0.

    Now: 1.0 in ``bias_ih`` and 0.0 elsewhere; all 0.0 for a GRU.
    """
    build = blocks.RecurrentStack.__init__
    signature = inspect.signature(build)

    @functools.wraps(build)
    def build_with_bias(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        build(self, *args, **kwargs)
        given = signature.bind(self, *args, **kwargs)
        given.apply_defaults()
        if not given.arguments["init_forget"]:
            return
        for name, bias in self.rnn.named_parameters():
            if "bias" in name:
                nn.init.zeros_(bias)
                if isinstance(self.rnn, nn.LSTM) and "bias_ih" in name:
                    hidden = self.rnn.hidden_size  # rows: input, forget, cell, output gate
                    nn.init.ones_(bias[hidden : 2 * hidden])

    blocks.RecurrentStack.__init__ = build_with_bias


def residuals() -> None:
    """blocks.py:669 added a ConvolutionalStack2D's residual in place, to a tensor that the backward
    pass of ReLU needs, which then raised an error. Now it is not added in place.
    """

    def layer_function(
        self: nn.Module, data: Tensor, layer: nn.Module, previous_layer: Tensor | None, i: int
    ):
        data = blocks.checkpoint(layer, data) if self.use_checkpointing else layer(data)
        if not self.residuals[i]:
            return data, previous_layer
        if previous_layer is not None:
            data = data + previous_layer
        return data, data

    blocks.ConvolutionalStack2D.layer_function = layer_function


def _missing(frames: int, chunk: int, hop: int) -> int:
    """Frames to add, so that chunks of ``chunk`` frames every ``hop`` frames cover all of them."""
    return chunk - frames if frames < chunk else -(frames - chunk) % hop


class _PaddedUnfold(nn.Unfold):
    """nn.Unfold with zero padding for the last chunk. data: (batch, features, 1, frames)"""

    def forward(self, data: Tensor) -> Tensor:
        missing = _missing(data.shape[-1], self.kernel_size[-1], self.stride[-1])
        return super().forward(nn.functional.pad(data, (0, missing)))


class _CroppedFold(nn.Fold):
    """The inverse of _PaddedUnfold. output_size: (1, frames)"""

    def forward(self, data: Tensor) -> Tensor:
        rows, frames = self.output_size
        padded = frames + _missing(frames, self.kernel_size[-1], self.stride[-1])
        folded = nn.functional.fold(data, (rows, padded), self.kernel_size, stride=self.stride)
        return folded[..., :frames]


def trailing_frames() -> None:
    """blocks.py:828: DualPath returned zeros for the last frames if they did not fill a chunk, and
    raised an error for less than one chunk. Now the last chunk is padded with zeros, after the
    normalization, and trimmed in the output.

    Nothing changes if the frames fill their chunks.
    """
    blocks.nn = Overlay(nn, Unfold=_PaddedUnfold, Fold=_CroppedFold)


def mask_gradient() -> None:
    """blocks.py:457: Mask detached the representation, so that a learned filter bank (TasNet) got
    gradients through the mask only. Nothing changes for spectrograms, which are not learned.
    """

    def forward(self: nn.Module, mask: Tensor, representation: Tensor) -> Tensor:
        """mask: (batch, frames, bins, channels, sources), representation: without the sources"""
        return mask * representation.unsqueeze(-1).expand_as(mask)

    blocks.Mask.forward = forward


def gated_tanh_as_a_string() -> None:
    """blocks.py:421: the activation 'gated_tanh' as a string contains the text 'tanh', so that tanh
    is applied too. As a list, ['gated_tanh'], it is not.

    Now: a warning. A repair would change the output of checkpoints that were trained this way.
    """
    build = blocks.Embedding.__init__
    signature = inspect.signature(build)

    @functools.wraps(build)
    def build_warned(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        build(self, *args, **kwargs)
        activation = signature.bind(self, *args, **kwargs).arguments["activation"]
        if isinstance(activation, str) and "gated_tanh" in activation:
            warnings.warn(
                f"Embedding: activation '{activation}', a string, also applies tanh to the output; "
                "give the list [gated_tanh] for the gate alone, or [gated_tanh, tanh] for both",
                stacklevel=2,
            )

    blocks.Embedding.__init__ = build_warned


def require_device(device: str | torch.device) -> None:
    """Raise ValueError unless tensors can be created on the device."""
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"the device '{device}' is not available ({str(error).splitlines()[0]}): use 'cpu'"
        ) from error


def absent_device() -> None:
    """deep_mixin.py:34, trainer.py:90 and projet.py:104 silently used the CPU if a device was not
    available, and for all devices but cuda, such as mps. Now an unavailable device is an error.
    """
    deep_mixin, projet = nussl.separation.base.deep_mixin, nussl.separation.spatial.projet
    trainer = nussl.ml.train.trainer
    # They use torch.cuda only for this; the device is checked by require_device.
    for module in (deep_mixin, projet, trainer):
        module.torch = Overlay(torch, cuda=Overlay(torch.cuda, is_available=lambda: True))

    create = trainer.create_train_and_validation_engines

    @functools.wraps(create)
    def create_on_device(
        train_func: Callable, val_func: Callable | None = None, device: str | torch.device = "cpu"
    ):
        require_device(device)
        return create(train_func, val_func, device)

    trainer.create_train_and_validation_engines = create_on_device
    nussl.ml.train.create_train_and_validation_engines = create_on_device

    prepare = projet.Projet._preprocess_audio_signal

    @functools.wraps(prepare)
    def prepare_on_device(self) -> None:
        require_device(self.device)
        prepare(self)

    projet.Projet._preprocess_audio_signal = prepare_on_device


def checkpoints() -> None:
    """A model that was saved without its training data cannot separate, and failed late with an
    unclear error (deep_mixin.py:40,98). A model whose dataset had a single transform instead of a
    Compose could not be loaded (core/migration.py:141).

    Now the first is an error that names what is missing, as soon as the model is loaded for
    separation, and the second can be loaded.
    """
    mixin, loader = nussl.separation.base.DeepMixin, migration.SafeModelLoader
    load_model, move = mixin.load_model, loader._get_moved

    @functools.wraps(load_model)
    def load_model_to_separate(self, model_path: str, device: str | torch.device = "cpu") -> None:
        require_device(device)
        load_model(self, model_path, device)
        needed = {
            "sample_rate": self.metadata["sample_rate"],
            "stft_params": self.metadata["stft_params"],
            "train_dataset.transforms": self.transform,
        }
        missing = [key for key, value in needed.items() if value is None or value == "UNAVAILABLE"]
        if missing:
            raise SeparationException(
                f"{model_path} cannot separate: its metadata lack {', '.join(missing)}. Save the "
                "model with model.save(path, train_data=dataset), of a dataset that has its "
                "sample_rate, stft_params and transform."
            )

    @functools.wraps(move)
    def move_and_compose(metadata: dict, model_dict: dict, model_path: str) -> dict:
        metadata = move(metadata, model_dict, model_path)
        for name in ("train_dataset", "val_dataset"):
            single = (metadata.get(name) or {}).get("transforms")
            if single is not None and not isinstance(single, transforms.Compose):
                metadata[name]["transforms"] = transforms.Compose([single])
        return metadata

    mixin.load_model = load_model_to_separate
    loader._get_moved = staticmethod(move_and_compose)
