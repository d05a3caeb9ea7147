"""The folder of an exported model: written to a temporary one, checked, then renamed into place."""

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import tempfile
from pathlib import Path

import torch

from errors import UserError
from files import UNFINISHED, usual_mode, write_files

from . import page
from .card import model_card
from .checks import compare
from .graphs import exported, onnx_bytes, pt2_bytes
from .separation import separation_of

PACKAGES = ("onnx", "onnxruntime", "onnxscript")
RECORD = "model.json"


def export(model, algorithm, args, settings, name, notes="", make=None):
    """Write a trained model's folder.

    Args:
        model: (nussl's SeparationModel, metadata) of a checkpoint; None for an algorithm without a
            network, which cannot be exported.
        algorithm, args: the class that separates, and its arguments.
        settings: `export` of a config.
        name, notes: for the model card.
        make: function(AudioSignal) -> the algorithm of this project, to compare the files with it.

    Returns:
        (path of the folder, rows of `checks.compare`)

    Raises:
        UserError: a package is missing, the model cannot be exported, the folder holds something
            else, or a file differs from torch; nothing is written then.
    """
    check_packages()
    if settings.page:
        page.check_npm()
    target = Path(settings.output_folder)
    _refuse_others(target)
    network, metadata = model or (None, None)
    separation = separation_of(algorithm, network, metadata, args)
    program = exported(separation, metadata["sample_rate"])
    with torch.inference_mode():
        count = len(separation(torch.zeros(separation.num_channels, metadata["sample_rate"])))
    facts = facts_of(separation, metadata, count, name, notes, settings)
    about = {
        "sample_rate": str(metadata["sample_rate"]),
        "num_channels": "any" if separation.any_channels else str(separation.num_channels),
        "sources": "\n".join(facts["sources"]),
        "chunk": f"{facts['chunk']:g}",
        "license": settings.license,
    }
    onnx, pt2 = onnx_bytes(program, about), pt2_bytes(program)
    facts["checks"] = compare(
        separation, onnx, pt2, settings.check_seconds, metadata["sample_rate"], make
    )
    files = {
        "model.onnx": onnx,
        "model.pt2": pt2,
        "model.safetensors": _safetensors(network, facts),
        "separate.py": Path(__file__).with_name("separate.py").read_bytes(),
        "README.md": model_card(facts),
        RECORD: json.dumps(facts, indent=1) + "\n",
    }
    with _replaced(target) as folder:
        write_files({folder / name: content for name, content in files.items()})
        if settings.page:
            page.write(folder / "page", onnx, facts)
    return target, facts["checks"]


def check_packages():
    """Check that the packages that exporting needs are installed.

    Raises:
        UserError: some are not.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"exporting needs {', '.join(missing)}, not installed here: "
            f"pip install {' '.join(missing)}"
        )


def facts_of(separation, metadata, count, name, notes, settings):
    """What the model card and model.json say."""
    params, network = separation.params, separation.network
    graph = network.config if isinstance(network.config, dict) else json.loads(network.config)
    blocks = [
        {
            "name": key,
            "class": graph["modules"][key]["class"],
            "parameters": sum(value.numel() for value in layer.state_dict().values()),
        }
        for key, layer in network.layers.items()
    ]
    return {
        "name": name,
        "notes": notes,
        "license": settings.license,
        "sources": separation.labels or [f"source{number}" for number in range(count)],
        "any_channels": separation.any_channels,
        "chunk": separation.chunk,
        "signal": {
            "sample_rate": metadata["sample_rate"],
            "num_channels": separation.num_channels,
            "window_length": params.window_length,
            "hop_length": params.hop_length,
            "window_type": params.window_type,
        },
        "network": graph["name"],
        "inside": separation.describe(),
        "blocks": blocks,
        "page": settings.page,
        "versions": {
            package: importlib.metadata.version(package) for package in ("torch", *PACKAGES)
        },
        "low": separation.levels[0],
        "high": separation.levels[1],
        "bound": separation.bound,
        "graph": graph,
    }


def _safetensors(network, facts):
    import safetensors.torch

    weights = {key: value.contiguous() for key, value in network.state_dict().items()}
    about = {"license": facts["license"], "graph": json.dumps(facts["graph"])}
    return safetensors.torch.save(weights, about)


def _refuse_others(target):
    """Raise a UserError if the folder holds other files than those of `export`, or is a file."""
    if target.exists() and not target.is_dir():
        raise UserError(f"{target}: is a file; choose another export.output_folder")
    if target.exists() and not (target / RECORD).is_file() and any(target.iterdir()):
        raise UserError(
            f"{target}: holds other files than an exported model's; choose another "
            "export.output_folder"
        )


@contextlib.contextmanager
def _replaced(target):
    """A context with a temporary folder, which replaces `target` at its end; after an exception it
    is removed."""
    folder = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(UNFINISHED, f".{target.name}.", target.parent))
        yield folder
        folder.chmod(usual_mode(0o777))
        if target.exists():
            old = folder.with_name(f"{folder.name}.old{UNFINISHED}")
            os.replace(target, old)
            os.replace(folder, target)
            shutil.rmtree(old)
        else:
            os.replace(folder, target)
    except OSError as error:
        raise UserError(
            f"{target}: cannot be written ({error.strerror or error}); free the disk or choose "
            "another export.output_folder"
        ) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
