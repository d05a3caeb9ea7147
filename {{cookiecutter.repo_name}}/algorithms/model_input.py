"""A mixture as a model reads it: at the model's rate and channels, in chunks if it is long."""

import functools

import numpy as np
import torch

import audio
import streams
from compat import nussl
from errors import UserError, WrongArgument, amount

from .chunks import Chunks

CHUNK = 10.0  # seconds that the network reads at once; longer audio is cut into chunks
OVERLAP = 1.0  # seconds over which a chunk is faded into the next, at most a fifth of it
LEAST = 3  # frames in a chunk
CANCELLED_DB = -60.0  # level of a mono mix relative to its channels below which these cancel out
LEVELS_DB = (-35.0, -6.0)  # if a checkpoint has no levels of its training data


def level_range(metadata):
    """The (lowest, highest) RMS level of the loudest chunk at which a model reads a mixture, in dB
    of full scale: within a standard deviation of the mean of its training excerpts."""
    trained = metadata.get("level_db")
    if trained is None:
        return LEVELS_DB
    return trained["mean"] - trained["std"], trained["mean"] + trained["std"]


def recording_of(signal):
    """An AudioSignal, or a recording as in `streams`, as a recording."""
    if isinstance(signal, nussl.AudioSignal):
        return streams.ArrayRecording(signal.audio_data, signal.sample_rate)
    return signal


class ModelInput:
    """A mixture, resampled and cut into chunks for a model.

    Attributes:
        signal: the mixture as it was given.
        recording: the same, read piece by piece as in `streams`.
        audio: the recording at the model's rate and channels.
        chunks: `Chunks` of STFT frames.

    Args:
        signal: an AudioSignal, or a recording as in `streams`, which is never in memory as a whole.
        metadata: of the model: sample_rate, num_channels, level_db, and stft_params, whose hop may
            be a part of the model's: that of the masks.
        front_end: the model's `FrontEnd`.
        chunk: seconds that the network reads at once; None: `CHUNK`.

    Raises:
        UserError: the mixture is silent, or shorter than one STFT frame of the model.
        WrongArgument: `chunk` is too short.
    """

    def __init__(self, signal, metadata, front_end, chunk=None):
        rate, channels = metadata["sample_rate"], metadata["num_channels"]
        chunk = CHUNK if chunk is None else chunk
        if int(chunk * rate / front_end.hop_length) < LEAST:
            every = front_end.hop_length / rate
            raise WrongArgument(
                f"algorithm.args: chunk is {chunk:g} s; the model's STFT has a frame every "
                f"{every:.3g} s, and at least {LEAST} of them make a chunk"
            )
        self.signal, self.front_end, self.stft_params = signal, front_end, metadata["stft_params"]
        self.levels = level_range(metadata)
        self.recording = recording_of(signal)
        if self.recording is not signal:
            data = audio.convert(signal.audio_data, signal.sample_rate, rate, channels)
            self.audio = streams.ArrayRecording(data, rate)
        else:
            self.audio = streams.ResampledRecording(signal, rate, channels)
        shortest, hop = self.stft_params.window_length, self.stft_params.hop_length
        if self.audio.length < shortest:
            raise UserError(
                f"has {amount(self.recording.length, 'sample')} ({self.audio.length} at the "
                f"model's {rate} Hz), at least {shortest} are needed, one frame of the model's "
                "STFT; leave it out"
            )
        if self.recording is not signal and not np.any(signal.audio_data):
            raise UserError("is silent (every sample is 0); there is nothing to separate")
        frames = -(-self.audio.length // hop) + 1
        length = int(chunk * rate / hop) + 1  # a frame on both ends of the chunk
        self.chunks = Chunks(frames, length, int(min(OVERLAP, chunk / 5) * rate / hop))

    @property
    def chunk_seconds(self):
        """The length of a chunk."""
        return (self.chunks.length - 1) * self.stft_params.hop_length / self.audio.sample_rate

    @property
    def unchanged(self):
        """Are the model's rate and channels those of the mixture?"""
        read, given = self.audio, self.recording
        return (read.sample_rate, read.num_channels) == (given.sample_rate, given.num_channels)

    def as_signal(self):
        """An AudioSignal for the constructors of nussl's classes: all of a mixture that is in
        memory, the first chunk of a recording."""
        length = self.audio.length
        if self.recording is self.signal:
            length = min(length, self.chunks.length * self.stft_params.hop_length)
        return nussl.AudioSignal(
            audio_data_array=self.audio.read(0, length),
            sample_rate=self.audio.sample_rate,
            stft_params=self.stft_params,
        )

    def chunk(self, number):
        """The samples of a chunk, with the front end's margin on both sides: (channels, samples).

        With `shifts`, it is longer by the offset of the last reading.
        """
        margin, hop = self.front_end.margin, self.stft_params.hop_length
        frames = -(-self.chunks.length * hop // self.front_end.hop_length)  # of the network's STFT
        last_shift = self.front_end.hop_length - hop
        length = self.front_end.num_samples(frames) + last_shift + 2 * margin
        return torch.from_numpy(self.audio.read(self.chunks.starts[number] * hop - margin, length))

    @functools.cached_property
    def gain(self):
        """The factor that brings a mixture into the `level_range` of the network, for its input
        only; 1 if it is within it."""
        _, count = self._chunks_of_recording()
        samples = min(count, self.recording.length)
        power = self.energies.max() / (samples * self.audio.num_channels)
        level = 10 * np.log10(max(power, 1e-20))
        return float(10 ** ((np.clip(level, *self.levels) - level) / 20))

    def _chunks_of_recording(self):
        """([start of each chunk], their length), in samples of the recording."""
        scale = self.recording.sample_rate * self.stft_params.hop_length / self.audio.sample_rate
        return [int(start * scale) for start in self.chunks.starts], int(self.chunks.length * scale)

    @functools.cached_property
    def energies(self):
        """The energy of each chunk of the recording, mixed down to the channels that the model
        reads: (chunks,).

        Raises:
            UserError: the channels cancel each other in the mixdown.
        """
        starts, count = self._chunks_of_recording()
        power, energies = 0.0, []  # before and after the mixdown
        for start in starts:
            data = self.recording.read(start, count)
            power += np.square(data).mean()
            mixdown = audio.convert(data, 1, 1, self.audio.num_channels)
            energies.append(np.square(mixdown).sum())
        if sum(energies) < 10 ** (CANCELLED_DB / 10) * power * mixdown.size:
            raise UserError(
                f"its {self.recording.num_channels} channels cancel each other in mono, which the "
                "model reads: invert those of the opposite sign, or give one channel alone"
            )
        return np.array(energies)

    def loudest(self, most):
        """The numbers of at most `most` chunks, evenly among those within 40 dB of the loudest.

        Raises:
            UserError: the whole recording is silent.
        """
        energies = self.energies
        if not energies.any():
            raise UserError("is silent (every sample is 0); there is nothing to separate")
        loud = np.flatnonzero(energies > 1e-4 * energies.max())
        spread = np.linspace(0, len(loud) - 1, min(most, len(loud))).round().astype(int)
        return loud[spread].tolist()
