"""Swapped labels are reported by a test of stated significance, and a coin toss is not."""

import numpy as np
import pytest

from evaluation import HEALTHY, by_chance, swapped


def rows(flags, method="masks", songs=None):
    """Two sources an item; `flags`: is the other order the better one?"""
    return [
        {
            "item": f"item{number}",
            "song": f"song{number if songs is None else songs[number]}",
            "method": method,
            "source": source,
            "estimate": int(flag) ^ place,
            "si_sdr": 1.0,
        }
        for number, flag in enumerate(flags)
        for place, source in enumerate(("accompaniment", "vocals"))
    ]


def flags(count, wrong):
    return np.random.default_rng(0).permutation(np.arange(count) < wrong)


@pytest.mark.parametrize(("count", "wrong"), [(3, 3), (10, 5), (10, 10), (40, 20), (300, 60)])
def test_labels_swapped_in_half_of_the_items_or_in_all_are_reported_with_the_items(count, wrong):
    which = flags(count, wrong)
    (said,) = swapped(rows(which), {"masks": HEALTHY})
    assert said.startswith(f"masks: in {wrong} of {count} items") and "look swapped" in said
    names = said.rsplit(": ", 1)[1].split(" and ")[0].split(", ")
    assert names == [f"item{number}" for number in np.flatnonzero(which)[:10]]
    assert ("more" in said) == (wrong > 10)


@pytest.mark.parametrize(("count", "wrong"), [(1, 1), (2, 2), (10, 2), (300, 12), (300, 30)])
def test_a_model_that_errs_in_a_few_items_is_not_suspected(count, wrong):
    assert swapped(rows(flags(count, wrong)), {"masks": HEALTHY}) == []


def test_a_method_without_an_order_is_not_suspected_for_a_coin_toss():
    rng, toss = np.random.default_rng(1), by_chance(2)
    assert toss == 0.5
    for _ in range(50):
        assert swapped(rows(rng.integers(0, 2, 200)), {"masks": toss}) == []
        assert swapped(rows(rng.integers(0, 2, 200)), {}) == []
    assert len(swapped(rows(flags(200, 150)), {"masks": toss})) == 1


def test_three_speakers_lie_in_another_order_five_times_of_six():
    rng = np.random.default_rng(3)
    items = [
        {
            "item": str(number),
            "song": str(number),
            "method": "masks",
            "source": f"s{place}",
            "estimate": int(estimate),
            "si_sdr": 1.0,
        }
        for number in range(200)
        for place, estimate in enumerate(rng.permutation(3))
    ]
    assert swapped(items, {"masks": by_chance(3)}) == []
    assert by_chance(3) == pytest.approx(5 / 6)


def test_false_alarms_are_as_rare_as_is_said():
    rng = np.random.default_rng(2)
    alarms = sum(
        len(swapped(rows(rng.random(50) < HEALTHY), {"masks": HEALTHY})) for _ in range(2000)
    )
    assert alarms <= 6  # 2 are expected at most


def test_many_items_of_a_song_count_once():
    """40 snippets of two songs, one of them swapped: two songs are no evidence."""
    which, songs = np.arange(40) < 20, np.arange(40) // 20
    assert swapped(rows(which, songs=songs), {"masks": HEALTHY}) == []
    assert swapped(rows(which), {"masks": HEALTHY}) != []


def test_a_song_counts_by_the_share_of_its_items_rounded_down():
    """Of ten songs, five are too many to be chance and four are not; four and a half are four."""
    songs = np.arange(20) // 2
    for wrong, complaints in ((9, 0), (10, 1)):
        which = np.arange(20) < wrong
        assert len(swapped(rows(which, songs=songs), {"masks": HEALTHY})) == complaints


def test_items_with_a_silent_source_say_nothing():
    silent = rows(np.ones(20, bool))
    for row in silent[::2]:
        row["si_sdr"] = float("nan")
    assert swapped(silent, {"masks": HEALTHY}) == []
