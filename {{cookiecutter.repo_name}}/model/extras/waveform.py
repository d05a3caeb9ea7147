"""Learned filter banks in place of the STFT and its inverse: encoder and decoder of all TasNets."""

import torch
from torch import nn


class Encoder(nn.Module):
    """A learned filter bank in place of an STFT: a strided convolution of the waveform, and a ReLU.

    Equation (2) of Luo and Mesgarani, "Conv-TasNet", TASLP 2019; with `gated`, equation (2) of
    their "TasNet: time-domain audio separation network for real-time, single-channel speech
    separation", ICASSP 2018: its output times the sigmoid of a second filter bank.

    Args:
        num_filters: N, the features of a frame.
        filter_length: L, in samples.
        stride: samples between frames, a divisor of `filter_length`; None: half of it.
        num_audio_channels: 1 (mono) or 2 (stereo); a filter reads all of them at once.
        gated: with the second filter bank.
    """

    looks_ahead = False

    def __init__(
        self,
        num_filters: int,
        filter_length: int,
        stride: int | None = None,
        num_audio_channels: int = 1,
        gated: bool = False,
    ):
        super().__init__()
        self.filter_length, self.stride = filter_length, _stride(filter_length, stride)
        size = (num_audio_channels, num_filters, filter_length, self.stride)
        self.filters = _filters(*size)
        self.gate = _filters(*size) if gated else None

    def forward(self, audio):
        """(batch, channels, samples) -> (batch, frames, num_filters, 1), not negative"""
        audio = nn.functional.pad(audio, padding(self.filter_length, self.stride))
        weights = torch.relu(self.filters(audio))
        if self.gate is not None:
            weights = weights * torch.sigmoid(self.gate(audio))
        return weights.transpose(1, 2).unsqueeze(-1)


class Decoder(nn.Module):
    """The inverse filter bank, a transposed convolution: the frames of each source, overlap-added.

    The padding of `Encoder` is cut off, so that the sources are exactly as long as the mixture.
    Equation (3) of Luo and Mesgarani 2019.

    Args:
        as `Encoder`'s.
    """

    is_head = True
    looks_ahead = False

    def __init__(
        self,
        num_filters: int,
        filter_length: int,
        stride: int | None = None,
        num_audio_channels: int = 1,
    ):
        super().__init__()
        self.filter_length, self.stride = filter_length, _stride(filter_length, stride)
        self.filters = nn.ConvTranspose1d(
            num_filters, num_audio_channels, filter_length, self.stride, bias=False
        )

    def forward(self, data, audio):
        """Features of the sources, and the mixture whose length they get.

        data: (batch, frames, num_filters, 1, sources); audio: (batch, channels, samples).

        Returns:
            (batch, channels, samples, sources)
        """
        batch, frames, filters, _, sources = data.shape
        # (b, t, f, 1, s) -> (b*s, f, t): each source is a waveform of its own
        data = data.squeeze(3).permute(0, 3, 2, 1).reshape(batch * sources, filters, frames)
        left, _ = padding(self.filter_length, self.stride)
        waves = self.filters(data)[..., left : left + audio.shape[-1]]
        return waves.reshape(batch, sources, *audio.shape[1:]).permute(0, 2, 3, 1)


def _filters(channels, num_filters, filter_length, stride):
    return nn.Conv1d(channels, num_filters, filter_length, stride, bias=False)


def _stride(filter_length, stride):
    """The stride, or its default, half a filter; ValueError if it does not divide a filter."""
    stride = filter_length // 2 if stride is None else stride
    if stride < 1 or filter_length % stride:
        raise ValueError(
            f"stride is {stride}; it must divide filter_length {filter_length}, "
            "so that every sample lies in as many frames"
        )
    return stride


def padding(filter_length, stride):
    """(zeros before, zeros after) a waveform, so that all samples are in equally many frames; what
    does not fill a frame at the end is not read."""
    overlap = filter_length - stride
    return overlap, overlap + stride - 1
