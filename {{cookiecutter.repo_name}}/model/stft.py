"""Networks that read and write waveforms, with an STFT and its inverse inside.

They can be trained with losses of waveforms and of spectra, and estimate the phases of the sources
too::

    mix_audio (batch, channels, samples) -> audio (batch, channels, samples, sources)

`num_audio_channels` and `sample_rate` come from `signal` in the YAML file, whose window_length and
hop_length have no effect here: those of the network are among the `args` of the builder.
"""

from .extras.bands import band_widths
from .graphs import SPLIT_RNN, Bands, Graph, check_probability, refuse_below

SPLIT_TRANSFORMER: Bands = [
    [1030, 43],
    [2060, 86],
    [4100, 258],
    [8200, 517],
    [16500, 1034],
    [22050, 2756],
]


def band_split_rnn(
    num_audio_channels,
    sample_rate,
    num_sources: int = 2,
    window_length: int = 2048,
    hop_length: int = 512,
    bands: Bands = SPLIT_RNN,
    num_channels: int = 128,
    hidden_size: int = 256,
    num_layers: int = 12,
    dropout: float = 0.0,
):
    """Band-split RNN: BLSTMs along time and across bands of the spectrum, complex masks.

    Luo and Yu, "Music source separation with band-split RNN", TASLP 2023
    (https://arxiv.org/abs/2209.15174): `num_channels` N, `num_layers` pairs of BLSTMs. The paper
    trains one network for each source, with bands of its own; this one has masks for all sources.

    Returns:
        the graph, as nussl's SeparationModel takes it; it also gives "mask" (batch, frames, bins,
        channels, 2, sources).

    Raises:
        ValueError: invalid bands or sizes.
    """
    check_probability(dropout=dropout)
    return _band_split(
        "BandSplitRNN",
        num_audio_channels,
        sample_rate,
        num_sources,
        window_length,
        hop_length,
        bands,
        num_channels,
        class_name="BandRecurrentStack",
        hidden_size=hidden_size,
        num_layers=num_layers,
        dropout=dropout,
    )


def band_split_roformer(
    num_audio_channels,
    sample_rate,
    num_sources: int = 2,
    window_length: int = 2048,
    hop_length: int = 441,
    bands: Bands = SPLIT_TRANSFORMER,
    num_channels: int = 384,
    num_layers: int = 6,
    num_heads: int = 8,
    head_size: int = 64,
    expansion: int = 4,
    dropout: float = 0.0,
):
    """BS-RoFormer: transformers along time and across bands of the spectrum, complex masks.

    Lu, Wang, Kong and Hung, "Music source separation with band-split RoPE transformer", ICASSP 2024
    (https://arxiv.org/abs/2309.02612): `num_channels` D, `num_layers` L.

    Returns:
        the graph, as nussl's SeparationModel takes it; it also gives "mask" (batch, frames, bins,
        channels, 2, sources).

    Raises:
        ValueError: invalid bands or sizes.
    """
    check_probability(dropout=dropout)
    return _band_split(
        "BSRoFormer",
        num_audio_channels,
        sample_rate,
        num_sources,
        window_length,
        hop_length,
        bands,
        num_channels,
        class_name="BandTransformerStack",
        num_layers=num_layers,
        num_heads=num_heads,
        head_size=head_size,
        expansion=expansion,
        dropout=dropout,
    )


def tf_gridnet(
    num_audio_channels,
    num_sources: int = 2,
    window_length: int = 256,
    hop_length: int = 64,
    num_channels: int = 64,
    hidden_size: int = 256,
    num_layers: int = 6,
    kernel_size: int = 4,
    stride: int = 1,
    num_heads: int = 4,
    attention_size: int = 512,
):
    """TF-GridNet: BLSTMs along both axes of the spectrum and attention between frames estimate the
    spectra of the sources directly, without masks.

    Wang, Cornell, Choi, Lee, Kim and Watanabe, "TF-GridNet: integrating full- and sub-band modeling
    for speech separation", TASLP 2023 (https://arxiv.org/abs/2211.12433); its letters are those of
    `extras.grid.GridStack`.

    Returns:
        the graph, as nussl's SeparationModel takes it.

    Raises:
        ValueError: invalid sizes.
    """
    sizes = {"num_channels": num_channels, "hidden_size": hidden_size, "num_layers": num_layers}
    refuse_below(1, num_sources=num_sources, **sizes)
    graph = Graph("TFGridNet", "mix_audio")
    stft = {"window_length": window_length, "hop_length": hop_length}
    graph.add("spectrum", ["mix_audio"], "STFTEncoder", **stft)
    graph.add(
        "estimates",
        ["spectrum"],
        "GridStack",
        num_bins=window_length // 2 + 1,
        num_sources=num_sources,
        num_audio_channels=num_audio_channels,
        **sizes,
        kernel_size=kernel_size,
        stride=stride,
        num_heads=num_heads,
        attention_size=attention_size,
    )
    graph.add("audio", ["estimates", "mix_audio"], "STFTDecoder", **stft)
    return graph.finished("audio")


def _band_split(
    name,
    num_audio_channels,
    sample_rate,
    num_sources,
    window_length,
    hop_length,
    bands,
    num_channels,
    class_name,
    **stack,
):
    """The graph: STFT, bands, stack, masks, inverse STFT.

    class_name, stack: the module between bands and masks, and its arguments.
    """
    sizes = {key: value for key, value in stack.items() if type(value) is int}
    refuse_below(1, num_sources=num_sources, num_channels=num_channels, **sizes)
    stft = {"window_length": window_length, "hop_length": hop_length}
    shape = {
        "widths": band_widths(window_length // 2 + 1, sample_rate, bands),
        "num_features": num_channels,
        "num_audio_channels": num_audio_channels,
    }
    graph = Graph(name, "mix_audio")
    graph.add("spectrum", ["mix_audio"], "STFTEncoder", **stft)
    graph.add("bands", ["spectrum"], "BandSplit", **shape)
    graph.add("separator", ["bands"], class_name, num_features=num_channels, **stack)
    graph.add("numbers", ["separator"], "BandMasks", **shape, num_sources=num_sources)
    graph.add(
        "complex", ["numbers", "spectrum"], "ComplexMask", num_sources=num_sources, bound=None
    )
    graph.add("mask", ["complex:mask"], "Alias")
    graph.add("estimates", ["complex:estimates"], "Alias")
    graph.add("audio", ["estimates", "mix_audio"], "STFTDecoder", **stft)
    return graph.finished("audio", "mask")
