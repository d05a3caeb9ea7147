"""Scores whose values are known beforehand, and what is said of many of them."""

import warnings

import numpy as np
import pytest

from compat import nussl
from evaluation import ORACLES, StaticMask, best_permutation, si_sdr, summarize

RATE = 8000
LENGTH = 4000
TIME = np.arange(LENGTH) / RATE
# whole numbers of periods: orthogonal to each other, zero-mean, energy LENGTH / 2
SIGNAL = np.sin(2 * np.pi * 400 * TIME)
OTHER = np.sin(2 * np.pi * 1000 * TIME)


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


# si_sdr


@pytest.mark.parametrize("decibels", [-30.0, -3.0, 0.0, 7.5, 60.0])
def test_orthogonal_noise_at_a_known_level_gives_that_level(decibels):
    estimate = SIGNAL + 10 ** (-decibels / 20) * OTHER
    assert si_sdr(estimate, SIGNAL) == pytest.approx(decibels, abs=1e-8)


@pytest.mark.parametrize("scale", [1e-6, -1.0, 3.0, 1e5])
def test_the_scale_of_neither_matters(scale):
    estimate = SIGNAL + 0.1 * OTHER
    assert si_sdr(scale * estimate, SIGNAL) == pytest.approx(20, abs=1e-8)
    assert si_sdr(estimate, scale * SIGNAL) == pytest.approx(20, abs=1e-8)


def test_a_constant_added_does_not_matter():
    assert si_sdr(SIGNAL + 0.1 * OTHER + 3, SIGNAL - 2) == pytest.approx(20, abs=1e-8)


def test_channels_are_averaged_in_decibels():
    estimate = np.stack([SIGNAL + 0.1 * OTHER, OTHER + 0.01 * SIGNAL])
    assert si_sdr(estimate, np.stack([SIGNAL, OTHER])) == pytest.approx((20 + 40) / 2, abs=1e-8)


@pytest.mark.parametrize("channels", [1, 2])
def test_it_is_what_nussl_gives(channels):
    rng = np.random.default_rng(0)
    references = rng.standard_normal((2, channels, LENGTH)) + 0.1
    estimates = references + rng.uniform(0.01, 1, (2, 1, 1)) * rng.standard_normal(references.shape)
    estimates += 0.2 * references[::-1]

    def signals(array):
        return [nussl.AudioSignal(audio_data_array=data, sample_rate=RATE) for data in array]

    theirs = nussl.evaluation.BSSEvalScale(signals(references), signals(estimates)).evaluate()
    for number, (estimate, reference) in enumerate(zip(estimates, references, strict=True)):
        score = np.mean(theirs[f"source_{number}"]["SI-SDR"])
        assert si_sdr(estimate, reference) == pytest.approx(score, abs=1e-4)


def test_a_perfect_estimate_scores_infinity():
    assert si_sdr(SIGNAL, SIGNAL) == np.inf
    assert si_sdr(2 * SIGNAL, SIGNAL) == np.inf


@pytest.mark.parametrize("estimate", [np.zeros(LENGTH), np.full(LENGTH, 0.25)])
def test_a_silent_estimate_scores_minus_infinity(estimate):
    assert si_sdr(estimate, SIGNAL) == -np.inf


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e5])
@pytest.mark.parametrize("estimate", [SIGNAL, np.zeros(LENGTH)])
def test_a_silent_reference_has_no_score(constant, estimate):
    reference = np.full(LENGTH, constant)
    assert np.isnan(si_sdr(estimate, reference))
    assert np.isnan(si_sdr(np.stack([estimate] * 2), np.stack([reference] * 2)))


@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_a_source_on_one_side_is_scored_on_that_side(constant):
    noisy = SIGNAL + 0.1 * OTHER
    reference = np.stack([SIGNAL, np.full(LENGTH, constant)])
    assert si_sdr(np.stack([noisy, OTHER]), reference) == si_sdr(noisy, SIGNAL)


def test_a_quiet_reference_has_one():
    assert si_sdr(SIGNAL + 0.1 * OTHER, 1e-7 * SIGNAL) == pytest.approx(20, abs=1e-6)


def test_single_precision_and_integers_are_counted_in_double():
    estimate = (1000 * (SIGNAL + 0.1 * OTHER)).astype(np.int16)
    assert si_sdr(estimate, SIGNAL.astype(np.float32)) == pytest.approx(20, abs=0.05)


@pytest.mark.parametrize("shape", [(LENGTH - 1,), (2, LENGTH), (LENGTH, 1)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"the estimate has shape .*, the reference \(1, 4000\)"):
        si_sdr(np.ones(shape), SIGNAL)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_an_estimate_with_nan_is_refused(wrong):
    estimate = SIGNAL.copy()
    estimate[7] = wrong
    with pytest.raises(ValueError, match="the estimate holds NaN or infinite samples"):
        si_sdr(estimate, SIGNAL)


# best_permutation


def test_a_planted_swap_is_found():
    sources = [SIGNAL, OTHER, np.sin(2 * np.pi * 1600 * TIME)]
    order = [2, 0, 1]  # estimate k is source order[k]
    estimates = [sources[k] + 0.1 * sources[(k + 1) % 3] for k in order]
    scores = [[si_sdr(e, s) for s in sources] for e in estimates]
    assert best_permutation(scores) == [order.index(k) for k in range(3)] == [1, 2, 0]


def test_the_best_sum_wins_and_not_the_best_single_score():
    assert best_permutation([[10, 9], [9, 0]]) == [1, 0]


def test_more_estimates_than_references_leave_the_worst_over():
    assert best_permutation([[1, 2], [0, 0], [30, 3], [4, 20]]) == [2, 3]


def test_one_estimate_is_that_of_the_one_reference():
    assert best_permutation([[-5.0]]) == [0]


def test_infinite_scores_count_as_very_good_and_very_bad():
    assert best_permutation([[-np.inf, 0], [0, -np.inf]]) == [1, 0]
    assert best_permutation([[np.inf, 50], [50, 60]]) == [0, 1]


def test_a_silent_reference_takes_what_is_left():
    nan = np.nan
    assert best_permutation([[nan, 3], [nan, 12]]) == [0, 1]


# summarize


def test_a_summary_of_known_numbers():
    result = summarize([1.0, 2.0, 3.0, 10.0])
    assert (result["count"], result["left_out"]) == (4, 0)
    assert (result["mean"], result["median"]) == (4.0, 2.5)
    assert 1.0 <= result["low"] < 4.0 < result["high"] <= 10.0


def test_what_is_no_number_is_left_out_and_counted():
    result = summarize([1.0, np.nan, 3.0, -np.inf, np.inf], groups=["a", "b", "a", "c", "c"])
    assert (result["count"], result["left_out"]) == (2, 3)
    assert (result["mean"], result["median"]) == (2.0, 2.0)


@pytest.mark.parametrize("values", [[], [np.nan, np.nan]])
def test_an_empty_selection_prints_nothing(values):
    result = summarize(values)
    assert (result["count"], result["left_out"]) == (0, len(values))
    assert all(result[key] is None for key in ("mean", "median", "low", "high"))


def test_equal_values_leave_no_doubt():
    assert summarize([3.0] * 5)["low"] == summarize([3.0] * 5)["high"] == 3.0


def test_a_single_group_has_no_interval():
    result = summarize([1.0, 2.0, 3.0], groups=["a"] * 3)
    assert result["low"] is result["high"] is None
    assert result["mean"] == result["median"] == 2.0


def test_the_interval_is_that_of_the_normal_distribution_where_it_applies():
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    result = summarize(values)
    half = 1.96 * values.std() / np.sqrt(400)
    assert result["low"] == pytest.approx(values.mean() - half, abs=0.03)
    assert result["high"] == pytest.approx(values.mean() + half, abs=0.03)


def test_items_of_one_song_count_as_one_draw():
    songs = np.random.default_rng(2).normal(0.0, 2.0, 30)
    values, groups = np.repeat(songs, 10), np.repeat(np.arange(30), 10)
    alone, together = summarize(songs), summarize(values, groups)
    assert together["low"] == pytest.approx(alone["low"])  # ten times the same is not more
    assert together["high"] == pytest.approx(alone["high"])
    naive = summarize(values)
    assert naive["high"] - naive["low"] < 0.4 * (together["high"] - together["low"])


def test_songs_of_many_items_count_for_more_in_the_interval_too():
    """Against a plain bootstrap, which joins the items of the songs that it has drawn."""
    rng = np.random.default_rng(5)
    songs = [rng.normal(size, 1, size) for size in range(1, 11)]  # long ones score higher
    groups = np.repeat(np.arange(10), range(1, 11))
    found = summarize(np.concatenate(songs), groups)
    means = [
        np.concatenate([songs[song] for song in rng.integers(10, size=10)]).mean()
        for _ in range(3000)
    ]
    low, high = np.percentile(means, (2.5, 97.5))
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.25)


def test_the_interval_covers_the_true_mean_19_times_of_20():
    rng, covered = np.random.default_rng(3), 0
    for _ in range(200):
        songs = rng.normal(1.0, 2.0, 25)
        values = np.repeat(songs, 4) + rng.normal(0, 1, 100)
        result = summarize(values, np.repeat(np.arange(25), 4))
        covered += result["low"] <= 1.0 <= result["high"]
    assert 178 <= covered <= 198  # of 200; a percentile bootstrap of 25 groups is a little short


def test_the_same_numbers_give_the_same_interval_and_groups_may_be_named():
    values = [1.0, 5.0, 2.0, 8.0]
    assert summarize(values, list("aabb")) == summarize(values, [0, 0, 1, 1])
    assert summarize(values) == summarize(values)


# oracles


def signal(data):
    return nussl.AudioSignal(
        audio_data_array=np.atleast_2d(data),
        sample_rate=RATE,
        stft_params=nussl.STFTParams(256, 64, "sqrt_hann"),
    )


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("channels", [1, 2])
def test_sources_that_share_no_frequency_are_restored(oracle, channels):
    sources = [np.tile(sound, (channels, 1)) for sound in (SIGNAL, OTHER)]
    estimates = ORACLES[oracle](signal(sum(sources)), [signal(source) for source in sources])
    assert len(estimates) == 2
    for estimate, source in zip(estimates, sources, strict=True):
        assert estimate.audio_data.shape == source.shape
        assert si_sdr(estimate.audio_data, source) > 30


@pytest.mark.parametrize("oracle", ORACLES)
def test_two_equal_sources_are_beyond_a_mask(oracle):
    estimates = ORACLES[oracle](signal(2 * SIGNAL), [signal(SIGNAL), signal(SIGNAL)])
    assert len(estimates) == 2  # and no error, nor a NaN
    assert all(np.isfinite(estimate.audio_data).all() for estimate in estimates)


def test_the_order_is_that_of_the_sources_whatever_their_number():
    tones = [np.sin(2 * np.pi * 100 * (n + 2) * 3 * TIME) for n in range(11)]
    estimates = ORACLES["ideal ratio mask"](signal(sum(tones)), [signal(tone) for tone in tones])
    for number, estimate in enumerate(estimates):
        scores = [si_sdr(estimate.audio_data, tone[None]) for tone in tones]
        assert np.argmax(scores) == number


def test_a_static_mask_separates_and_names_sources_in_disjoint_bands():
    """Two tones an octave apart, learnt from other levels: each comes back in its place."""
    time = np.arange(16000) / 16000
    tones = np.stack([np.sin(2 * np.pi * f * time)[None] for f in (1000, 2000)])
    params = nussl.STFTParams(512, 128, "sqrt_hann")
    mask = StaticMask([tones * 0.2, tones[:, :, :5000] * 0.1], 16000, params)
    mix = nussl.AudioSignal(audio_data_array=0.3 * tones[0] + 0.1 * tones[1], sample_rate=16000)
    for estimate, tone in zip(mask(mix), tones, strict=True):
        assert si_sdr(estimate.audio_data, tone) > 30


def test_a_static_mask_of_sources_with_one_spectrum_changes_nothing():
    rng = np.random.default_rng(0)
    sources = rng.standard_normal((2, 1, 400_000))
    mask = StaticMask([sources], 16000, nussl.STFTParams(512, 128, "sqrt_hann"))
    assert np.abs(mask.gains - 0.5).max() < 0.05
    mix = nussl.AudioSignal(audio_data_array=sources.sum(axis=0)[:, :16000], sample_rate=16000)
    improvement = si_sdr(mask(mix)[0].audio_data, sources[0][:, :16000]) - si_sdr(
        mix.audio_data, sources[0][:, :16000]
    )
    assert abs(improvement) < 0.1


def test_a_static_mask_is_learnt_from_ten_seconds_in_the_middle_of_each_track():
    """Two tones, of which one is 20 dB softer in the middle of a long track."""
    rate, lengths = 1000, [30_000, 4000, 10]
    time = np.arange(30_000) / rate
    tones = np.stack([np.sin(2 * np.pi * f * time) for f in (125, 375)])[:, None]
    sources = np.repeat(tones[:1], 2, axis=0)  # of equal power outside the middle
    sources[1, :, 10_000:20_000] *= 0.1
    read = []

    class Data:
        sample_rate, stft_params = rate, nussl.STFTParams(64, 32, "sqrt_hann")

        def __len__(self):
            return len(lengths)

        def length_of(self, index):
            return lengths[index]

        def ensure(self, indices):
            pass

        def excerpt(self, index, start, length):
            read.append((index, start, length))
            return (
                sources[..., start : start + length] if index == 0 else 1e-6 * tones[..., :length]
            )

    mask = StaticMask.learnt_from(Data())
    assert read == [(0, 10_000, 10_000), (1, 0, 4000)]  # the third is shorter than a frame
    assert mask.gains[:, 8] == pytest.approx([100 / 101, 1 / 101], abs=1e-4)
