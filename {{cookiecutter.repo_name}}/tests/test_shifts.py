"""A network that reads a mixture several times, each time a part of a hop later: `shifts`."""

import functools

import numpy as np
import pytest
import torch
from small_networks import PARAMS, RATE, separator
from test_long_audio import sound

import streams
from algorithms import Streamed
from compat import nussl
from errors import UserError

torch.set_num_threads(1)


def test_shifts_are_readings_of_the_shifted_mixture_averaged(tmp_path):
    """Frames between frames, overlapped and added: the mean of what each reading gives."""
    data, hop, how = sound(2.3), PARAMS.hop_length, separator("mask_inference", tmp_path)

    def separated(data, **args):
        mixture = nussl.AudioSignal(audio_data_array=data, sample_rate=RATE)
        return np.stack([one.audio_data for one in how(mixture, **args)()])

    later = np.pad(data, ((0, 0), (hop // 2, 0)))  # its frames are half a hop earlier
    expected = (separated(data) + separated(later)[..., hop // 2 :]) / 2
    inside = slice(PARAMS.window_length, -PARAMS.window_length)
    found = separated(data, shifts=2)
    assert found.shape == expected.shape
    wrong, changed = (np.abs(found - other)[..., inside] for other in (expected, separated(data)))
    assert wrong.max() < 0.05 * changed.max()  # the LSTM knows where the mixture ends


@pytest.mark.parametrize("builder", ["deep_clustering", "mask_inference"])
def test_shifts_of_a_file_give_what_those_of_memory_give(tmp_path, builder):
    data = sound(4.7, 2, 22050)
    how = functools.partial(separator(builder, tmp_path), chunk=1.0, shifts=4)
    pieces = list(Streamed(how, streams.ArrayRecording(data, 22050)).pieces())
    algorithm = how(nussl.AudioSignal(audio_data_array=data, sample_rate=22050))
    assert algorithm.input.chunks.count > 4
    estimates = np.stack([estimate.audio_data for estimate in algorithm()])
    assert np.abs(np.concatenate(pieces, axis=-1) - estimates).max() < 1e-3
    assert np.abs(estimates.sum(axis=0) - data).max() < 1e-5


def test_sources_that_change_places_between_shifts_are_put_back(tmp_path, monkeypatch):
    data = sound(2)
    algorithm = separator("mask_inference", tmp_path)(
        nussl.AudioSignal(audio_data_array=data, sample_rate=RATE), shifts=2
    )
    given = []

    def outputs(features):
        share = torch.linspace(0, 1, features["mix_magnitude"].shape[2])[:, None, None]
        share = share.expand(*features["mix_magnitude"].shape, 1)
        given.append([1 - share, share] if given else [share, 1 - share])
        return {"mask": torch.cat(given[-1], dim=-1)}

    monkeypatch.setattr(algorithm, "_outputs", outputs)
    found = algorithm.run_model(None)["mask"]
    assert len(given) == 2 and torch.equal(found, found[:, :1].expand(found.shape))


def test_shifts_that_do_not_fit_are_refused(tmp_path):
    mixture = nussl.AudioSignal(audio_data_array=sound(2), sample_rate=RATE)
    for shifts in (0, -1, 3):
        message = f"shifts is {shifts}, expected a divisor of the {PARAMS.hop_length} samples"
        with pytest.raises(UserError, match=message):
            separator("deep_clustering", tmp_path)(mixture, shifts=shifts)
