"""Are estimates in the order of the labels? Warnings about labels that look swapped."""

import math
from collections import Counter

from scipy.stats import binomtest

from errors import amount

SIGNIFICANCE = 0.001  # of the test: at most one false warning in a thousand evaluations
# Even with right labels another order may score higher, in this share of the items at most. On the
# built-in sample it is 4 % for the static mask, the weakest method with an order.
HEALTHY = 0.08
NAMED = 10  # items that a warning names


def orders(rows):
    """How often each order of a method's estimates fits the labels best.

    Args:
        rows: what `score_item` returns, of all items.

    Returns:
        {method: {order: share of the items}}, the most frequent first. An order is the indices of
        the estimates for the sorted labels, such as "0 1". Items with a silent source are left out:
        the order of silence is arbitrary.
    """
    shares = {}
    for method, items in _orders_of_items(rows).items():
        counts = Counter(order for _, _, order in items)
        total = max(counts.total(), 1)
        shares[method] = {order: n / total for order, n in counts.most_common()}
    return shares


def by_chance(sources):
    """The share of items in which another order scores higher if the order is random."""
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
    wrong = [(name, order) for name, _, order in items if not _is_sorted(order)]
    ((order, _),) = Counter(order for _, order in wrong).most_common(1)
    names = ", ".join(name for name, _ in wrong[:NAMED])
    of_items = f"{amount(len(items), 'item')} ({len(wrong) / len(items):.0%}"
    more = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
    return (
        f"{method}: in {len(wrong)} of {of_items}, of {amount(songs, 'song')}) its "
        f"estimates fit the sorted labels better in another order (most often {order}), too "
        f"many to be chance (p = {p:.1g} for at most {share:.0%}); the labels of "
        "these items, or of its training data, look swapped, or it has not learnt which source "
        f"is which: {names}{more}"
    )


def _orders_of_items(rows):
    """{method: [(item, song, order)]} of the items in which every source has a score."""
    rows_of = {}
    for row in rows:
        if row["method"] != "mixture":
            rows_of.setdefault((row["method"], row["item"], row["song"]), []).append(row)
    orders_of = {}
    for (method, item, song), sources in rows_of.items():
        orders_of_method = orders_of.setdefault(method, [])
        if not any(math.isnan(row["si_sdr"]) for row in sources):
            sources.sort(key=lambda row: row["source"])
            order = " ".join(str(row["estimate"]) for row in sources)
            orders_of_method.append((item, song, order))
    return orders_of


def _is_sorted(order):
    return order == " ".join(sorted(order.split(), key=int))
