"""best_model/: what it does to recordings, and to songs of the built-in sample."""

import functools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

import audio
import streams
from algorithms import ALGORITHMS, DeepClustering, Streamed
from compat import nussl
from evaluation.metrics import si_sdr
from separation import load

torch.set_num_threads(1)
PROJECT = Path(__file__).parents[1]
RATE = 16000
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
SOURCES = ("accompaniment", "vocals")


@pytest.fixture(scope="module")
def separator():
    return load(PROJECT / "best_model")


def improvements(estimates, sources):
    """SI-SDR of each of `SOURCES` over that of their sum, in dB: {name: arrays} both."""
    mixture = sum(sources.values())
    return np.array(
        [
            float(si_sdr(estimates[name], sources[name]) - si_sdr(mixture, sources[name]))
            for name in SOURCES
        ]
    )


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg reads the recording")
def test_a_recorded_song_is_separated_better_than_by_classical_algorithms(separator):
    """Six seconds of MUSDB18's test set, which the package stempeg contains."""
    stempeg = pytest.importorskip("stempeg")
    path = Path(stempeg.__file__).parent / "data/The Easton Ellises - Falcon 69.stem.mp4"
    stems = {}
    for number, name in enumerate(("mixture", "drums", "bass", "other", "vocals")):
        command = ["ffmpeg", "-v", "error", "-i", path, "-map", f"0:a:{number}", "-ar", "44100"]
        command += ["-ac", "2", "-f", "f32le", "-"]
        raw = subprocess.run(command, capture_output=True, check=True).stdout
        sound = np.frombuffer(raw, np.float32).reshape(-1, 2).T
        stems[name] = audio.convert(sound, 44100, RATE, 1)
    sources = {"vocals": stems["vocals"]}
    sources["accompaniment"] = stems["drums"] + stems["bass"] + stems["other"]
    mixture = sum(sources.values())
    ours = improvements(separator(mixture, RATE), sources)
    for name in ("HPSS", "FT2D", "RepetSim"):
        signal = nussl.AudioSignal(audio_data_array=mixture, sample_rate=RATE)
        parts = [part.audio_data for part in ALGORITHMS[name](signal)()]
        orders = (parts, parts[::-1])
        theirs = [improvements(dict(zip(SOURCES, order, strict=True)), sources) for order in orders]
        assert (ours > max(theirs, key=sum)).all(), (name, ours, theirs)


@pytest.mark.slow
def test_a_soft_passage_after_a_loud_one_is_separated_as_well(separator, sample_folder):
    """At 20 dB less, to 1.5 dB of what it is alone (synthesised)."""
    from dataset import Sample

    data = Sample(sample_folder, "test", RATE, 1, PARAMS, num_songs=1)
    loud, soft = (dict(zip(data.labels, data.excerpt(i), strict=True)) for i in (0, 1))
    alone = improvements(separator(sum(soft.values()), RATE), soft)
    both = {name: np.concatenate([loud[name], 0.1 * soft[name]], axis=-1) for name in SOURCES}
    estimates = separator(sum(both.values()), RATE)
    length = soft["vocals"].shape[-1]
    after = {name: sound[..., -length:] for name, sound in estimates.items()}
    assert (improvements(after, soft) > alone - 1.5).all()


@pytest.mark.slow
@pytest.mark.parametrize("alone, other", [SOURCES, SOURCES[::-1]])
def test_a_source_that_is_alone_leaves_little_in_the_other(separator, sample_folder, alone, other):
    """Less than -20 dB of it, the mean of three songs (synthesised)."""
    from dataset import Sample

    data = Sample(sample_folder, "test", RATE, 1, PARAMS, num_songs=3)
    mixes = [data.excerpt(number, labels=[alone])[0] for number in (0, 10, 20)]
    left = [audio.level_db(separator(mix, RATE)[other]) - audio.level_db(mix) for mix in mixes]
    assert np.mean(left) < -20, left


@pytest.mark.slow
def test_sources_of_two_recordings_joined_do_not_swap_at_any_border(sample_folder):
    """Two excerpts of 30 s of one song, one singer: in each second the same estimate is hers."""
    from dataset import Sample

    data = Sample(sample_folder, "test", RATE, 1, PARAMS, num_songs=1)
    recordings = [
        np.concatenate([data.excerpt(i) for i in order], axis=-1)[..., : 30 * RATE]
        for order in (range(8), range(9, 1, -1))
    ]
    sources = np.concatenate(recordings, axis=-1)  # (sources, channels, samples)
    path = PROJECT / "best_model/checkpoints/best.model.pth"
    how = functools.partial(DeepClustering, num_sources=2, model_path=str(path))
    work = Streamed(how, streams.ArrayRecording(sources.sum(axis=0), RATE))
    estimates = np.concatenate(list(work.pieces()), axis=-1)
    assert work.algorithm.input.chunks.count >= 7
    # (s, c, n) -> (s, excerpt, n) of 5 s; which estimate goes with which source in each?
    excerpts = [part[:, 0].reshape(2, 12, -1) for part in (sources, estimates)]
    agreement = np.einsum("ikn,jkn->kij", *excerpts)
    straight = agreement[:, 0, 0] + agreement[:, 1, 1] > agreement[:, 0, 1] + agreement[:, 1, 0]
    assert straight.all() or not straight.any()
