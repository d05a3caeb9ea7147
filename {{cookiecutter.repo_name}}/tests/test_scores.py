"""Scores beside those of nussl and museval, by closed forms, and what is planted to be caught."""

import itertools
import re
import sys
import types

import museval
import numpy as np
import pytest
import scipy.signal

from compat import nussl
from errors import UserError
from evaluation import (
    HEALTHY,
    BSSEval,
    aligned,
    columns,
    format_table,
    orders,
    scale_invariant,
    score_item,
    summarize_run,
    swapped,
    tabulate,
    usdr,
)
from evaluation import speech as speech_module
from evaluation.metrics import si_sdr
from evaluation.scoring import ABOUT

RATE = 8000
TIME = np.arange(RATE) / RATE


def noise(*shape, seed=0):
    """Sound with the falling spectrum of music."""
    white = np.random.default_rng(seed).standard_normal(shape)
    return 0.05 * scipy.signal.lfilter([1], [1, -0.9], white)


def item(references, mix=None, labels=("bass", "voice")):
    def signal(data):
        return nussl.AudioSignal(audio_data_array=data, sample_rate=RATE)

    mix = references.sum(axis=0) if mix is None else mix
    return {
        "mix": signal(mix),
        "sources": dict(zip(labels, map(signal, references), strict=True)),
        "metadata": {"name": "one", "song": "song"},
    }


def gives(estimates):
    return lambda mix: [
        nussl.AudioSignal(audio_data_array=data, sample_rate=RATE) for data in estimates
    ]


# ---- the scale-invariant set --------------------------------------------------------------------


@pytest.mark.parametrize(("sources", "channels"), [(2, 1), (2, 2), (4, 1)])
def test_the_scale_invariant_set_is_nussls(sources, channels):
    references = noise(sources, channels, RATE) + 0.01
    mixing = np.random.default_rng(1).uniform(-0.2, 0.2, (sources, sources)) + 0.8 * np.eye(sources)
    estimates = np.einsum("ij,jcn->icn", mixing, references)
    estimates += 0.01 * noise(sources, channels, RATE, seed=2)

    def signals(data):
        return [nussl.AudioSignal(audio_data_array=part, sample_rate=RATE) for part in data]

    theirs = nussl.evaluation.BSSEvalScale(signals(references), signals(estimates)).evaluate()
    names = {
        "si_sdr": "SI-SDR",
        "si_sir": "SI-SIR",
        "si_sar": "SI-SAR",
        "sd_sdr": "SD-SDR",
        "snr": "SNR",
    }
    for number, estimate in enumerate(estimates):
        ours = scale_invariant(estimate, references, number)
        for name, their_name in names.items():
            expected = np.mean(theirs[f"source_{number}"][their_name])
            assert ours[name] == pytest.approx(expected, abs=1e-4), name


def test_orthogonal_parts_at_known_levels_give_the_five_ratios_exactly():
    target, other, artefact = (np.sin(2 * np.pi * f * TIME)[None] for f in (400, 1000, 1600))
    estimate = 0.5 * (target + 0.1 * other + 0.01 * artefact)
    score = scale_invariant(estimate, np.stack([target, other]), 0)
    assert score["si_sir"] == pytest.approx(20, abs=1e-9)
    assert score["si_sar"] == pytest.approx(40, abs=1e-9)
    assert score["si_sdr"] == pytest.approx(-10 * np.log10(0.1**2 + 0.01**2), abs=1e-9)
    distance = 0.25 + 0.25 * (0.1**2 + 0.01**2)
    assert score["snr"] == pytest.approx(-10 * np.log10(distance), abs=1e-9)
    assert score["sd_sdr"] == pytest.approx(-10 * np.log10(distance / 0.25), abs=1e-9)


# ---- BSS Eval version 4 -------------------------------------------------------------------------


@pytest.mark.parametrize(("sources", "channels", "taps"), [(2, 1, 512), (3, 1, 64), (2, 2, 64)])
def test_bss_eval_is_musevals(sources, channels, taps):
    references = noise(sources, channels, 2 * RATE + 777)
    references[1, :, 5000:6000] = 0
    estimates = references + 0.3 * np.roll(references, 1, axis=0)
    estimates += 0.2 * np.roll(references, 5, axis=-1)
    estimates += 0.02 * noise(*references.shape, seed=3)
    theirs = museval.metrics.bss_eval(
        references.transpose(0, 2, 1),
        estimates.transpose(0, 2, 1),
        window=RATE,
        hop=RATE // 2,
        filters_len=taps,
    )[:4]
    ours = BSSEval(references, RATE, RATE // 2, taps)
    scores = np.stack([ours.score(e, k) for k, e in enumerate(estimates)], axis=1)
    assert scores.shape == np.shape(theirs)
    assert np.abs(scores - theirs).max() < 1e-4


def test_windows_with_a_silent_source_have_no_score_as_in_museval():
    references = noise(2, 1, 4 * RATE)
    references[0, :, : RATE + 1] = 0
    estimates = references + 0.1 * references[::-1]
    theirs = museval.metrics.bss_eval(
        references.transpose(0, 2, 1), estimates.transpose(0, 2, 1), window=RATE, hop=RATE
    )[0]
    ours = BSSEval(references, RATE, RATE).score(estimates[0], 0)
    assert np.isnan(ours).tolist() == np.isnan([theirs[0]] * 4).tolist()
    assert np.isnan(ours[0, 0]) and np.isfinite(ours[:, 1:]).all()


def test_a_delayed_and_scaled_copy_is_spatial_distortion_and_nothing_else():
    references = noise(2, 1, RATE)
    delayed = np.zeros_like(references[0])
    delayed[:, 3:] = 0.5 * references[0, :, :-3]
    sdr, isr, sir, sar = BSSEval(references, RATE, RATE, 64).score(delayed, 0)[:, 0]
    true = references[0, 0]
    spatial = np.square(delayed[0] - true).sum()
    expected = 10 * np.log10(np.square(true).sum() / spatial)
    assert isr == pytest.approx(expected, abs=0.01) and sdr == pytest.approx(expected, abs=0.01)
    # the last 3 samples of the true source lie beyond the end of the estimate
    assert sir > 30 and sar > 30


def test_noise_at_a_known_level_gives_that_level():
    """White noise has next to no part in 2 x 64 delayed references of 8000 samples."""
    references, rng = noise(2, 1, 8 * RATE), np.random.default_rng(9)
    added = rng.standard_normal(8 * RATE)
    added *= np.sqrt(0.01 * np.square(references[0]).sum() / np.square(added).sum())
    sdr, _, _, sar = BSSEval(references, 8 * RATE, RATE, 64).score(references[0] + added, 0)[:, 0]
    assert sdr == pytest.approx(20, abs=1e-6)
    assert sar == pytest.approx(20, abs=0.05)


# ---- planted ------------------------------------------------------------------------------------


def test_swapped_labels_are_caught():
    references = noise(2, 1, RATE)
    rows = []
    for number in range(10):
        estimates = references + 0.05 * noise(2, 1, RATE, seed=number)
        data = item(references) | {"metadata": {"name": str(number), "song": f"song {number}"}}
        rows += score_item(data, {"clusters": gives(estimates)}, {"masks": gives(estimates[::-1])})
    found = orders(rows)
    assert found["clusters"] == {"0 1": 1.0} and found["masks"] == {"1 0": 1.0}
    assert found["ideal ratio mask"] == {"0 1": 1.0}
    (complaint,) = swapped(rows, {"masks": HEALTHY, "ideal ratio mask": HEALTHY})
    assert complaint.startswith("masks: in 10 of 10 items") and "look swapped" in complaint
    scored = {row["method"]: row["si_sdr"] for row in rows if row["source"] == "voice"}
    assert scored["masks"] < 0 < 10 < scored["clusters"]  # named ones are scored by their names


def test_a_silent_reference_has_no_score_and_the_others_are_scored_as_if_it_were_not_there():
    references = noise(3, 1, RATE)
    references[2] = 0
    estimates = references + 0.1 * noise(3, 1, RATE, seed=5)
    labels, kinds = ("a", "b", "c"), ("scale_invariant", "bss_eval")
    rows = score_item(item(references, labels=labels), {}, {"m": gives(estimates)}, kinds)
    alone = score_item(
        item(references[:2], labels=labels[:2]), {}, {"m": gives(estimates[:2])}, kinds
    )
    mine = {row["source"]: row for row in rows if row["method"] == "m"}
    for row in (row for row in alone if row["method"] == "m"):
        for name in ("si_sdr", "si_sir", "sdr", "sar"):
            assert mine[row["source"]][name] == pytest.approx(row[name], abs=1e-9)
    assert np.isnan(mine["c"]["si_sdr"]) and np.isnan(mine["c"]["sdr"])
    assert orders(rows)["m"] == {}  # of such an item's order nothing is said
    (row,) = (r for r in tabulate(rows, ["m"]) if r["source"] == "c")
    assert (row["si_sdr"]["count"], row["si_sdr"]["left_out"]) == (0, 1)


def test_sources_on_one_side_are_scored_and_stay_among_the_references():
    """Of three sources the first is left, the second right; BSS Eval is museval's."""
    references = noise(3, 2, 2 * RATE)
    references[0, 1] = references[1, 0] = 0
    estimates = references + 0.1 * noise(3, 2, 2 * RATE, seed=5)
    kinds = ("scale_invariant", "bss_eval", "sdr_v3", "usdr")
    rows = score_item(item(references, labels=("a", "b", "c")), {}, {"m": gives(estimates)}, kinds)
    mine = [row for row in rows if row["method"] == "m"]
    theirs = museval.metrics.bss_eval(
        references.transpose(0, 2, 1), estimates.transpose(0, 2, 1), window=RATE, hop=RATE
    )[:4]
    for k, row in enumerate(mine):
        for name, expected in zip(("sdr", "isr", "sir", "sar"), theirs, strict=True):
            assert row[name] == pytest.approx(np.median(expected[k]), abs=1e-3)
        assert 15 < row["si_sdr"] < 25 and np.isfinite([row["sdr_v3"], row["usdr"]]).all()
    for k, side in ((0, 0), (1, 1)):
        alone = si_sdr(estimates[k, side], references[k, side])
        assert mine[k]["si_sdr"] == pytest.approx(alone, abs=1e-9)
        there = scale_invariant(estimates[k, side : side + 1], references[:, side : side + 1], k)
        assert mine[k]["si_sar"] == pytest.approx(there["si_sar"], abs=1e-9)


def test_a_silent_estimate_has_the_worst_score_and_museval_would_call_it_0_dB():
    references = noise(2, 1, RATE)
    silent = {"m": gives(0 * references)}
    rows = score_item(item(references), {}, silent, ("scale_invariant", "bss_eval"))
    for row in (row for row in rows if row["method"] == "m"):
        assert row["si_sdr"] == row["snr"] == row["sdr"] == row["sir"] == -100


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(lambda data: data[..., :-1], "has shape"), (lambda data: data * np.nan, "finite|NaN")],
)
def test_an_estimate_with_nan_or_of_the_wrong_length_is_refused(spoil, message):
    references = noise(2, 1, RATE)
    for place in (
        {"methods": {"m": gives(spoil(references))}},
        {"methods": {}, "named": {"m": gives(spoil(references))}},
    ):
        with pytest.raises(
            (ValueError, nussl.core.audio_signal.AudioSignalException), match=message
        ):
            score_item(item(references), **place)


def test_the_best_of_all_orders_is_taken():
    references = noise(3, 1, RATE)
    for order in itertools.permutations(range(3)):
        estimates = references[list(order)] + 0.02 * noise(3, 1, RATE, seed=1)
        rows = score_item(item(references, labels="abc"), {"m": gives(estimates)})
        mine = [row for row in rows if row["method"] == "m"]
        assert [order[row["estimate"]] for row in mine] == [0, 1, 2]
        assert min(row["si_sdr"] for row in mine) > 20


# ---- the challenges' scores ----------------------------------------------------------------------


def test_usdr_is_over_all_channels_and_samples_and_snr_the_mean_over_channels():
    """A loud channel at 20 dB and one 20 dB softer at 0 dB: 17.0 dB of the whole, 10 on average."""
    time = np.arange(4 * RATE) / RATE
    tone, other = np.sin(2 * np.pi * 400 * time), np.sin(2 * np.pi * 1000 * time)
    reference = np.stack([tone, 0.1 * tone])
    error = np.stack([0.1 * other, 0.1 * other])
    kinds = ("scale_invariant", "usdr")
    rows = score_item(
        item(np.stack([reference, error])), {}, {"m": gives([reference + error, error])}, kinds
    )
    (row,) = (r for r in rows if (r["method"], r["source"]) == ("m", "bass"))
    assert row["usdr"] == pytest.approx(10 * np.log10(1.01 / 0.02), abs=1e-9)
    assert row["usdr"] == pytest.approx(17.03, abs=0.01)
    assert row["snr"] == pytest.approx(10, abs=1e-6)


@pytest.mark.parametrize("level", [-20, 0, 12])
def test_usdr_of_noise_at_a_known_level_is_that_level(level):
    reference, error = noise(2, RATE), noise(2, RATE, seed=1)
    error *= np.sqrt(np.square(reference).sum() / np.square(error).sum()) * 10 ** (-level / 20)
    assert usdr(reference + error, reference) == pytest.approx(level, abs=1e-9)
    assert usdr(0 * reference, reference) == 0  # as in the challenges
    assert usdr(reference, reference) == np.inf and np.isnan(usdr(reference, 0 * reference))


def test_metrics_are_the_same_alone_and_together():
    references = noise(2, 1, 2 * RATE)
    estimates = references + 0.1 * references[::-1]
    together = ("scale_invariant", "bss_eval", "sdr_v3", "usdr", "csdr")

    def rows(metrics):
        return score_item(item(references), {"mine": gives(estimates)}, metrics=metrics, oracles={})

    everything = rows(together)
    assert [*everything[0]] == columns(together)
    for metric in together:
        for row, whole in zip(rows([metric]), everything, strict=True):
            assert row == {key: whole[key] for key in row}
            assert len(row) > len(ABOUT)


def test_csdr_is_the_median_over_seconds_of_musevals_sdr():
    references = noise(2, 2, 5 * RATE)
    references[1, :, 2 * RATE : 3 * RATE] = 0  # a second without a score
    estimates = references + 0.3 * references[::-1] + 0.02 * noise(2, 2, 5 * RATE, seed=3)
    theirs = museval.metrics.bss_eval(
        references.transpose(0, 2, 1), estimates.transpose(0, 2, 1), window=RATE, hop=RATE
    )[0]
    rows = score_item(item(references), {}, {"m": gives(estimates)}, ("csdr",))
    mine = [row["csdr"] for row in rows if row["method"] == "m"]
    assert mine == pytest.approx(np.nanmedian(theirs, axis=1), abs=0.01)
    assert list(rows[0]) == columns(("csdr",))


# ---- a mixture that is the source already --------------------------------------------------------


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_where_the_others_are_silent_there_is_no_improvement(level):
    """Silent, or 80 dB softer: the mixture has 80 dB or more, and any estimate loses."""
    references = noise(2, 1, RATE)
    references[1] *= level
    estimates = references + 0.1 * noise(2, 1, RATE, seed=4)
    silent = score_item(item(references), {}, {"m": gives(estimates)})
    whole = noise(2, 1, RATE, seed=8)
    sounding = score_item(
        item(whole) | {"metadata": {"name": "two", "song": "b"}},
        {},
        {"m": gives(whole + 0.1 * noise(2, 1, RATE, seed=4))},
    )
    table = tabulate([*silent, *sounding], ["mixture", "m"])
    (bass,) = (row for row in table if (row["method"], row["source"]) == ("m", "bass"))
    (alone,) = (row for row in tabulate(sounding, ["m"]) if row["source"] == "bass")
    gain = bass["si_sdr_improvement"]
    assert (gain["count"], gain["left_out"]) == (1, 1)
    assert gain["mean"] == alone["si_sdr_improvement"]["mean"] > 5
    assert bass["si_sdr"]["count"] == 2  # it has a score all the same


def test_a_bar_in_a_name_begins_no_column_of_a_markdown_table():
    text = aligned([("source", "n"), ("a|b", "1")], left=1, markdown=True)
    assert text.splitlines()[-1] == r"| a\|b   |  1 |"
    assert aligned([("source", "n"), ("a|b", "1")], left=1).splitlines()[-1] == "a|b     1"


def test_one_song_has_no_interval_and_the_table_shows_a_dash():
    references = noise(2, 1, RATE)
    rows = score_item(item(references), {}, {"m": gives(references + 0.1 * noise(2, 1, RATE))})
    text = format_table(tabulate(rows, ["m"]))
    assert all(line.rstrip().endswith("-") for line in text.splitlines()[2:])
    rule = format_table(tabulate(rows, ["m"]), markdown=True).splitlines()[1]
    assert re.fullmatch(r"\|( -+:? \|)+", rule)  # else it is no table, here with an n of one digit


def test_an_item_with_a_silent_source_is_not_counted_as_one_that_equals_its_mixture():
    nan = float("nan")
    scores = {"silent": (nan, nan), "equal": (70.0, nan), "other": (9.0, 4.0)}
    rows = [
        dict(zip(ABOUT, (name, name, "m", "bass", 0), strict=True))
        | {"si_sdr": score, "si_sdr_improvement": gain}
        for name, (score, gain) in scores.items()
    ]

    class Data(list):
        labels = ["bass"]

    scorer = types.SimpleNamespace(chosen=[0, 1, 2], data=Data(rows), names=["m"], in_order={})
    summary = summarize_run(scorer, rows, {}, {})
    assert summary["with_a_silent_source"] == ["silent"]
    assert summary["without_improvement"] == ["equal"]
    assert (summary["items"], summary["items_in_split"], summary["songs"]) == (3, 3, 3)


def test_what_rounds_to_zero_has_no_sign():
    about = {"item": "one", "song": "song", "method": "m", "source": "bass", "estimate": 0}
    text = format_table(tabulate([about | {"si_sdr": -0.004}], ["m"]))
    assert text.splitlines()[-1].split()[-3:] == ["0.00", "0.00", "-"]


def test_an_item_without_a_song_is_a_song_of_its_own():
    data = item(noise(2, 1, RATE))
    assert {row["song"] for row in score_item(data, {}, oracles={})} == {"song"}
    data["metadata"]["song"] = ""
    assert {row["song"] for row in score_item(data, {}, oracles={})} == {"one"}


def test_an_item_shorter_than_a_frame_is_refused_with_what_to_do():
    references = noise(2, 1, 100)
    with pytest.raises(UserError, match="100 samples, fewer than one frame .*leave the track out"):
        score_item(item(references), {})


# ---- speech -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["stoi", "pesq"])
def test_a_package_that_is_missing_is_named(monkeypatch, name):
    monkeypatch.setitem(sys.modules, speech_module.PACKAGES[name], None)
    with pytest.raises(UserError, match=f"evaluate.metrics: {name} needs .*; pip install"):
        speech_module.require(name)


def test_speech_scores_are_means_over_channels_and_get_what_they_expect(monkeypatch):
    seen = []

    class Problem(Exception):
        pass

    class NoUtterances(Problem):
        pass

    def stoi(reference, estimate, rate):
        seen.append((reference.shape, rate))
        return float(estimate.sum() - reference.sum())

    fake = types.SimpleNamespace(
        stoi=stoi,
        PesqError=Problem,
        NoUtterancesError=NoUtterances,
        pesq=lambda rate, r, e, mode: {"nb": 1.0, "wb": 2.0}[mode] + stoi(r, e, rate),
    )
    monkeypatch.setattr(speech_module, "require", lambda name: fake)
    estimate, reference = np.array([[1.0, 2.0], [3.0, 6.0]]), np.array([[0.0, 2.0], [2.0, 0.0]])
    assert speech_module.stoi(estimate, reference, RATE) == (1 + 7) / 2
    assert seen == [((2,), RATE)] * 2
    assert speech_module.pesq(estimate, reference, 8000) == 1.0 + (1 + 7) / 2
    assert speech_module.pesq(estimate, reference, 16000) == 2.0 + (1 + 7) / 2
    with pytest.raises(UserError, match="8000 and 16000 Hz, signal.sample_rate is 44100"):
        speech_module.pesq(estimate, reference, 44100)


@pytest.mark.parametrize("name", ["stoi", "pesq"])
def test_speech_that_is_left_as_it_is_scores_best(name):
    pytest.importorskip(speech_module.PACKAGES[name])
    rng = np.random.default_rng(0)
    loud = np.repeat(rng.uniform(0.2, 1, 40), 1600)  # 4 s at 16 kHz, syllables of 0.1 s
    voice = (noise(64000) * loud)[None]
    measure = getattr(speech_module, name)
    same = measure(voice, voice, 16000)
    assert same > {"stoi": 0.999, "pesq": 4.5}[name]
    assert measure(voice + 0.3 * noise(1, 64000, seed=4), voice, 16000) < same - 0.05


def test_stoi_of_too_little_speech_is_no_score():
    pytest.importorskip("pystoi")
    voice = noise(1, 64000)
    short = np.zeros_like(voice)
    short[:, :3200] = voice[:, :3200]
    assert np.isnan(speech_module.stoi(short, short, 16000))
    assert speech_module.stoi(*[np.concatenate([voice, short])] * 2, 16000) > 0.999


def test_stoi_of_speech_in_one_channel_is_that_of_this_channel():
    pytest.importorskip("pystoi")
    voice, leak = noise(1, 64000), 0.1 * noise(1, 64000, seed=4)
    alone = speech_module.stoi(voice + leak, voice, 16000)
    estimate, reference = np.concatenate([voice + leak, leak]), np.concatenate([voice, 0 * voice])
    assert alone > 0.9 and speech_module.stoi(estimate, reference, 16000) == alone
    assert np.isnan(speech_module.stoi(estimate, 0 * reference, 16000))


def test_pesq_of_no_utterance_is_no_score_and_an_estimate_without_one_has_the_worst():
    pytest.importorskip("pesq")
    voice = noise(1, 64000) * np.repeat([0.0, 1.0, 0.2, 1.0], 16000)
    assert np.isnan(speech_module.pesq(voice, 0 * voice, 16000))
    assert speech_module.pesq(0 * voice, voice, 16000) == 1.0
    one_is_silent = np.concatenate([voice, 0 * voice])
    alone = speech_module.pesq(voice + 0.1, voice, 16000)
    assert speech_module.pesq(one_is_silent + 0.1, one_is_silent, 16000) == alone


def test_less_than_a_quarter_of_a_second_has_no_pesq_and_its_other_scores():
    pytest.importorskip("pesq")
    metrics = ("scale_invariant", "pesq")
    for length, is_scored in ((RATE // 4 - 1, False), (RATE // 4, True)):
        rows = score_item(item(noise(2, 1, length)), {}, metrics=metrics)
        assert all(np.isfinite(row["si_sdr"]) for row in rows)
        assert [np.isfinite(row["pesq"]) for row in rows] == [is_scored] * len(rows)
