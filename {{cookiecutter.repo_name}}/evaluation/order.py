"""Are estimates in the order of the labels? Warnings about labels that look swapped."""

import math
from collections import Counter

from scipy.stats import binomtest

from errors import amount

SIGNIFICANCE = 0.001  # a warning where labels are right comes once in a thousand evaluations
# The share of items in which another order than the right one scores higher. On the built-in sample
# the static mask, the weakest method with an order, has 4 %: twice that is still called healthy.
HEALTHY = 0.08
NAMED = 10  # so many items are named in a warning


def orders(rows):
    """How often each order of a method's estimates fits the labels best.

    Args:
        rows: what `score_item` returns, of all items.

    Returns:
        {method: {order: share of the items}}, the most frequent first; an order is the numbers of
        the estimates, in the order of the sorted labels, as "0 1". Items with a silent source, of
        which nothing can be said, are left out.
    """
    found = {}
    for method, items in _orders_of_items(rows).items():
        counts = Counter(order for _, _, order in items)
        total = max(counts.total(), 1)
        found[method] = {order: n / total for order, n in counts.most_common()}
    return found


def by_chance(sources):
    """The share of items in which another order scores higher, of so many sources without one."""
    return 1 - 1 / math.factorial(sources)


def swapped(rows, methods):
    """Warnings about methods whose sources are in another order than the labels.

    The null hypothesis is that another order scores higher in at most a given share of the songs: a
    one-sided binomial test of the number of songs, in which each song counts by the share of its
    items (items of a song are not independent), rounded down.

    Args:
        rows: what `score_item` returns, of all items.
        methods: {method whose estimates come in the order of the labels: the share, `HEALTHY`, or
            `by_chance` where it is not known if the labels have an order}.
    """
    complaints, items_of = [], _orders_of_items(rows)
    for method, share in methods.items():
        items = items_of.get(method, ())
        songs = {}
        for _, song, order in items:
            songs.setdefault(song, []).append(not _is_sorted(order))
        if not songs:
            continue
        wrong = sum(sum(flags) / len(flags) for flags in songs.values())
        test = binomtest(int(wrong + 1e-9), len(songs), share, alternative="greater")
        if test.pvalue < SIGNIFICANCE:
            complaints.append(_complaint(method, items, len(songs), share, test.pvalue))
    return complaints


def _complaint(method, items, songs, share, p):
    there = [(name, order) for name, _, order in items if not _is_sorted(order)]
    ((order, _),) = Counter(order for _, order in there).most_common(1)
    names = ", ".join(name for name, _ in there[:NAMED])
    of_items = f"{amount(len(items), 'item')} ({len(there) / len(items):.0%}"
    more = f" and {len(there) - NAMED} more" if len(there) > NAMED else ""
    return (
        f"{method}: in {len(there)} of {of_items}, of {amount(songs, 'song')}) its "
        f"estimates fit the sorted labels better in another order (most often {order}), too "
        f"many to be chance (p = {p:.1g} for at most {share:.0%}); the labels of "
        "these items, or of its training data, look swapped, or it has not learnt which source "
        f"is which: {names}{more}"
    )


def _orders_of_items(rows):
    """{method: [(item, song, order)]} of the items in which every source has a score."""
    items = {}
    for row in rows:
        if row["method"] != "mixture":
            key = (row["method"], row["item"], row["song"])
            items.setdefault(key, []).append((row["source"], row["estimate"], _is_known(row)))
    found = {}
    for (method, item, song), estimates in items.items():
        order = " ".join(str(number) for _, number, _ in sorted(estimates))
        kept = found.setdefault(method, [])
        if all(known for *_, known in estimates):
            kept.append((item, song, order))
    return found


def _is_known(row):
    return row["si_sdr"] == row["si_sdr"]


def _is_sorted(order):
    return order == " ".join(sorted(order.split(), key=int))
