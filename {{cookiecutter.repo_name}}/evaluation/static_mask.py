"""The static mask: a baseline that ignores the mixture."""

import numpy as np

from compat import nussl
from errors import UserError

from .statistics import evenly

TRACKS = 60  # of the training data from which it is learnt, at most


class StaticMask:
    """A gain for each frequency and source: the source's share of the power in training data.

    It uses the average spectra of the sources and nothing of the mixture. A model that scores no
    better has learnt no more than these; data that it separates well are too easy.

    Args:
        excerpts: arrays (sources, channels, samples), the sources always in the same order.
        sample_rate, stft_params: of the excerpts, and of the mixtures to come.

    Calling it with an AudioSignal returns [AudioSignal], the sources in that order.
    """

    def __init__(self, excerpts, sample_rate, stft_params):
        power = 0.0
        for sources in excerpts:
            signals = [
                nussl.AudioSignal(
                    audio_data_array=source, sample_rate=sample_rate, stft_params=stft_params
                )
                for source in sources
            ]
            power = power + np.stack([(np.abs(s.stft()) ** 2).sum(axis=(1, 2)) for s in signals])
        self.stft_params = stft_params
        self.gains = power / np.maximum(power.sum(axis=0), np.finfo(float).tiny)  # (sources, bins)

    @classmethod
    def learnt_from(cls, data):
        """The static mask of a dataset of ours, from the middle of at most `TRACKS` tracks.

        Raises:
            UserError: no track is as long as a frame of the STFT; shorter ones are skipped.
        """
        frame, most = data.stft_params.window_length, 10 * data.sample_rate
        lengths = {index: data.length_of(index) for index in range(len(data))}
        usable = [index for index, length in lengths.items() if length >= frame]
        if not usable:
            raise UserError(
                f"datasets.train: every track is shorter than {frame} samples, one frame of the "
                "STFT (signal.window_length), so that no static mask can be learnt from them"
            )
        chosen = [usable[number] for number in evenly(len(usable), TRACKS)]
        data.ensure(chosen)

        def middle(index):
            length = min(lengths[index], most)
            return data.excerpt(index, (lengths[index] - length) // 2, length)

        return cls(map(middle, chosen), data.sample_rate, data.stft_params)

    def __call__(self, mix):
        mix.stft_params = self.stft_params
        spectrum = mix.stft()
        estimates = []
        for gain in self.gains:
            estimate = mix.make_copy_with_stft_data(spectrum * gain[:, None, None], verbose=False)
            estimate.istft(truncate_to_length=mix.signal_length)
            estimates.append(estimate)
        return estimates
