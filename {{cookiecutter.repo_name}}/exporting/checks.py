"""Check that the exported files compute what torch computes."""

import io

import numpy as np
import torch

from compat import nussl
from errors import UserError, in_one_line

from .graphs import INPUT, quiet

SECONDS = 1.5  # a note of the test recording


def onnx_session(content):
    """A session of onnxruntime for an ONNX file's bytes, on one thread of the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def recording(seconds, sample_rate, channels):
    """A test recording: notes with vibrato and overtones, and bursts of noise: (channels, samples),
    the same each time."""
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    rng = np.random.default_rng(0)
    pitch = 220 * 2 ** (np.floor(time / SECONDS) % 7 / 6)
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.01 * np.sin(2 * np.pi * 5 * time))) / sample_rate
    notes = sum(np.sin(k * phase) / k for k in range(1, 9)) * (time % SECONDS < 0.8 * SECONDS)
    bursts = rng.standard_normal(len(time)) * np.exp(-12 * (time % 0.4))
    sides = [0.1 * notes + side * bursts for side in (0.05, 0.09)]
    return np.stack(sides)[:channels].astype(np.float32)


def compare(separation, onnx, pt2, seconds, sample_rate, make=None):
    """Compare the exported files with torch on test recordings.

    Args:
        separation: the `Separation` that was exported.
        onnx, pt2: the bytes of the files.
        seconds: lengths of the recordings.
        make: function(AudioSignal) -> the algorithm of this project, which is compared too, for
            recordings that it separates as one chunk; None: it is not.

    Returns:
        a row {"seconds", "channels", "onnx", "pt2", "project"} for each recording: the largest
        differences as parts of the peak.

    Raises:
        UserError: one of the files differs by more than `separation.bound`, or the .pt2 refuses a
            length.
    """
    session = onnx_session(onnx)
    with quiet():
        program = torch.export.load(io.BytesIO(pt2)).module()
    counts = (1, 2) if separation.any_channels else (separation.num_channels,)
    rows = []
    for length in seconds:
        for channels in counts if length == min(seconds) else counts[:1]:
            mixture = recording(length, sample_rate, channels)
            with torch.inference_mode():
                expected = separation(torch.from_numpy(mixture)).numpy()
                loaded = _run(program, mixture, length)
            row = {"seconds": length, "channels": channels}
            row["onnx"] = difference(session.run(None, {INPUT: mixture})[0], expected)
            row["pt2"] = difference(loaded, expected)
            signal = nussl.AudioSignal(audio_data_array=mixture, sample_rate=sample_rate)
            algorithm = make(signal) if make is not None else None
            if algorithm is not None and algorithm.input.chunks.count == 1:
                estimates = np.stack([estimate.audio_data for estimate in algorithm()])
                if separation.labels is None:
                    estimates = estimates[_order(estimates, expected)]
                row["project"] = difference(estimates, expected)
            rows.append(row)
    wrong = [
        f"{name} by {row[name]:.1e} of the peak over {row['seconds']:g} s"
        for row in rows
        for name in ("onnx", "pt2")
        if not row[name] <= separation.bound
    ]
    if wrong:
        raise UserError(
            f"the exported files differ from torch ({'; '.join(wrong)}), at most "
            f"{separation.bound:.0e} is accepted; nothing is written"
        )
    return rows


def difference(found, expected):
    """The largest difference, as a part of the peak of what is expected."""
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-12))


def _order(estimates, expected):
    """[index into estimates] of each expected source: clusters have no order."""
    from algorithms.chunks import order_like

    return order_like(expected, estimates)


def _run(program, mixture, seconds):
    try:
        return program(torch.from_numpy(mixture)).numpy()
    except Exception as error:  # the guards of torch.export, or what its operations raise
        reason = in_one_line(error)
        raise UserError(
            f"model.pt2 cannot separate {seconds:g} s ({reason}); nothing is written; write other "
            "lengths as export.check_seconds if it need not"
        ) from error
