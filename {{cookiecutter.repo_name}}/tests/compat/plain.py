"""What nussl still does without the repairs: run as a script, in a process of its own, by
conftest.py.

    python plain.py FOLDER      prints {experiment: what came of it} as JSON

nussl is imported by compat/imports.py alone, since it cannot be imported otherwise; compat itself,
and so the repairs, never is. An experiment that raises gives "TypeError: what it said".
"""

import importlib
import importlib.util
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import scipy.io.wavfile
import torch

FOLDER = Path(sys.argv[1])
RATE = 8000
EXPERIMENTS = {}


def experiment(function):
    EXPERIMENTS[function.__name__] = function
    return function


def load_imports():
    path = Path(__file__).parents[2] / "compat" / "imports.py"
    spec = importlib.util.spec_from_file_location("imports", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tone(nussl, seconds=0.5, frequency=440.0, dtype=np.float64):
    t = np.arange(int(seconds * RATE)) / RATE
    return nussl.AudioSignal(
        audio_data_array=np.sin(2 * np.pi * frequency * t).astype(dtype)[None], sample_rate=RATE
    )


@experiment
def resample(nussl):
    tone(nussl).resample(4000)


@experiment
def rms(nussl):
    tone(nussl).rms(win_len=256)


@experiment
def mel_projection(nussl):
    nussl.ml.networks.modules.MelProjection(RATE, 129, 20)


@experiment
def hanning(nussl):
    nussl.AudioSignal.get_window("hanning", 8)


@experiment
def duet_mat(nussl):
    nussl.separation.spatial.duet.np.mat([1.0])


@experiment
def cache(nussl):
    nussl.datasets.transforms.Cache(str(FOLDER / "cache"), overwrite=True)


@experiment
def visualize_waveform(nussl):
    import matplotlib

    matplotlib.use("Agg")
    nussl.utils.visualize_waveform(tone(nussl))


@experiment
def visualize_mel(nussl):
    nussl.utils.visualize_spectrogram(tone(nussl), y_axis="mel")


@experiment
def load_checkpoint(nussl):
    nussl.ml.SeparationModel.load(str(FOLDER / "repaired.pth"))


@experiment
def state_dict_of_the_repaired(nussl):
    """The repaired model's weights in a plain model, on the repaired model's input."""
    saved = torch.load(FOLDER / "repaired.pth", weights_only=False)
    model = nussl.ml.SeparationModel(json.loads(saved["config"])).eval()
    model.load_state_dict(saved["state_dict"], strict=True)
    mix = torch.load(FOLDER / "mix.pt")
    with torch.no_grad():
        return model({"mix_magnitude": mix})["mask"].tolist()


@experiment
def report_card(nussl):
    import pandas as pd

    nussl.evaluation.report_card(
        pd.DataFrame({"source": ["a", "b"], "file": ["x", "y"], "SDR": [1.0, 3.0]})
    )


@experiment
def use_reentrant(nussl):
    stack = nussl.ml.networks.modules.ConvolutionalStack2D(
        1, [2, 1], [1, 1], [3, 3], [False] * 2, use_checkpointing=True
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stack(torch.rand(1, 4, 4, 1))
    return [str(warning.message) for warning in caught]


@experiment
def float32_scores(nussl):
    sources = [tone(nussl, frequency=f, dtype=np.float32) for f in (440.0, 700.0)]
    scores = nussl.evaluation.BSSEvalScale(sources, sources[::-1], ["a", "b"]).evaluate()
    json.dumps(scores)


@experiment
def clusterers(nussl):
    cluster = nussl.ml.cluster
    mixture = cluster.GaussianMixture(2, random_state=0).fit(
        np.random.RandomState(0).rand(20, 2).astype(np.float32)
    )
    return {
        "KMeans": cluster.KMeans(2).n_init,
        "MiniBatchKMeans": cluster.MiniBatchKMeans(2).n_init,
        "GaussianMixture": str(mixture.means_.dtype),
    }


@experiment
def permutation_invariant(nussl):
    loss = nussl.ml.train.loss
    targets = torch.rand(2, 4, 5, 2, generator=torch.Generator().manual_seed(0))
    estimates = targets.clone()
    estimates[:, :2] = targets[:, :2].flip(-1)  # half of the frames have their sources swapped
    return [
        kind(loss.L1Loss())(estimates, targets).item()
        for kind in (loss.PermutationInvariantLoss, loss.CombinationInvariantLoss)
    ]


@experiment
def wrapped_samples(nussl):
    path = FOLDER / "loud.wav"
    nussl.AudioSignal(
        audio_data_array=np.array([[0.5, 1.0]]), sample_rate=RATE
    ).write_audio_to_file(str(path))
    return scipy.io.wavfile.read(path)[1].tolist()


@experiment
def shorter_than_a_frame(nussl):
    return nussl.AudioSignal(audio_data_array=np.ones((1, 2)), sample_rate=RATE).stft().shape


@experiment
def growing_labels(nussl):
    labels = ["a", "b"]
    data = {"sources": {name: tone(nussl) for name in labels}, "metadata": {"labels": labels}}
    nussl.datasets.transforms.SumSources([["a", "b"]], ["both"])(data)
    return labels


@experiment
def source_in_two_groups(nussl):
    data = {"sources": {name: tone(nussl) for name in "ab"}}
    nussl.datasets.transforms.SumSources([["a", "b"], ["a"]])(data)


@experiment
def empty_group(nussl):
    nussl.datasets.transforms.SumSources([["c"]])({"sources": {"a": tone(nussl)}})


@experiment
def silent_reference(nussl):
    sources = [tone(nussl), tone(nussl) * 0.0]
    nussl.evaluation.BSSEvalScale(sources, sources, ["a", "b"]).evaluate()


@experiment
def mix_key(nussl):
    build = nussl.ml.networks.builders
    dpcl = build.build_recurrent_dpcl(5, 4, 1, False, 0.0, 3, "none", mix_key="mine")
    chimera = build.build_recurrent_chimera(
        5, 4, 1, False, 0.0, 3, "none", 2, "none", mix_key="mine"
    )
    return [dpcl["connections"], chimera["connections"]]


@experiment
def forget_gate(nussl):
    stack = nussl.ml.networks.modules.RecurrentStack
    return {
        kind: sum(
            p.detach()
            for n, p in stack(3, 4, 1, False, 0.0, kind).rnn.named_parameters()
            if "bias" in n
        ).tolist()
        for kind in ("lstm", "gru")
    }


@experiment
def residual_backward(nussl):
    stack = nussl.ml.networks.modules.ConvolutionalStack2D(
        1, [2, 2, 2], [1] * 3, [3] * 3, [True] * 3
    )
    stack(torch.rand(1, 4, 4, 1)).sum().backward()


def dual_path(nussl):
    torch.manual_seed(0)
    processor = {
        "class": "RecurrentStack",
        "args": dict(num_features=4, hidden_size=5, num_layers=1, bidirectional=True, dropout=0.0),
    }
    return nussl.ml.networks.modules.DualPath(
        1, 4, 2, 3, 4, hidden_size=10, intra_processor=processor, inter_processor=processor
    )


@experiment
def trailing_frames(nussl):
    data = torch.rand(1, 11, 3, 1, generator=torch.Generator().manual_seed(1))
    model = dual_path(nussl)
    with torch.no_grad():
        return {"11 frames": model(data).tolist(), "10 frames": model(data[:, :10]).tolist()}


@experiment
def less_than_a_chunk(nussl):
    dual_path(nussl)(torch.rand(1, 3, 3, 1))


@experiment
def mask_gradient(nussl):
    representation = torch.ones(1, 2, 2, 1, requires_grad=True)
    mask = torch.ones(1, 2, 2, 1, 2, requires_grad=True)
    nussl.ml.networks.modules.Mask()(mask, representation).sum().backward()
    return representation.grad is None


@experiment
def gated_tanh(nussl):
    outputs = []
    for activation in ("gated_tanh", ["gated_tanh"]):
        torch.manual_seed(0)
        embedding = nussl.ml.networks.modules.Embedding(1, 3, 2, activation)
        with torch.no_grad():
            outputs.append(embedding(torch.ones(1, 1, 3)))
    return torch.allclose(outputs[0], outputs[1])


@experiment
def absent_device(nussl):
    trust(nussl)
    separator = nussl.separation.deep.DeepMaskEstimation(
        tone(nussl), str(FOLDER / "repaired.pth"), device="cuda:99"
    )
    return str(separator.device)


@experiment
def absent_device_of_an_engine(nussl):
    trainer, _ = nussl.ml.train.create_train_and_validation_engines(
        lambda engine, batch: {"loss": 0.0}, device="cuda:99"
    )
    trainer.run([{"mix": torch.zeros(1)}], max_epochs=1)


@experiment
def absent_device_of_projet(nussl):
    mix = nussl.AudioSignal(
        audio_data_array=np.random.RandomState(0).rand(2, 2000), sample_rate=RATE
    )
    return nussl.separation.spatial.Projet(mix, 2, num_iterations=1, device="cuda:99").device


@experiment
def without_train_data(nussl):
    trust(nussl)
    nussl.separation.deep.DeepMaskEstimation(tone(nussl), str(FOLDER / "bare.pth"))()


@experiment
def single_transform(nussl):
    trust(nussl)
    nussl.ml.SeparationModel.load(str(FOLDER / "single.pth"))


def trust(nussl):
    """Past torch's refusal of nussl's classes, to what comes after it."""
    load = torch.load
    nussl_migration = importlib.import_module("nussl.core.migration")

    class Trusting:
        def load(self, *args, **kwargs):
            return load(*args, **kwargs, weights_only=False)

    nussl_migration.torch = Trusting()


@experiment
def no_audioread(nussl):  # the last ones: they spoil the modules that they import anew
    sys.modules["audioread"] = None
    importlib.reload(nussl.core.audio_signal)


@experiment
def no_sox(nussl):
    sys.modules["sox"] = sys.modules["soxbindings"] = None
    importlib.reload(nussl.core.effects)


def came_of(function, *args):
    try:
        return function(*args)
    except Exception as error:  # whatever it is, it is what came of it
        return f"{type(error).__name__}: {error}"


def main():
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    found = {
        "musdb": came_of(importlib.import_module, "musdb"),
        "scipy": came_of(importlib.import_module, "nussl.core.constants"),
    }
    for name in [name for name in sys.modules if name.split(".")[0] in ("nussl", "museval")]:
        del sys.modules[name]
    nussl = load_imports().import_nussl()
    for name, function in EXPERIMENTS.items():
        found[name] = came_of(function, nussl)
    print(json.dumps(found, default=str))


if __name__ == "__main__":
    main()
