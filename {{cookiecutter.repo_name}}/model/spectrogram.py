"""Networks that read the mixture's spectrogram: mask inference, deep clustering, chimera.

All three normalise log magnitudes and run them through the same kind of body; they differ in their
heads. `num_features` (bins of the STFT), `num_audio_channels` and `sample_rate` come from `signal`
in the YAML file; the rest are the `args` of the builder.

The body is `recurrent`: `num_layers` of (B)LSTMs or (B)GRUs with `hidden_size` units a direction;
`convolutional`: `num_repeats` times `num_layers` blocks with dilations 1, 2, 4, ... and
`hidden_size` channels inside, a quarter of that between them (Luo and Mesgarani 2019, the separator
of Conv-TasNet); or `band_split`: each of `bands` as `num_channels` features, `num_layers` pairs of
BLSTMs with `hidden_size` units a direction along time and across bands, and heads of one hidden
layer for each band (Luo and Yu 2023, the band-split RNN, whose masks are complex).
"""

from typing import Literal

from .extras.bands import band_widths
from .graphs import (
    SPLIT_RNN,
    Bands,
    Graph,
    check_probability,
    refuse_activations,
    refuse_below,
)

# default activations
SIGMOID = ["sigmoid"]
SOFTMAX = ["softmax"]
TANH_UNIT_NORM = ["tanh", "unit_norm"]
SIGMOID_UNIT_NORM = ["sigmoid", "unit_norm"]


def deep_clustering(
    num_features,
    num_audio_channels,
    num_layers: int = 4,
    hidden_size: int = 300,
    bidirectional: bool = True,
    dropout: float = 0.3,
    embedding_size: int = 20,
    embedding_activation: list[str] = TANH_UNIT_NORM,
    rnn_type: Literal["lstm", "gru"] = "lstm",
    normalization: Literal["BatchNorm", "InstanceNorm"] = "BatchNorm",
    body: Literal["recurrent", "convolutional", "band_split"] = "recurrent",
    num_repeats: int = 2,
    bands: Bands = SPLIT_RNN,
    num_channels: int = 32,
    sample_rate=None,
):
    """Deep clustering: an embedding of `embedding_size` dimensions for every time-frequency bin::

        mix_magnitude (batch, frames, bins, channels)
        -> embedding (batch, frames, bins, channels, embedding_size)

    Hershey, Chen, Le Roux and Watanabe, "Deep clustering: discriminative embeddings for
    segmentation and separation", ICASSP 2016 (https://arxiv.org/abs/1508.04306).

    Returns:
        the graph, as nussl's SeparationModel takes it.

    Raises:
        ValueError: an unknown activation, or a number of layers or units below 1.
    """
    graph, head = _start(
        "DeepClustering",
        num_features,
        num_audio_channels,
        body=body,
        num_layers=num_layers,
        hidden_size=hidden_size,
        bidirectional=bidirectional,
        dropout=dropout,
        rnn_type=rnn_type,
        normalization=normalization,
        num_repeats=num_repeats,
        bands=bands,
        num_channels=num_channels,
        sample_rate=sample_rate,
    )
    _add_embedding(head, embedding_size, embedding_activation)
    return graph.finished("embedding")


def mask_inference(
    num_features,
    num_audio_channels,
    num_sources: int = 2,
    num_layers: int = 4,
    hidden_size: int = 300,
    bidirectional: bool = True,
    dropout: float = 0.3,
    mask_activation: list[str] = SIGMOID,
    mask: Literal["real", "complex"] = "real",
    rnn_type: Literal["lstm", "gru"] = "lstm",
    normalization: Literal["BatchNorm", "InstanceNorm"] = "BatchNorm",
    body: Literal["recurrent", "convolutional", "band_split"] = "recurrent",
    num_repeats: int = 2,
    bands: Bands = SPLIT_RNN,
    num_channels: int = 32,
    sample_rate=None,
):
    """Mask inference: a mask for each source, multiplied by the mixture::

        mix_magnitude (batch, frames, bins, channels)
        -> mask, estimates (batch, frames, bins, channels, sources)

    With `train.target` phase_sensitive or magnitude the estimates are trained to be the sources'
    magnitudes (Erdogan, Hershey, Watanabe and Le Roux, "Phase-sensitive and recognition-boosted
    speech separation using deep recurrent neural networks", ICASSP 2015). Sources without a fixed
    order, such as speakers, are trained with utterance-level permutation-invariant training
    (Kolbaek, Yu, Tan and Jensen, "Multitalker speech separation with utterance-level permutation
    invariant training of deep recurrent neural networks", TASLP 2017).

    With `mask: complex` the masks change phases too (Williamson, Wang and Wang, TASLP 2016)::

        mix_magnitude, mix_spectrum (batch, frames, bins, channels, 2)
        -> mask, estimates (batch, frames, bins, channels, 2, sources)

    and a loss compares the estimates with `source_spectra`; `mask_activation` is not used.

    Returns:
        the graph, as nussl's SeparationModel takes it.

    Raises:
        ValueError: an unknown activation, or a number of layers or units below 1.
    """
    graph, head = _start(
        "MaskInference",
        num_features,
        num_audio_channels,
        body=body,
        num_layers=num_layers,
        hidden_size=hidden_size,
        bidirectional=bidirectional,
        dropout=dropout,
        rnn_type=rnn_type,
        normalization=normalization,
        num_repeats=num_repeats,
        bands=bands,
        num_channels=num_channels,
        sample_rate=sample_rate,
    )
    if mask == "complex":
        refuse_below(1, num_sources=num_sources)
        graph.modules["mix_spectrum"] = {}
        head("numbers", 2 * num_sources, [])
        graph.add("complex", ["numbers", "mix_spectrum"], "ComplexMask", num_sources=num_sources)
        graph.add("mask", ["complex:mask"], "Alias")
        graph.add("estimates", ["complex:estimates"], "Alias")
    else:
        _add_masks(graph, head, num_sources, mask_activation)
    return graph.finished("mask", "estimates")


def chimera(
    num_features,
    num_audio_channels,
    num_sources: int = 2,
    num_layers: int = 4,
    hidden_size: int = 300,
    bidirectional: bool = True,
    dropout: float = 0.3,
    embedding_size: int = 20,
    embedding_activation: list[str] = SIGMOID_UNIT_NORM,
    mask_activation: list[str] = SOFTMAX,
    rnn_type: Literal["lstm", "gru"] = "lstm",
    normalization: Literal["BatchNorm", "InstanceNorm"] = "BatchNorm",
    body: Literal["recurrent", "convolutional", "band_split"] = "recurrent",
    num_repeats: int = 2,
    bands: Bands = SPLIT_RNN,
    num_channels: int = 32,
    sample_rate=None,
):
    """Chimera: one body with two heads, those of deep clustering and of mask inference::

        mix_magnitude (batch, frames, bins, channels)
        -> embedding (batch, frames, bins, channels, embedding_size),
           mask, estimates (batch, frames, bins, channels, sources)

    Luo, Chen, Hershey, Le Roux and Mesgarani, "Deep clustering and conventional networks for music
    separation: stronger together", ICASSP 2017. Chimera++ is the same network with the losses of
    Wang, Le Roux and Hershey, "Alternative objective functions for deep clustering", ICASSP 2018:
    see experiments/chimera.yml and experiments/chimera_plus_plus.yml.

    Returns:
        the graph, as nussl's SeparationModel takes it.

    Raises:
        ValueError: an unknown activation, or a number of layers or units below 1.
    """
    graph, head = _start(
        "Chimera",
        num_features,
        num_audio_channels,
        body=body,
        num_layers=num_layers,
        hidden_size=hidden_size,
        bidirectional=bidirectional,
        dropout=dropout,
        rnn_type=rnn_type,
        normalization=normalization,
        num_repeats=num_repeats,
        bands=bands,
        num_channels=num_channels,
        sample_rate=sample_rate,
    )
    _add_embedding(head, embedding_size, embedding_activation)
    _add_masks(graph, head, num_sources, mask_activation)
    return graph.finished("embedding", "mask", "estimates")


def _start(
    name,
    num_features,
    num_audio_channels,
    *,
    body,
    num_layers,
    hidden_size,
    bidirectional,
    dropout,
    rnn_type,
    normalization,
    num_repeats,
    bands,
    num_channels,
    sample_rate,
):
    """The graph up to the body, which all three networks share.

    Returns:
        (the graph, head): head(module_name, size, activation) adds a module to the body that gives
        `size` values for each bin.
    """
    refuse_below(1, num_layers=num_layers, hidden_size=hidden_size, num_repeats=num_repeats)
    check_probability(dropout=dropout)
    graph = Graph(name, "mix_magnitude")
    graph.add("log_spectrogram", ["mix_magnitude"], "AmplitudeToDB")
    graph.add("normalization", ["log_spectrogram"], normalization)
    bins = num_features, num_audio_channels
    if body == "recurrent":
        body_name, head_class, head_args = _recurrent_body(
            graph, *bins, hidden_size, num_layers, bidirectional, dropout, rnn_type
        )
    elif body == "convolutional":
        body_name, head_class, head_args = _convolutional_body(
            graph, *bins, hidden_size, num_layers, num_repeats, dropout
        )
    else:
        if sample_rate is None:
            raise ValueError("body: band_split needs the sample_rate, for bands in Hz")
        if not bidirectional or rnn_type != "lstm":
            raise ValueError("body: band_split has bidirectional LSTMs; leave the other keys out")
        widths = band_widths(num_features, sample_rate, bands)
        body_name, head_class, head_args = _band_split_body(
            graph, widths, num_audio_channels, num_channels, hidden_size, num_layers, dropout
        )

    def head(module_name, size, activation):
        graph.add(
            module_name,
            [body_name],
            head_class,
            **head_args,
            embedding_size=size,
            activation=list(activation),
            num_audio_channels=num_audio_channels,
        )

    return graph, head


def _recurrent_body(
    graph, num_features, channels, hidden_size, num_layers, bidirectional, dropout, rnn_type
):
    """Add the modules of the body, as all `_..._body` functions do.

    Returns:
        (name of the last module, class of the heads on it, arguments that all heads get).
    """
    body_name = graph.add(
        "recurrent_stack",
        ["normalization"],
        "RecurrentStack",
        num_features=num_features * channels,
        hidden_size=hidden_size,
        num_layers=num_layers,
        bidirectional=bidirectional,
        dropout=dropout if num_layers > 1 else 0.0,  # torch applies it between layers
        rnn_type=rnn_type,
    )
    width = hidden_size * (2 if bidirectional else 1)
    return body_name, "Embedding", {"num_features": num_features, "hidden_size": width}


def _convolutional_body(
    graph, num_features, channels, hidden_size, num_layers, num_repeats, dropout
):
    num_channels = max(hidden_size // 4, 1)
    body_name = graph.add(
        "convolutional_stack",
        ["normalization"],
        "ConvolutionalStack",
        num_features=num_features * channels,
        num_channels=num_channels,
        hidden_size=hidden_size,
        num_layers=num_layers,
        num_repeats=num_repeats,
        dropout=dropout,
    )
    return body_name, "Embedding", {"num_features": num_features, "hidden_size": num_channels}


def _band_split_body(
    graph, widths, num_audio_channels, num_channels, hidden_size, num_layers, dropout
):
    refuse_below(1, num_channels=num_channels)
    of_bands = {"widths": widths, "num_features": num_channels}
    graph.add(
        "bands",
        ["normalization"],
        "BandSplit",
        **of_bands,
        num_audio_channels=num_audio_channels,
        num_values=1,
        norm=False,
    )
    body_name = graph.add(
        "band_recurrent_stack",
        ["bands"],
        "BandRecurrentStack",
        num_features=num_channels,
        hidden_size=hidden_size,
        num_layers=num_layers,
        dropout=dropout,
    )
    return body_name, "BandEmbedding", of_bands


def _add_embedding(head, embedding_size, embedding_activation):
    refuse_below(1, embedding_size=embedding_size)
    refuse_activations("embedding_activation", embedding_activation)
    head("embedding", embedding_size, embedding_activation)


def _add_masks(graph, head, num_sources, mask_activation):
    refuse_below(1, num_sources=num_sources)
    refuse_activations("mask_activation", mask_activation)
    head("mask", num_sources, mask_activation)
    graph.add("estimates", ["mask", "mix_magnitude"], "Mask")
