"""Separation as one torch module: level, STFT, network, masks, inverse STFT."""

import torch
from torch import nn

from algorithms import DeepAudioEstimation, DeepClustering, DeepMaskEstimation
from algorithms.masks import between, consistent
from algorithms.model_input import level_range
from algorithms.presence import blended
from compat import nussl
from errors import UserError
from model import EXTRAS

from .clusters import Clusters
from .transforms import STFT, InverseSTFT, exportable

BLOCK = 1000  # samples
READS = ("mix_audio", "mix_magnitude", "mix_spectrum")
# of differences with binary masks: rounding decides which of two equally likely sources gets a bin
BINARY_BOUND = 0.1


class Separation(nn.Module):
    """An algorithm as a module, for recordings at the model's sample rate. It computes what the
    algorithm does with a single chunk; a longer recording is separated as a whole, too.

    Args:
        network: nussl's SeparationModel.
        metadata: of its checkpoint.
        labels: names of the sources in their order, or None.
        args: of the algorithm.

    Attributes:
        chunk: seconds that should be given to the graph at once; 0: a whole recording.
    """

    #: may a recording have another number of channels than the network?
    any_channels = False
    #: by how much of the peak the exported files may differ from torch
    bound = 1e-4

    def __init__(self, network, metadata, labels, args):
        super().__init__()
        self.network = exportable(network)
        self.num_channels, self.labels = metadata["num_channels"], labels
        # without labels the sources may come in another order in each chunk
        self.chunk = (args.get("chunk") or 0.0) if labels else 0.0
        self.params, self.levels = metadata["stft_params"], level_range(metadata)

    def forward(self, mixture):
        """(channels, samples) -> (sources, channels, samples)"""
        level = 10 * torch.log10(_mean(self.read(mixture).square()).clamp_min(1e-20))
        gain = 10 ** ((level.clamp(*self.levels) - level) / 20)
        return self.sources(mixture, gain)

    def read(self, mixture):
        """The mixture with as many channels as the network reads."""
        return mixture.mean(dim=0, keepdim=True) if self.any_channels else mixture

    def sources(self, mixture, gain):
        """(channels, samples) -> (sources, channels, samples); the network reads the mixture times
        `gain`."""
        raise NotImplementedError

    def describe(self):
        """What happens between the mixture and the sources, in words."""
        return "the network reads and writes waveforms"


class AudioSeparation(Separation):
    """As `DeepAudioEstimation`."""

    def __init__(self, network, metadata, labels, args):
        super().__init__(network, metadata, labels, args)
        self.consistent = args.get("mixture_consistency", True)

    def sources(self, mixture, gain):
        """The waveforms that the network estimates."""
        sources = self.network({"mix_audio": mixture[None] * gain})["audio"][0] / gain
        sources = sources.permute(2, 0, 1)  # (c, n, s) -> (s, c, n)
        return consistent(sources, mixture) if self.consistent else sources


class MaskedSeparation(Separation):
    """Masks of a subclass (`masks`), applied to every channel of the mixture's STFT."""

    def __init__(self, network, metadata, labels, args):
        super().__init__(network, metadata, labels, args)
        params = self.params
        window = torch.as_tensor(
            nussl.AudioSignal.get_window(params.window_type, params.window_length)
        )
        self.shifts = args.get("shifts", 1)
        if self.shifts != 1 and "mix_audio" in network.input:
            raise UserError(
                f"algorithm.args.shifts is {self.shifts}, and its network reads waveforms; write 1"
            )
        hop = between(params, self.shifts).hop_length
        self.stft, self.istft = STFT(window, hop), InverseSTFT(window, hop)
        self.scale = float(window.sum())
        self.any_channels = self.num_channels == 1
        self.binary = args.get("mask_type", "soft") == "binary"
        if self.binary:
            self.bound = BINARY_BOUND

    def sources(self, mixture, gain):
        """(channels, samples) -> (sources, channels, samples)"""
        whole = self.stft(mixture)
        masks = self.masks(self.outputs(self.read(mixture) * gain, whole.shape[-1]))
        # (t, f, c, [2,] s)
        real, imaginary = masks.unbind(dim=-2) if masks.ndim == 5 else (masks, None)
        sources = []
        for number in range(masks.shape[-1]):
            # (t, f, c) -> (c, f, t)
            re = real[..., number].permute(2, 1, 0)
            masked = whole * re[:, None]
            if imaginary is not None:
                im = imaginary[..., number].permute(2, 1, 0)
                turned = torch.stack([-whole[:, 1], whole[:, 0]], dim=1)  # times i
                masked = masked + turned * im[:, None]
            sources.append(self.istft(masked, mixture.shape[-1]))
        return torch.stack(sources)

    def outputs(self, read, frames):
        """The network's outputs for a mixture, from which the masks are computed.

        With `shifts` the network reads every `shifts`-th frame, from each offset, and the frames of
        all readings are interleaved.

        Returns:
            {"mask", "embedding", "mix_magnitude": (frames, bins, channels, ...)}
        """
        # zeros at the end, so that all readings have the same number of frames
        padding = 2 * (self.shifts - 1) * self.stft.hop_length
        spectrum = self.stft(nn.functional.pad(read, (0, padding))) / self.scale
        # (c, 2, f, t) -> (1, t, f, c, 2)
        spectrum = spectrum.permute(3, 2, 0, 1)[None]
        if self.shifts == 1:
            return {key: value[0] for key, value in self._reading(spectrum, read).items()}
        last = spectrum.shape[1] // self.shifts * self.shifts
        readings = [
            self._reading(spectrum[:, first : last : self.shifts], read)
            for first in range(self.shifts)
        ]
        return {
            key: torch.stack([one[key][0] for one in readings], dim=1).flatten(0, 1)[:frames]
            for key in readings[0]
        }

    def _reading(self, spectrum, audio):
        magnitude = spectrum.square().sum(dim=-1).sqrt()
        features = {"mix_spectrum": spectrum, "mix_magnitude": magnitude, "mix_audio": audio[None]}
        outputs = self.network({name: features[name] for name in self.network.input})
        outputs = {key: outputs[key] for key in ("mask", "embedding") if key in outputs}
        return {**outputs, "mix_magnitude": magnitude}

    def masks(self, outputs):
        """(frames, bins, channels, [2,] sources) of `outputs`."""
        raise NotImplementedError

    def describe(self):
        """What happens between the mixture and the sources, in words."""
        times = f" {self.shifts} times" if self.shifts > 1 else ""
        return (
            f"STFT of {self.params.window_length} samples with a hop of {self.stft.hop_length}, "
            f"the network{times}, masks, inverse STFT"
        )


class MaskSeparation(MaskedSeparation):
    """As `DeepMaskEstimation`."""

    def __init__(self, network, metadata, labels, args):
        super().__init__(network, metadata, labels, args)
        if self.shifts > 1 and not labels:
            raise UserError(
                f"algorithm.args.shifts is {self.shifts}, and the model's sources have no order: "
                "they may change places between two readings, which an exported graph cannot see; "
                "write 1"
            )
        self.consistent = args.get("mixture_consistency", True)

    def masks(self, outputs):
        """Those that the network estimates."""
        masks = outputs["mask"]
        if masks.ndim == 5:
            if self.binary:
                raise UserError("algorithm.args.mask_type binary does not go with complex masks")
            one = torch.tensor([1.0, 0.0])[:, None]
        else:
            masks, one = _one_hot(masks) if self.binary else masks, 1.0
        if self.consistent:
            masks = masks + (one - masks.sum(dim=-1, keepdim=True)) / masks.shape[-1]
        return masks


class ClusterSeparation(MaskedSeparation):
    """As `DeepClustering`, with k-means inside."""

    bound = 1e-3  # the masks of k-means multiply the rounding errors of the embedding

    def __init__(self, network, metadata, labels, args):
        super().__init__(network, metadata, labels, args)
        kind = args.get("clustering_type", "KMeans")
        if kind != "KMeans":
            raise UserError(f"algorithm.args.clustering_type {kind} cannot be exported; KMeans can")
        count = args["num_sources"] or (len(labels) if labels else None)
        if count is None:
            raise UserError(
                "algorithm.args.num_sources is null: an exported graph has a fixed number of "
                "sources; write it"
            )
        self.clusters = Clusters(count, args.get("percentile", 90), args.get("beta", 5.0))
        self.mask_weight, self.absent_db = args.get("mask_weight", 0.0), args.get("absent_db")
        self.frame_rate = metadata["sample_rate"] / self.stft.hop_length

    def describe(self):
        """What happens between the mixture and the sources, in words."""
        return super().describe().replace("masks", "k-means, masks")

    def masks(self, outputs):
        """Clusters of the embedding, named by the network's masks where these have an order."""
        embedding, own = outputs["embedding"], None
        shape = embedding.shape[:-1]  # frames, bins, channels
        if self.labels:
            own = outputs["mask"]
            own = (own.norm(dim=-2) if own.ndim == 5 else own).flatten(0, 2)
        masks = self.clusters(embedding.flatten(0, 2), outputs["mix_magnitude"].flatten(), own)
        masks = masks.unflatten(0, shape)
        if own is not None:
            given = masks, own.unflatten(0, shape), outputs["mix_magnitude"]
            masks = blended(*given, self.mask_weight, self.absent_db, self.frame_rate)
        return _one_hot(masks) if self.binary else masks


EXPORTS = {
    DeepAudioEstimation: AudioSeparation,
    DeepClustering: ClusterSeparation,
    DeepMaskEstimation: MaskSeparation,
}


def separation_of(algorithm, network, metadata, args):
    """The `Separation` of an algorithm (a class), of its network and its args.

    Raises:
        UserError: it cannot be exported.
    """
    if algorithm not in EXPORTS:
        raise UserError(
            f"algorithm.class {algorithm.__name__} cannot be exported; "
            f"{', '.join(kind.__name__ for kind in EXPORTS)} can"
        )
    for layer in network.layers.values():
        if isinstance(layer, EXTRAS["ExternalNetwork"]):
            raise UserError(
                f"its network is {layer.path}, of another package, and cannot be exported; the "
                "networks of model/ can"
            )
    if others := sorted({*network.input} - {*READS}):
        raise UserError(
            f"its network reads {', '.join(others)}, and exported graphs make {', '.join(READS)} "
            "only; it cannot be exported"
        )
    if metadata["stft_params"].window_length % 2:
        raise UserError(
            "signal.window_length is odd, and cannot be exported; train with an even one"
        )
    for layer in network.layers.values():
        for module in layer.modules():
            if isinstance(module, (nn.GRU, nn.RNN)):
                raise UserError(
                    "its network has GRUs, which cannot be exported for any length; LSTMs can "
                    "(rnn_type: lstm)"
                )
    return EXPORTS[algorithm](
        network, metadata, algorithm.labels_of(network, metadata), args
    ).eval()


def _mean(data):
    """The mean of (channels, samples), block by block: runtimes that add the millions of samples of
    a minute one after another in float32 are off by 0.03 %."""
    # at least two blocks: torch.export would specialise on a single one
    channels, samples = data.shape
    count = (samples + BLOCK - 1) // BLOCK + 1
    data = nn.functional.pad(data, (0, count * BLOCK - samples))
    blocks = data.reshape(channels, count, BLOCK)
    return blocks.sum(dim=-1).sum() / samples / channels


def _one_hot(masks):
    return nn.functional.one_hot(masks.argmax(dim=-1), masks.shape[-1]).to(masks.dtype)
