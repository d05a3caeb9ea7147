"""A separation as files: torch.export's .pt2 and ONNX, both for recordings of any length."""

import contextlib
import io
import logging
import warnings

import torch

from errors import UserError, in_one_line

INPUT, OUTPUT = "mixture", "sources"
LOGGERS = (
    "torch.onnx",
    "torch.export",
    "torch._export",
    "torch._export.serde.serialize",
    "onnxscript",
)


def exported(separation, sample_rate):
    """torch.export's program of a `Separation`, for any number of samples.

    Raises:
        UserError: torch.export cannot follow the network.
    """
    any_channels = separation.any_channels
    channels = 2 if any_channels else separation.num_channels
    # deliberately not a multiple of any hop, so that torch.export does not specialise on it
    example = 0.1 * torch.randn(
        channels, 2 * sample_rate + 7, generator=torch.Generator().manual_seed(0)
    )
    sizes = {1: torch.export.Dim.DYNAMIC}
    if any_channels:
        sizes[0] = torch.export.Dim.DYNAMIC
    with quiet(), _plain_attention():
        try:
            return torch.export.export(separation, (example,), dynamic_shapes=(sizes,))
        except Exception as error:  # tracing runs the code of the network, which may raise anything
            reason = in_one_line(error)
            raise UserError(
                f"the network cannot be exported: torch.export fails with {reason}"
            ) from error


def onnx_bytes(program, facts):
    """ONNX of torch.export's program.

    facts: {name: text} that the file holds about itself.

    Raises:
        UserError: an operation has no translation.
    """
    table = {torch.ops.aten.mkldnn_rnn_layer.default: _lstm_layer}
    with quiet():
        try:
            written = torch.onnx.export(
                program,
                dynamo=True,
                input_names=[INPUT],
                output_names=[OUTPUT],
                custom_translation_table=table,
                verbose=False,
                optimize=False,  # which would remove the addition of 1e-8 as a no-op
            )
        except Exception as error:  # the exporter's errors have no common class
            reason = in_one_line(error)
            raise UserError(f"the network cannot be written as ONNX: {reason}") from error
    model = written.model_proto
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)
    return model.SerializeToString()


def pt2_bytes(program):
    """The file that `torch.export.load` reads."""
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(program, buffer)
    return buffer.getvalue()


def _lstm_layer(
    data,
    w_ih,
    w_hh,
    b_ih,
    b_hh,
    hidden,
    cell,
    reverse: bool,
    batch_sizes,
    mode: int,
    hidden_size: int,
    num_layers: int,
    has_biases: bool,
    bidirectional: bool,
    batch_first: bool,
    train: bool,
):
    """One direction of one layer of LSTMs, which torch.export leaves whole, as ONNX's LSTM.

    data: (steps, batch, features). ONNX has the gates in another order.
    """
    from onnxscript import opset18 as op

    def reordered(weights):
        i, f, c, o = op.Split(weights, num_outputs=4, axis=0)
        return op.Concat(i, o, f, c, axis=0)

    biases = op.Concat(reordered(b_ih), reordered(b_hh), axis=0)
    first = op.Constant(value_ints=[0])
    out, last, last_cell = op.LSTM(
        data,
        op.Unsqueeze(reordered(w_ih), first),
        op.Unsqueeze(reordered(w_hh), first),
        op.Unsqueeze(biases, first),
        None,
        hidden,
        cell,
        hidden_size=hidden_size,
        direction="reverse" if reverse else "forward",
    )
    out = op.Squeeze(out, op.Constant(value_ints=[1]))  # (steps, 1, batch, hidden)
    return out, last, last_cell, last


@contextlib.contextmanager
def quiet():
    """A context without the warnings and log messages of torch's exporters."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _plain_attention():
    """A context in which transformer layers run as single operations, not as torch's fused one,
    which cannot be exported."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)
