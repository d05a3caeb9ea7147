"""Networks that read and write waveforms by learned filter banks: TasNet and its successors.

All four learn filter banks in place of an STFT (`Encoder`, `Decoder`), multiply the encoded mixture
by a mask for each source, and give waveforms as long as the mixture::

    mix_audio (batch, channels, samples)
    -> audio (batch, channels, samples, sources),
       mask (batch, frames, num_filters, 1, sources)

They differ in the separator that estimates the masks: LSTMs, dilated convolutions, or recurrent
layers or transformers on two paths. `num_audio_channels` comes from `signal` in the YAML file (a
filter reads all channels at once), where window_length and hop_length have no effect; the rest are
the `args` of the builder. The encoder's `filter_length` and `stride` are in samples; by default the
stride is half a filter.
"""

from typing import Literal

from .graphs import Graph, check_probability, refuse_activations, refuse_below

# default activations
SIGMOID = ["sigmoid"]
SOFTMAX = ["softmax"]
RELU = ["relu"]


def tasnet(
    num_audio_channels,
    num_sources: int = 2,
    num_filters: int = 500,
    filter_length: int = 40,
    stride: int | None = None,
    num_layers: int = 4,
    hidden_size: int = 500,
    bidirectional: bool = True,
    dropout: float = 0.0,
    mask_activation: list[str] = SOFTMAX,
):
    """TasNet: a gated filter bank, BLSTMs, masks.

    Luo and Mesgarani, "TasNet: time-domain audio separation network for real-time, single-channel
    speech separation", ICASSP 2018 (https://arxiv.org/abs/1711.00541).

    Returns:
        the graph, as nussl's SeparationModel takes it.

    Raises:
        ValueError: an unknown activation, or invalid sizes.
    """
    check_probability(dropout=dropout)
    return _tasnet(
        "TasNet",
        num_audio_channels,
        num_sources,
        num_filters,
        filter_length,
        stride,
        mask_activation,
        gated=True,
        width=hidden_size * (2 if bidirectional else 1),
        class_name="ResidualRecurrentStack",
        hidden_size=hidden_size,
        num_layers=num_layers,
        bidirectional=bidirectional,
        dropout=dropout,
    )


def conv_tasnet(
    num_audio_channels,
    num_sources: int = 2,
    num_filters: int = 512,
    filter_length: int = 16,
    stride: int | None = None,
    num_channels: int = 128,
    hidden_size: int = 512,
    num_layers: int = 8,
    num_repeats: int = 3,
    kernel_size: int = 3,
    mask_activation: list[str] = SIGMOID,
    causal: bool = False,
):
    """Conv-TasNet: dilated depthwise convolutions.

    In the paper's letters: `num_filters` N, `filter_length` L, `num_channels` B and Sc,
    `hidden_size` H, `kernel_size` P, `num_layers` X, `num_repeats` R. The norm is global layer
    norm; with `causal` it is cumulative, and no frame depends on later ones.

    Luo and Mesgarani, "Conv-TasNet: surpassing ideal time-frequency magnitude masking for speech
    separation", TASLP 2019 (https://arxiv.org/abs/1809.07454).

    Returns:
        the graph, as nussl's SeparationModel takes it.

    Raises:
        ValueError: an unknown activation, or invalid sizes.
    """
    return _tasnet(
        "ConvTasNet",
        num_audio_channels,
        num_sources,
        num_filters,
        filter_length,
        stride,
        mask_activation,
        width=num_channels,
        class_name="ConvolutionalStack",
        num_channels=num_channels,
        hidden_size=hidden_size,
        num_layers=num_layers,
        num_repeats=num_repeats,
        kernel_size=kernel_size,
        causal=causal,
    )


def dual_path(
    num_audio_channels,
    num_sources: int = 2,
    num_filters: int = 64,
    filter_length: int = 16,
    stride: int | None = None,
    num_channels: int = 64,
    hidden_size: int = 128,
    num_layers: int = 6,
    chunk_size: int = 100,
    dropout: float = 0.0,
    rnn_type: Literal["lstm", "gru"] = "lstm",
    mask_activation: list[str] = SIGMOID,
):
    """Dual-path RNN TasNet: recurrent layers within chunks of the sequence and across them.

    Luo, Chen and Yoshioka, "Dual-path RNN: efficient long sequence modeling for time-domain
    single-channel speech separation", ICASSP 2020 (https://arxiv.org/abs/1910.06379).

    Returns:
        the graph, as nussl's SeparationModel takes it.

    Raises:
        ValueError: an unknown activation, or invalid sizes.
    """
    check_probability(dropout=dropout)
    return _tasnet(
        "DualPathTasNet",
        num_audio_channels,
        num_sources,
        num_filters,
        filter_length,
        stride,
        mask_activation,
        width=num_channels,
        class_name="DualPathStack",
        num_channels=num_channels,
        hidden_size=hidden_size,
        num_layers=num_layers,
        chunk_size=chunk_size,
        dropout=dropout,
        rnn_type=rnn_type,
    )


def sepformer(
    num_audio_channels,
    num_sources: int = 2,
    num_filters: int = 256,
    filter_length: int = 16,
    stride: int | None = None,
    num_channels: int = 256,
    hidden_size: int = 1024,
    num_layers: int = 2,
    depth: int = 8,
    num_heads: int = 8,
    chunk_size: int = 250,
    dropout: float = 0.0,
    mask_activation: list[str] = RELU,
):
    """SepFormer: transformers within chunks of the sequence and across them.

    Subakan, Ravanelli, Cornell, Bronzi and Zhong, "Attention is all you need in speech separation",
    ICASSP 2021 (https://arxiv.org/abs/2010.13154).

    Returns:
        the graph, as nussl's SeparationModel takes it.

    Raises:
        ValueError: an unknown activation, or invalid sizes.
    """
    check_probability(dropout=dropout)
    return _tasnet(
        "SepFormer",
        num_audio_channels,
        num_sources,
        num_filters,
        filter_length,
        stride,
        mask_activation,
        width=num_channels,
        class_name="SepFormerStack",
        num_channels=num_channels,
        hidden_size=hidden_size,
        num_layers=num_layers,
        depth=depth,
        num_heads=num_heads,
        chunk_size=chunk_size,
        dropout=dropout,
    )


def _tasnet(
    name,
    num_audio_channels,
    num_sources,
    num_filters,
    filter_length,
    stride,
    mask_activation,
    width,
    class_name,
    gated=False,
    **stack,
):
    """The graph: encoder, stack, masks, decoder.

    class_name, stack: the module that estimates the masks, and its arguments. width: the number of
    its output features.
    """
    refuse_activations("mask_activation", mask_activation)
    sizes = {key: value for key, value in stack.items() if type(value) is int}
    refuse_below(1, num_sources=num_sources, num_filters=num_filters, **sizes)
    bank = {
        "num_filters": num_filters,
        "filter_length": filter_length,
        "stride": stride,
        "num_audio_channels": num_audio_channels,
    }
    graph = Graph(name, "mix_audio")
    graph.add("encoder", ["mix_audio"], "Encoder", **bank, gated=gated)
    graph.add("separator", ["encoder"], class_name, num_features=num_filters, **stack)
    graph.add(
        "mask",
        ["separator"],
        "Embedding",
        num_features=num_filters,
        hidden_size=width,
        embedding_size=num_sources,
        activation=list(mask_activation),
        num_audio_channels=1,
    )
    graph.add("estimates", ["mask", "encoder"], "Mask")
    graph.add("audio", ["estimates", "mix_audio"], "Decoder", **bank)
    return graph.finished("audio", "mask")
