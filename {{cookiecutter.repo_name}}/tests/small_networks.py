"""Networks of random weights in files, small enough for any test."""

import functools

import torch

import checkpoints
from algorithms import DeepAudioEstimation, DeepClustering, DeepMaskEstimation
from compat import nussl
from model import BUILDERS

RATE = 16000
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
SMALL = {
    "deep_clustering": {"num_layers": 1, "hidden_size": 8, "normalization": "InstanceNorm"},
    "mask_inference": {"num_layers": 1, "hidden_size": 8},
    "conv_tasnet": {
        "num_filters": 16,
        "num_channels": 8,
        "hidden_size": 8,
        "num_layers": 2,
        "num_repeats": 1,
    },
}
FOR = {
    "deep_clustering": functools.partial(DeepClustering, num_sources=2),
    "mask_inference": DeepMaskEstimation,
    "conv_tasnet": DeepAudioEstimation,
}


def put_clusters_in(model, bins):
    """Give a network of deep clustering two clusters, bins below and above the middle: embeddings
    of random weights form none, and what k-means makes of them depends on the last digit."""
    linear = model.layers["embedding"].linear
    with torch.no_grad():
        vectors = linear.bias.reshape(bins, 1, -1).zero_()
        vectors[: bins // 2, :, 0] = vectors[bins // 2 :, :, 1] = 1.0
        linear.weight *= 0.2


def separator(builder, folder):
    """A function(mixture) -> algorithm, by a network that is saved in the folder."""
    path = folder / f"{builder}.pth"
    if not path.exists():
        torch.manual_seed(0)
        given = {"num_audio_channels": 1}
        if builder != "conv_tasnet":
            given["num_features"] = 257
        graph = BUILDERS[builder](**given, **SMALL[builder])
        about = {"stft_params": PARAMS, "sample_rate": RATE, "num_channels": 1}
        model = nussl.ml.SeparationModel(graph)
        if builder == "deep_clustering":
            put_clusters_in(model, 257)
        checkpoints.save_model(path, model, about)
    how = FOR[builder]
    kind, args = getattr(how, "func", how), getattr(how, "keywords", {})
    return functools.partial(kind, model_path=str(path), **args)
