"""Each recipe of the docs, followed in a new project: what a user adds works and breaks no test."""

import numpy as np
import pytest
import soundfile

# {file: (its content, the lines that register it, where)}
ADDED = {
    "dataset/pairs.py": (
        '''"""Pairs of files."""

from .base import StemDataset
from .folders import audio_files, folders
from .tracks import Track


class Pairs(StemDataset):
    def __init__(self, folder, split, sample_rate, num_channels, stft_params, most: int):
        self.most = most
        super().__init__(folder, split, sample_rate, num_channels, stft_params)

    def list_tracks(self, folder):
        places = folders(folder / self.split)[: self.most]
        return [Track(place.name, {name: (path,) for name, path in audio_files(place).items()})
                for place in places]
''',
        "from .pairs import Pairs\n\nDATASETS['Pairs'] = Pairs\n",
    ),
    "model/extras/gain.py": (
        '''"""A gain for each bin."""

import torch


class Gain(torch.nn.Module):
    def __init__(self, bins: int):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(bins, 1))

    def forward(self, data):
        return data * self.gain
''',
        "from .gain import Gain\n\nEXTRAS['Gain'] = Gain\nnussl.ml.register_module(Gain)\n",
    ),
    "model/weighted.py": (
        '''"""Mask inference whose input is weighted."""

from .spectrogram import mask_inference


def weighted(num_features, num_audio_channels, depth: int):
    graph = mask_inference(num_features, num_audio_channels, num_layers=depth, hidden_size=6,
                           mask_activation=["softmax"])
    graph["modules"]["log_power"] = dict()
    graph["modules"]["gain"] = {"class": "Gain", "args": {"bins": num_features}}
    first = graph["connections"][0]
    graph["connections"][0] = [first[0], ["gain"]]
    graph["connections"].insert(0, ["gain", ["log_power"]])
    return graph
''',
        "from .weighted import weighted\n\nBUILDERS['weighted'] = weighted\n",
    ),
    "training/losses/log_spectral.py": (
        '''"""Differences of log magnitudes."""

from .sources import SourceLoss


class LogSpectralLoss(SourceLoss):
    """The mean absolute difference of log magnitudes."""

    DEFAULT_KEYS = {"estimates": "estimates", "source_magnitudes": "targets"}

    def __init__(self, floor: float, permutation_invariant: bool = True):
        super().__init__(permutation_invariant)
        self.floor = floor

    def paired(self, estimates, targets):
        """(batch, ..., sources) twice -> (batch, sources)"""
        difference = (estimates + self.floor).log() - (targets + self.floor).log()
        return difference.abs().flatten(1, -2).mean(dim=1)
''',
        "from .log_spectral import LogSpectralLoss\n\n"
        "LOSSES['LogSpectralLoss'] = LogSpectralLoss\n",
    ),
    "training/noisy.py": (
        '''"""Noise on every mixture."""

import torch

from .trainer import Trainer


class Noise:
    def __init__(self, level):
        self.level, self.steps = level, 0

    def next_level(self):
        self.steps += 1
        return self.level / self.steps

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]


class NoisyTrainer(Trainer):
    """Noise on every mixture, at a level that falls with each step."""

    def __init__(self, setup, level: float = 0.01):
        super().__init__(setup)
        self.noise = self.register("noise", Noise(level))

    def train_step(self, batch):
        level = self.noise.next_level()
        noise = torch.randn_like(batch["mix"]) * batch["mix"].std() * level
        scalars = super().train_step({**batch, "mix": batch["mix"] + noise})
        return {**scalars, "noise_level": level}
''',
        "from .noisy import NoisyTrainer\n\nTRAINERS['NoisyTrainer'] = NoisyTrainer\n",
    ),
    "algorithms/halves.py": (
        '''"""Low and high."""

import numpy as np

from compat import nussl


class Halves(nussl.separation.base.MaskSeparationBase):
    """Everything below a bin, and the rest."""

    def __init__(self, input_audio_signal, border: int = 40):
        self.border = border
        super().__init__(input_audio_signal)

    def run(self):
        low = np.zeros(self.audio_signal.stft().shape)
        low[: self.border] = 1
        self.result_masks = [self.mask_type(mask) for mask in (low, 1 - low)]
        return self.result_masks
''',
        "from .halves import Halves\n\nALGORITHMS['Halves'] = Halves\n",
    ),
    "algorithms/averages.py": (
        '''"""A moving average, and the rest."""

import numpy as np

from compat import nussl


class Averages(nussl.separation.base.SeparationBase):
    """Estimates waveforms: no masks, no embedding."""

    source_labels = ["tone", "noise"]

    def __init__(self, input_audio_signal, length: int = 4):
        self.length = length
        super().__init__(input_audio_signal)

    def run(self):
        window = np.ones(self.length) / self.length
        data = self.audio_signal.audio_data
        self.smooth = np.stack([np.convolve(channel, window, "same") for channel in data])
        return self.smooth

    def make_audio_signals(self):
        copy = self.audio_signal.make_copy_with_audio_data
        rest = self.audio_signal.audio_data - self.smooth
        return [copy(part, verbose=False) for part in (self.smooth, rest)]
''',
        "from .averages import Averages\n\nALGORITHMS['Averages'] = Averages\n",
    ),
    "log_power.py": (
        '''"""A feature: the power in dB."""


def log_power(audio, spectrum):
    return 10 * (spectrum.abs().square() + 1e-8).log10()
''',
        "from log_power import log_power\n\nFrontEnd.register('log_power', log_power)\n",
    ),
    "notes.py": ('print(f"{{braces}} and a walrus")\n', None),
}
REGISTRIES = {"log_power.py": "features.py"}  # else __init__.py of the same package
EXPERIMENT = """
info: {name: mine, output_folder: artifacts/mine}
signal: {sample_rate: 8000, window_length: 256, hop_length: 64}
datasets:
  train: {class: Pairs, args: {folder: data/pairs, most: 9}}
  val: {class: Pairs, args: {folder: data/pairs, most: 9}}
  test: {class: Pairs, args: {folder: data/pairs, most: 9}}
model: {builder: weighted, args: {depth: 1}}
train:
  class: NoisyTrainer
  args: {level: 0.02}
  epochs: EPOCHS
  batch_size: 2
  segment: 0.152
  excerpts_per_epoch: 4
  device: cpu
  loss: {log: {class: LogSpectralLoss, args: {floor: 1.0e-4}}}
algorithm: {class: CLASS}
evaluate: {page_items: 1}
visualize: {seed: 0}
"""
WALKS = [  # tests that read registries or the project's files
    f"tests/test_{name}.py" for name in ("experiments", "extensions", "models", "losses_of_sources")
]


@pytest.fixture
def extended(bake):
    """A new project in which every recipe of the docs was followed."""
    project = bake()
    for name, (content, line) in ADDED.items():
        path = project / name
        path.write_text(content)
        if line:
            registry = project / REGISTRIES.get(name, path.with_name("__init__.py"))
            registry.write_text(registry.read_text() + "\n" + line)
    rng = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for track in range(2):
            place = project / "data" / "pairs" / split / f"{split}{track}"
            place.mkdir(parents=True)
            for number, name in enumerate(("tone", "noise")):
                time = np.arange(8000) / 8000
                sound = 0.1 * rng.standard_normal(8000) if number else np.sin(2000 * time)
                soundfile.write(place / f"{name}.wav", 0.3 * sound, 8000)
    return project


def write(project, name, **changes):
    """Write the experiment with changes: its path."""
    text = EXPERIMENT.replace("mine", name.split("_")[0])
    for key, value in changes.items():
        text = text.replace(key, str(value))
    (project / "experiments" / f"{name}.yml").write_text(text)
    return f"experiments/{name}.yml"


# scripts one after another, in forks of one process
SCRIPTS = """
import sys
sys.path.append("tests")
import forks
for step in sys.argv[1:]:
    done = forks.run(*step.split())
    print(done.stdout + done.stderr)
    if done.returncode:
        sys.exit(step)
"""


def test_every_recipe_of_the_docs_works_in_a_new_project_and_leaves_its_tests_green(extended, run):
    first = write(extended, "mine_first", EPOCHS=1, CLASS="DeepMaskEstimation")
    steps = [f"scripts.train -p {first}"]
    algorithms = {"mine": "DeepMaskEstimation", "halves": "Halves", "averages": "Averages"}
    for name, algorithm in algorithms.items():
        file = write(extended, name, EPOCHS=2, CLASS=algorithm)
        if name == "mine":
            steps.append(f"scripts.train -p {file}")
        steps += [f"scripts.{script} -p {file}" for script in ("evaluate", "visualize")]
    code, said = run("python", "-c", SCRIPTS, *steps, cwd=extended)
    assert code == 0 and "resuming at step 2" in said and "done: 2 epochs" in said, said
    history = (extended / "artifacts" / "mine" / "history.csv").read_text().splitlines()
    levels = [
        float(row[history[0].split(",").index("train_noise_level")])
        for row in (line.split(",") for line in history[1:])
    ]
    assert np.allclose(levels, [(0.02 + 0.01) / 2, (0.02 / 3 + 0.005) / 2])  # 4 steps, resumed
    code, said = run(
        "python", "-m", "pytest", "-q", "-n", "auto", *WALKS, "-k", "not every_file", cwd=extended
    )
    assert code == 0, said
