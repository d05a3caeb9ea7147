"""Masks made at one sample rate and applied to audio of any rate and length."""

import functools
import math

import numpy as np
import scipy.fft
import torch

import streams
from compat import nussl
from errors import UserError, WrongArgument

PIECE = 10  # seconds of audio that are masked at once


class Masking:
    """Multiplies a recording's STFT by masks that were made at `sample_rate` with `stft_params`.

    The recording's own STFT has frames of the same duration (to 2 %), so that the masks have nearly
    the same grid; between its points they are interpolated linearly. Above their highest frequency
    the mean over their highest octave is used. If the masks add up to 1, the sources add up to the
    recording.

    Args:
        recording: as in `streams`, of any rate and channels.
        sample_rate, stft_params: of the masks.
    """

    def __init__(self, recording, sample_rate, stft_params):
        self.recording = recording
        scale = recording.sample_rate / sample_rate
        self.size = _fast_size(stft_params.window_length * scale)
        self.hop = max(1, round(stft_params.hop_length * scale))
        self.step = self.hop / scale / stft_params.hop_length  # frames of the masks in one of ours
        self.reach = -(-self.size // (2 * self.hop))  # frames to either side that contain a sample
        self.last = -(-recording.length // self.hop)  # the last frame
        window = nussl.AudioSignal.get_window(stft_params.window_type, self.size)
        self.window = torch.as_tensor(window, dtype=torch.float32)
        hertz = np.arange(self.size // 2 + 1) * recording.sample_rate / self.size
        weights = _over_frequency(hertz, stft_params.window_length // 2 + 1, sample_rate / 2)
        self.weights = None if weights is None else torch.from_numpy(weights)

    def stream(self, blocks):
        """The sources, piece by piece.

        Args:
            blocks: (sources, bins, frames, channels) masks, real or complex, that follow each
                other; one channel serves all, and one channel of a recording takes their mean.
                After the last frame given, the last one holds.

        Yields:
            float32 (sources, channels, samples), together as long as the recording.
        """
        held, first, done = None, 0, 0
        for block in blocks:
            if self.recording.num_channels == 1:
                block = block.mean(axis=-1, keepdims=True)
            held = block if held is None else np.concatenate([held, block], axis=2)
            known = math.floor((first + held.shape[2] - 2) / self.step)  # frames of ours
            ready = min((known - self.reach) * self.hop, self.recording.length)
            if ready > done:
                yield from self._pieces(held, first, done, ready)
                done = ready
                spent = int(max(0, done // self.hop - self.reach) * self.step) - first
                held, first = held[:, :, spent:], first + spent
        yield from self._pieces(held, first, done, self.recording.length)

    def _pieces(self, masks, first, start, stop):
        most = PIECE * self.recording.sample_rate
        for begin in range(start, stop, most):
            yield self._piece(masks, first, begin, min(begin + most, stop))

    def _piece(self, masks, first, start, stop):
        """Samples `start` to `stop`; `masks` begin at frame `first` of theirs."""
        low = max(0, start // self.hop - self.reach)
        high = min(self.last, -(-stop // self.hop) + self.reach)
        count = high - low + 1
        length = (count - 1) * self.hop + self.size
        data = self.recording.read(low * self.hop - self.size // 2, length)
        frames = torch.from_numpy(data).unfold(1, self.size, self.hop) * self.window
        spectrum = torch.fft.rfft(frames)  # (c, t, k)
        level = self._overlap_add((self.window**2).expand(1, count, -1)).clamp_min(1e-10)
        at = np.minimum(np.arange(low, high + 1) * self.step - first, masks.shape[2] - 1)
        sources = []
        for mask in masks:
            fine = torch.from_numpy(_over_time(mask, at)).permute(2, 1, 0)  # (f, t, c) -> (c, t, f)
            if self.weights is not None:
                fine = fine @ self.weights.T.to(fine.dtype)
            frames = torch.fft.irfft(spectrum * fine, self.size) * self.window
            begin = start - (low * self.hop - self.size // 2)
            sources.append((self._overlap_add(frames) / level)[:, begin:][:, : stop - start])
        return torch.stack(sources).numpy()

    def _overlap_add(self, frames):
        """(channels, frames, size) -> (channels, samples)"""
        length = (frames.shape[1] - 1) * self.hop + self.size
        whole = torch.nn.functional.fold(
            frames.transpose(1, 2), (1, length), (1, self.size), stride=(1, self.hop)
        )
        return whole[:, 0, 0]


def apply_masks(signal, masks, sample_rate, stft_params):
    """Mask an AudioSignal: see `Masking`.

    Args:
        signal: AudioSignal of any rate and channels.
        masks: (sources, bins, frames, channels); as in `Masking.stream`.

    Returns:
        [AudioSignal] of the length, rate and channels of `signal`, one a mask.
    """
    recording = streams.ArrayRecording(signal.audio_data, signal.sample_rate)
    masking = Masking(recording, sample_rate, stft_params)
    sources = np.concatenate(list(masking.stream([masks])), axis=-1)
    own = nussl.STFTParams(masking.size, masking.hop, stft_params.window_type)
    make = functools.partial(nussl.AudioSignal, sample_rate=signal.sample_rate, stft_params=own)
    estimates = [make(audio_data_array=source) for source in sources]
    for estimate in estimates:
        estimate.original_signal_length = signal.signal_length
    return estimates


def over_range(masks, sample_rate, recording_rate):
    """Masks made at `sample_rate`, over the frequencies of a recording, as `Masking` applies them.

    Args:
        masks: (sources, bins, frames), from 0 Hz to `sample_rate` / 2.

    Returns:
        the same from 0 Hz to `recording_rate` / 2, with the same distance between bins.
    """
    bins = masks.shape[1]
    count = round((bins - 1) * recording_rate / sample_rate) + 1
    hertz = np.linspace(0, recording_rate / 2, count)
    weights = _over_frequency(hertz, bins, sample_rate / 2)
    return masks if weights is None else weights @ masks


def one_hot(masks):
    """Binary masks (sources, ...): 1 for the greatest mask of a bin, the first of equal ones, 0 for
    the others.

    Raises:
        UserError: the masks are complex.
    """
    if np.iscomplexobj(masks):
        raise UserError("mask_type binary does not go with complex masks; write soft")
    greatest = masks.argmax(axis=0)
    return (np.arange(len(masks)).reshape(-1, *[1] * greatest.ndim) == greatest).astype(np.float32)


def consistent(parts, whole):
    """Mixture consistency: distribute the difference of the whole, (...), and the sum of the parts,
    (sources, ...), equally over the parts (Wisdom et al., "Differentiable consistency constraints
    for improved deep speech enhancement", ICASSP 2019, equation (7))."""
    return parts + (whole - parts.sum(axis=0)) / len(parts)


def between(stft_params, shifts):
    """The STFT parameters of masks from `shifts` readings of a mixture, each a part of a hop later.

    Raises:
        WrongArgument: `shifts` is no divisor of the hop.
    """
    hop = stft_params.hop_length
    if shifts < 1 or hop % shifts:
        raise WrongArgument(
            f"shifts is {shifts}, expected a divisor of the {hop} samples of a hop of the model's "
            "STFT, such as 2"
        )
    return stft_params._replace(hop_length=hop // shifts)


def _fast_size(length):
    """An even number near `length` with a fast FFT: 1412 has a large prime factor and takes three
    times as long as 1408. `length` itself if it is an even number: the model's own rate."""
    if length == int(length) and length % 2 == 0:
        return int(length)
    near = 2 * round(length / 2)
    span = range(0, near // 50, 2)
    sizes = (size for step in span for size in (near - step, near + step))
    return next((size for size in sizes if scipy.fft.next_fast_len(size) == size), near)


def _over_time(mask, at):
    """`mask` (bins, frames, channels) at the frames `at`, between which it is interpolated."""
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, mask.shape[1] - 1)
    share = (at - before).astype(np.float32)[:, None]
    return mask[:, before] * (1 - share) + mask[:, after] * share


def _over_frequency(hertz, bins, highest):
    """(len(hertz), bins) rows that add up to 1: interpolation below `highest` Hz, the mean of the
    octave under it above. None where the two grids are the same."""
    at = hertz / highest * (bins - 1)
    if len(at) == bins and np.allclose(at, np.arange(bins)):
        return None
    weights = np.zeros((len(at), bins), dtype=np.float32)
    inside = np.flatnonzero(at <= bins - 1)
    before = np.minimum(at[inside].astype(int), bins - 2)
    weights[inside, before] = 1 - (at[inside] - before)
    weights[inside, before + 1] += at[inside] - before
    octave = np.arange(bins) >= (bins - 1) / 2
    weights[at > bins - 1] = octave / octave.sum()
    return weights
