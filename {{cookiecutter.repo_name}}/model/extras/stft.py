"""STFT and inverse STFT as the first and last module of a network, in place of learned filters."""

import torch
from torch import nn


class _STFT(nn.Module):
    """The Hann window and the lengths of both directions."""

    def __init__(self, window_length: int, hop_length: int):
        super().__init__()
        if window_length < 2 or window_length % 2 or not 1 <= hop_length <= window_length // 2:
            raise ValueError(
                f"window_length is {window_length} and hop_length {hop_length}; an even window and "
                "at most half of it as hop are needed"
            )
        self.window_length, self.hop_length = window_length, hop_length
        self.register_buffer("window", torch.hann_window(window_length), persistent=False)


class STFTEncoder(_STFT):
    """The complex spectrum of a waveform, under a Hann window.

    Args:
        window_length: in samples, an even number.
        hop_length: in samples, at most half a window.

    Raises:
        ValueError: lengths without perfect reconstruction.
    """

    def forward(self, audio):
        """(batch, channels, samples) -> (batch, frames, bins, channels, 2), real and imaginary"""
        batch, channels, samples = audio.shape
        # to whole hops, so that every sample lies between the middles of two frames
        audio = nn.functional.pad(audio.float(), (0, -samples % self.hop_length))
        spectrum = torch.stft(
            audio.flatten(0, 1),
            self.window_length,
            self.hop_length,
            window=self.window / self.window.sum().sqrt(),
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        spectrum = torch.view_as_real(spectrum).unflatten(0, (batch, channels))
        return spectrum.permute(0, 3, 2, 1, 4)  # (b, c, f, t, 2) -> (b, t, f, c, 2)


class STFTDecoder(_STFT):
    """The inverse STFT: windowed frames, overlap-added and divided by the sum of squared windows
    (Griffin and Lim, "Signal estimation from modified short-time Fourier transform", TASSP 1984,
    equation (6)).

    Args:
        as `STFTEncoder`'s.
    """

    def forward(self, data, audio):
        """Spectra of the sources, and the mixture whose length they get.

        data: (batch, frames, bins, channels, 2, sources); audio: (batch, channels, samples).

        Returns:
            (batch, channels, samples, sources)
        """
        batch, frames, _, channels, _, sources = data.shape
        # (b, t, f, c, 2, s) -> (b*c*s, f, t, 2)
        data = data.permute(0, 3, 5, 2, 1, 4).flatten(0, 2).float()
        pieces = torch.fft.irfft(
            torch.complex(data[..., 0], data[..., 1]), n=self.window_length, dim=1
        )
        window = self.window[:, None] / self.window.sum().sqrt()
        power = (window**2).expand(1, -1, frames)
        waves = self._overlap_add(pieces * window) / self._overlap_add(power).clamp_min(1e-11)
        start = self.window_length // 2
        waves = waves[:, start : start + audio.shape[-1]]
        return waves.unflatten(0, (batch, channels, sources)).transpose(2, 3)

    def _overlap_add(self, pieces):
        """(waveforms, window_length, frames) -> (waveforms, samples)"""
        count, length, frames = pieces.shape
        samples = length + self.hop_length * (frames - 1)
        return nn.functional.fold(
            pieces, (1, samples), (1, length), stride=(1, self.hop_length)
        ).reshape(count, samples)
