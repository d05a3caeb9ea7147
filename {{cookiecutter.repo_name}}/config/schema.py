"""The schema: one class for each section.

Editors, error messages and the documentation show the descriptions of the fields.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr

from .data import Audit, Prepare, TrainingData
from .errors import ConfigError, Problem
from .fields import Args, Component, Count, Device, Seconds, Section, Split, Text
from .orchestration import Launcher, Pipeline, Sweep
from .plain import flat
from .reader import Document
from .training import GradientClip, Train

Frequency = Annotated[
    Literal["auto", "linear", "mel", "log"],
    Field(
        description="the axis of spectrograms: linear, mel or log; auto: linear up to a sample "
        "rate of 22,050 Hz, mel above"
    ),
]
Window = Literal["sqrt_hann", "hann", "hamming", "blackman", "rectangular"]


class Info(Section):
    """The experiment's name, seed and output folder."""

    name: Text = Field(description="the name of the experiment")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="the seed of all random numbers")
    output_folder: Text = Field(description="the folder that train and evaluate write to")
    notes: str = Field("", description="any text")


class Signal(Section):
    """The format that all audio is converted to, and its short-time Fourier transform."""

    sample_rate: int = Field(16000, gt=0, description="in Hz; other audio is resampled to it")
    num_channels: int = Field(1, ge=1, le=2, description="1 (mono) or 2 (stereo)")
    window_length: int = Field(
        512, ge=2, description="samples in a frame of the STFT; it has window_length // 2 + 1 bins"
    )
    hop_length: int = Field(128, gt=0, description="samples between frames, at most window_length")
    window_type: Window = Field("sqrt_hann", description="the window of the STFT")

    @property
    def num_features(self) -> int:
        """Frequency bins of the STFT."""
        return self.window_length // 2 + 1


class Datasets(Section):
    """The data of each split."""

    train: TrainingData | None = Field(None, description="the training data")
    val: Component | None = Field(
        None, description="the validation data, which determine the best checkpoint"
    )
    test: Component | None = Field(None, description="the test data, for scores and figures")


class Module(Section):
    """A node of a model's graph: a layer, or an input if it has no class."""

    class_name: Text | None = Field(None, alias="class", description="the name of a module")
    args: Args = Field(default_factory=dict, description="arguments of the class, by name")


class Model(Section):
    """The network: a builder or a class of any package with its args, or a graph in nussl's
    notation."""

    builder: Text | None = Field(None, description="the name of a builder in model/")
    module: Text | None = Field(
        None, description="a torch.nn.Module of any package, by its dotted path: package.Class"
    )
    args: Args = Field(
        default_factory=dict, description="arguments of the builder or of the module, by name"
    )
    input: Text | None = Field(
        None, description='of a module: the axes of its input; "batch channels samples" by default'
    )
    target: Text | None = Field(
        None,
        description="of a module: the argument of its forward that takes the sources, with which "
        "it returns its own loss (ModelLoss)",
    )
    name: Text | None = Field(None, description="of a graph: the name of the model")
    modules: dict[str, Module] | None = Field(
        None, min_length=1, description="of a graph: {name: {class, args}}, or {} for an input"
    )
    connections: list[list[Any]] | None = Field(
        None,
        min_length=1,
        description="of a graph: [module, [its inputs]], in the order of computation; an input is "
        "a name, name:key for a layer that returns several things, or {argument: name or value}",
    )
    output: list[Text] | Text | None = Field(
        None,
        min_length=1,
        description="of a graph: the modules whose results the model returns; of a module: the "
        'axes of its output, "batch sources channels samples" by default',
    )

    @property
    def graph(self) -> dict[str, Any] | None:
        """The graph in the format of nussl's SeparationModel; None for a builder or a module."""
        if self.modules is None:
            return None
        modules: dict[str, Any] = {}
        for name, module in self.modules.items():
            is_layer = module.class_name is not None
            modules[name] = (
                {"class": module.class_name, "args": dict(module.args)} if is_layer else {}
            )
        return {
            "name": self.name,
            "modules": modules,
            "connections": [list(connection) for connection in self.connections or ()],
            "output": list(self.output or ()),
        }


class Algorithm(Section):
    """The separation algorithm."""

    class_name: Text = Field(alias="class", description="a class of algorithms/ or of nussl")
    args: Args = Field(
        default_factory=dict,
        description="arguments of the class, by name; num_sources is at least 2 (null: "
        "DeepClustering counts the sources); model_path is by default this experiment's best model",
    )


class Evaluate(Section):
    """Which items are scored, and how."""

    split: Split = Field("test", description="the dataset")
    num_items: Count | None = Field(
        None, description="the number of items, spread evenly over the dataset; null: all"
    )
    baselines: list[Text] = Field(
        default_factory=list,
        description="algorithms that need only the mixture, scored for comparison: FT2D, HPSS, "
        "Repet, RepetSim, yours",
    )
    metrics: list[Literal["bss_eval", "sdr_v3", "usdr", "csdr", "stoi", "pesq"]] = Field(
        default_factory=list,
        description="scores in addition to SI-SDR, SI-SIR, SI-SAR, SD-SDR and SNR",
    )
    num_workers: int = Field(
        0, ge=0, description="processes that score items; 0: the main process scores them"
    )
    page_items: int = Field(
        8, ge=0, description="items with audio on index.html, the best and the worst; 0: no page"
    )
    frequency: Frequency = "auto"
    device: Device = "auto"


class Visualize(Section):
    """Which item is shown, and where the figures are written."""

    split: Split = Field("test", description="the dataset")
    output_folder: Text = Field("output/viz", description="the folder to write to")
    seed: int | None = Field(
        None,
        ge=0,
        le=2**32 - 1,
        description="the seed of the random choice of an item; null: another item each time",
    )
    item: Text | None = Field(
        None, description="the item's name, instead of a random one; not together with seed"
    )
    frequency: Frequency = "auto"
    device: Device = "auto"


class Separate(Section):
    """Which files are separated, and where the sources are written."""

    files: list[Text] = Field(
        min_length=1, description="audio files: paths, folders, or patterns in quotes (songs/*.wav)"
    )
    output_folder: Text = Field("output/separated", description="the folder to write to")
    format: Literal["wav", "flac"] = Field(
        "wav", description="the format of the sources: wav (32-bit float) or flac (24-bit)"
    )
    picture: bool = Field(False, description="also draw viz.png, of the loudest 10 seconds")
    device: Device = "auto"


class Analyze(Section):
    """Which runs are compared."""

    runs: list[Text] = Field(
        min_length=1, description="output folders of evaluated experiments, or patterns in quotes"
    )
    split: Split = Field("test", description="the dataset they were evaluated on")
    scores: list[Text] = Field(
        default_factory=lambda: ["si_sdr"],
        min_length=1,
        description="scores in scores.csv, each with its improvement: si_sdr, si_sir, snr, ...",
    )


class Export(Section):
    """The export of a trained model for use without this project."""

    output_folder: Text = Field(
        "output/export", description="the folder to write to; an earlier export there is replaced"
    )
    license: Text = Field(
        description="the license of the weights, for the model card: MIT, CC-BY-4.0, ..."
    )
    check_seconds: list[Seconds] = Field(
        default_factory=lambda: [1.0, 7.0],
        min_length=1,
        description="lengths of the recordings on which the files are compared with torch",
    )
    page: bool = Field(
        False,
        description="also write a web page that separates in the browser (writing it needs npm)",
    )


class Config(Section):
    """One experiment."""

    info: Info = Field(description="the name of the experiment and its output_folder")
    signal: Signal = Field(
        default_factory=lambda: Signal.model_validate({}), description="audio and STFT"
    )
    datasets: Datasets | None = Field(None, description="the data: train, val, test")
    model: Model | None = Field(None, description="the network")
    train: Train | None = Field(None, description="how the model is trained")
    algorithm: Algorithm | None = Field(None, description="the separation algorithm")
    evaluate: Evaluate | None = Field(None, description="which items are scored, and how")
    visualize: Visualize | None = Field(None, description="which item is shown")
    separate: Separate | None = Field(None, description="which files are separated")
    export: Export | None = Field(None, description="the export of a trained model")
    prepare: Prepare | None = Field(None, description="how a dataset is downloaded and converted")
    audit: Audit | None = Field(None, description="which data are audited, and its thresholds")
    analyze: Analyze | None = Field(None, description="which runs are compared")
    pipeline: Pipeline | None = Field(
        None, description="scripts that run in the order of their dependencies"
    )
    sweep: Sweep | None = Field(
        None, description="training runs of one experiment with different values"
    )
    launcher: Launcher | None = Field(
        None, description="where a pipeline or sweep runs; null: on this machine"
    )

    _document: Document = PrivateAttr(default_factory=lambda: Document("config"))

    @property
    def path(self) -> Path:
        """The file from which it was read."""
        return Path(self._document.file)

    @property
    def files(self) -> set[Path]:
        """That file and all that it includes, as real paths."""
        return {Path(file).resolve() for file, _ in self._document.places.values()}

    def to_dict(self) -> dict[str, Any]:
        """Plain data with the keys of the YAML file and all defaults; valid as input."""
        return _plain(self)

    def get(self, key: str, default: Any = None) -> Any:
        """The plain value at a dotted YAML key, as in `get("train.optimizer.args")`."""
        return flat(self.to_dict()).get(key, default)

    def problem(self, key: str, message: str) -> Problem:
        """A problem at a dotted YAML key; its line is that of the key or of its nearest parent."""
        return self._document.problem(key, message)

    def places_below(self, key: str) -> dict[str, tuple[str, int]]:
        """{dotted key relative to `key`: (file, line)} of the keys below `key` in the files."""
        start = f"{key}."
        return {
            name.removeprefix(start): place
            for name, place in self._document.places.items()
            if name.startswith(start)
        }

    def require(self, problems: list[Problem]) -> None:
        """Raise ConfigError with these problems, if there are any."""
        if problems:
            raise ConfigError(problems)

    def __eq__(self, other: object) -> bool:
        """The same experiment, whichever files the two were read from."""
        return isinstance(other, Config) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]


# In these sections null is not a valid value: `to_dict` omits keys whose value is None.
ABSENT_IF_NONE = (Config, Datasets, Model, Module, GradientClip)


def _plain(value: Any) -> Any:
    """Sections as dicts with the keys of YAML; see `ABSENT_IF_NONE`."""
    if isinstance(value, Section):
        data = {}
        for name, field in type(value).model_fields.items():
            item = getattr(value, name)
            if item is None and isinstance(value, ABSENT_IF_NONE):
                continue
            if isinstance(value, Model) and name == "args" and value.modules is not None:
                continue
            data[field.alias or name] = _plain(item)
        return data if not (isinstance(value, Module) and value.class_name is None) else {}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
