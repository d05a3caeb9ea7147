"""Checkpoints: written atomically, and loaded without running code from them.

Model files are written by nussl's `SeparationModel.save`, so that nussl (as repaired in `compat/`)
can load them without the rest of this project.
"""

import functools
import hashlib
import io
import json
import math
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import torch

from compat import nussl
from errors import UserError, in_one_line
from files import write_files
from model import extras  # noqa: F401  (registers the modules that checkpoints name)
from runs import BEST as BEST

LATEST = BEST.with_name("latest.pth")  # the state from which a training run is resumed


def save(path, state):
    """Write `state` (tensors and plain containers) to `path` atomically."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_files({path: buffer.getvalue()})


def load(path, device="cpu"):
    """Read what `save` wrote.

    Raises:
        UserError: the file is missing, damaged, no checkpoint, or holds more than tensors and plain
            data.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(
            f"{path}: no such checkpoint; train the model that writes it first "
            "(python -m scripts.train -p <its config>)"
        )
    if path.is_dir():
        raise UserError(f"{path}: is a folder where a checkpoint file is expected")
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).split("WeightsUnpickler error: ")[-1].split("\n")[0]
        raise UserError(
            f"{path}: refused, it holds more than weights and plain data, or is no "
            f"checkpoint ({reason[:160]}); load only files from sources that you "
            "trust; otherwise train again"
        ) from error
    except Exception as error:  # an unpickler may raise anything for bytes that are no pickle
        text = str(error).splitlines()[0] if str(error) else ""
        reason = text if " " in text else f"{type(error).__name__} {text}".strip()
        raise UserError(
            f"{path}: is not a checkpoint, or is cut short ({reason[:160]}); "
            "train again or copy it again"
        ) from error


def save_model(path, model, metadata):
    """Write a nussl SeparationModel and its metadata to `path` atomically.

    Args:
        metadata: what nussl needs to use the model: stft_params, sample_rate, num_channels,
            train_dataset, ...
    """
    buffer = io.BytesIO()
    model.save(buffer, metadata=dict(metadata))
    write_files({path: buffer.getvalue()})


class InMemory(NamedTuple):
    """A model in memory; `load_model` accepts it in place of a checkpoint's path.

    Attributes:
        model: the SeparationModel, in evaluation mode and on its device.
        metadata: as for `save_model`.
    """

    model: Any
    metadata: dict

    def __str__(self):
        return "the model in training"


def load_model(path, device="cpu"):
    """Load a model; the last two are cached until their files change.

    Args:
        path: of a checkpoint file, or an `InMemory`.
        device: on which the model is placed (an `InMemory` stays where it is).

    Returns:
        (model in evaluation mode, its metadata).

    Raises:
        UserError: as `load`; the checkpoint holds no model, or its metadata are invalid.
    """
    if isinstance(path, InMemory):
        return path.model, path.metadata
    path = Path(path)
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    return _load_model(path, str(device), stamp)


@functools.lru_cache(maxsize=2)
def _load_model(path, device, stamp):
    content = load(path)
    if not isinstance(content, dict) or not {"state_dict", "metadata"} <= set(content):
        found = ", ".join(map(str, content))[:80] if isinstance(content, dict) else type(content)
        raise UserError(
            f"{path}: holds no model (found: {found}); give the *.model.pth file of a training run"
        )
    try:
        model, metadata = _build(content, path)
        metadata = {**content["metadata"], **metadata}  # nussl drops the keys that it does not know
        for key, expected in _invalid_metadata(metadata):
            raise UserError(f"{key} in its metadata is {metadata.get(key)!r}, not {expected}")
        if not all(value.isfinite().all() for value in content["state_dict"].values()):
            raise UserError("it has weights that are NaN or infinite; train again")
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except Exception as error:  # nussl and torch may raise anything for a damaged file
        reason = in_one_line(error)
        raise UserError(
            f"{path}: the model in it cannot be built ({reason}); its weights and its "
            "description do not fit, or it needs modules of model/extras/"
        ) from error
    return model.to(device).eval(), metadata


def _build(content, path):
    """(model, metadata) from the content of a file.

    The same as nussl's `SeparationModel.load`, which would read the file a second time.
    """
    loader = nussl.core.migration.SafeModelLoader()
    loader.eval = "BSSEvalScale"
    metadata = loader._get_moved(dict(content["metadata"]), content, path)
    metadata = loader._validate_and_populate(metadata)
    metadata["config"] = json.dumps(metadata["config"])
    model = nussl.ml.SeparationModel(metadata["config"])
    model.load_state_dict(content["state_dict"])
    return model, metadata


def _invalid_metadata(metadata):
    """Yields (key, expected value in words) of each invalid entry."""
    for key in ("sample_rate", "num_channels"):
        if not (isinstance(metadata[key], int) and metadata[key] > 0):
            yield key, "a number above 0"
    if not isinstance(metadata["stft_params"], nussl.STFTParams):
        yield "stft_params", "nussl's STFTParams"
    labels, levels = metadata.get("labels"), metadata.get("level_db")
    if labels is not None and not _is_list_of_names(labels):
        yield "labels", "a list of distinct names"
    if levels is not None and not _is_mean_and_std(levels):
        yield "level_db", "the mean and the std of levels in dB"


def _is_list_of_names(value):
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return False
    return len({*value}) == len(value)


def _is_mean_and_std(value):
    """Is it {"mean": finite number, "std": finite number >= 0}?"""
    if not isinstance(value, dict):
        return False
    numbers = [value.get(key) for key in ("mean", "std")]
    are_finite = all(isinstance(one, int | float) and math.isfinite(one) for one in numbers)
    return are_finite and value["std"] >= 0


def digest(path):
    """SHA-256 of a checkpoint file in hexadecimal; results record it to identify the weights."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
