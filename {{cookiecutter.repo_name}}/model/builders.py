"""The named networks: functions that write the graph of a nussl `SeparationModel`.

`num_features` (bins of the STFT) and `num_audio_channels` come from `signal` in the YAML file; the
rest are the `args` of the builder.
"""

from typing import Literal

from compat import nussl

ACTIVATIONS = ("sigmoid", "tanh", "relu", "softmax", "unit_norm", "l1_norm")


def deep_clustering(
    num_features,
    num_audio_channels,
    num_layers: int = 4,
    hidden_size: int = 300,
    bidirectional: bool = True,
    dropout: float = 0.3,
    embedding_size: int = 20,
    embedding_activation: list[str] = ("tanh", "unit_norm"),
    rnn_type: Literal["lstm", "gru"] = "lstm",
    normalization: Literal["BatchNorm", "InstanceNorm"] = "BatchNorm",
):
    """Deep clustering: a recurrent stack that embeds every time-frequency bin.

    Log magnitudes are normalised, run through `num_layers` of (B)LSTMs with `hidden_size` units a
    direction, and mapped to an embedding of `embedding_size` dimensions a bin::

        mix_magnitude (batch, frames, bins, channels) -> embedding (batch, frames, bins, channels,
        embedding_size)

    Hershey, Chen, Le Roux and Watanabe, "Deep clustering: discriminative embeddings for
    segmentation and separation", ICASSP 2016 (https://arxiv.org/abs/1508.04306).

    Returns:
        the graph, as nussl's SeparationModel takes it.

    Raises:
        ValueError: an activation that there is not, or a stack without layers or units.
    """
    for activation in embedding_activation:
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"embedding_activation holds {activation!r}; known are " + ", ".join(ACTIVATIONS)
            )
    for name, value in (
        ("num_layers", num_layers),
        ("hidden_size", hidden_size),
        ("embedding_size", embedding_size),
    ):
        if value < 1:
            raise ValueError(f"{name} is {value}; at least 1 is needed")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}; it is a share, from 0 to below 1")
    return nussl.ml.networks.builders.build_recurrent_dpcl(
        num_features=num_features,
        num_audio_channels=num_audio_channels,
        num_layers=num_layers,
        hidden_size=hidden_size,
        bidirectional=bidirectional,
        dropout=dropout if num_layers > 1 else 0.0,  # torch applies it between layers
        embedding_size=embedding_size,
        embedding_activation=list(embedding_activation),
        rnn_type=rnn_type,
        normalization_class=normalization,
    )
