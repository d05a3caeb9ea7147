"""Plots of runs: distributions of scores, scores against the input, learning curves."""

import itertools

import numpy as np

from files import printable

from .figures import COLORS, GREY, drawing, png


def boxes(runs, title):
    """A box for each run and source, the items as dots.

    Args:
        runs: {name: {source: [score]}}.

    Returns:
        the bytes of a PNG file.
    """
    sources = sorted({source for scores in runs.values() for source in scores})
    size = (max(3 + 2.2 * len(sources), 6), max(1.5 + 0.55 * len(runs), 2.4))
    with drawing(size) as figure:
        axes = figure.subplots(1, len(sources), sharey=True, sharex=True, squeeze=False)[0]
        for number, (ax, source) in enumerate(zip(axes, sources, strict=True)):
            values = [_finite(scores.get(source, ())) for scores in runs.values()]
            color = COLORS[number % len(COLORS)]
            rng = np.random.default_rng(0)
            for place, column in enumerate(values, 1):
                ax.scatter(
                    column,
                    place + rng.uniform(-0.2, 0.2, len(column)),
                    color=color,
                    linewidths=0,
                    **_dots(len(column)),
                )
            median = {"color": "black", "linewidth": 2}
            ax.boxplot(
                values, orientation="horizontal", widths=0.5, showfliers=False, medianprops=median
            )
            ax.axvline(0, color=GREY, linewidth=0.8, zorder=0)
            ax.set_title(source, color=color)
            ax.set_xlabel(title)
        axes[0].set_yticks(range(1, len(runs) + 1), map(printable, runs))
        axes[0].invert_yaxis()
        return png(figure)


def against_input(runs, title, unit=""):
    """A scatter plot of each item's score over that of the mixture: PNG bytes. Items above the
    diagonal were improved.

    Args:
        runs: {name: {source: [(score of the mixture, score)]}}.
    """
    with drawing((0.5 + 3.4 * len(runs), 3.6)) as figure:
        axes = figure.subplots(1, len(runs), sharey=True, sharex=True, squeeze=False)[0]
        for ax, (name, sources) in zip(axes, runs.items(), strict=True):
            for number, (source, pairs) in enumerate(sorted(sources.items())):
                pairs = np.array([pair for pair in pairs if np.isfinite(pair).all()]).reshape(-1, 2)
                ax.scatter(
                    *pairs.T,
                    linewidths=0,
                    label=source,
                    color=COLORS[number % len(COLORS)],
                    **_dots(len(pairs)),
                )
            ax.axline((0, 0), slope=1, color=GREY, linewidth=0.8)
            ax.set_title(name)
            ax.set_xlabel(f"{title} of the mixture{unit}")
        axes[0].set_ylabel(f"{title} of the estimate{unit}")
        for handle in axes[0].legend(frameon=False).legend_handles:
            handle.set(sizes=[30], alpha=1)
        return png(figure)


def learning_curves(runs, losses=None):
    """Training and validation loss over the epochs: PNG bytes. Runs with different losses are in
    different panels, as the values are not comparable.

    Args:
        runs: {name: [{"epoch", "train_loss", "val_loss", ...}]}, the rows of history.csv.
        losses: {name: its loss in words}; None: the names of its terms in the rows.
    """
    panels = {}
    for name, rows in runs.items():
        loss = losses[name] if losses else _terms(rows)
        panels.setdefault(loss, []).append(name)
    colors = dict(zip(runs, itertools.cycle(COLORS), strict=False))
    with drawing((7, 0.4 + 3.2 * len(panels))) as figure:
        axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for ax, (loss, names) in zip(axes, panels.items(), strict=True):
            for name, (key, line) in itertools.product(
                names, (("train_loss", ":"), ("val_loss", "-"))
            ):
                points = [(r["epoch"], r[key]) for r in runs[name] if r.get(key) is not None]
                if points:
                    label = f"{name}, {key.removesuffix('_loss')}"
                    single = "o" if len(points) == 1 else ""  # a line of one point is not seen
                    ax.plot(
                        *zip(*points, strict=True), line + single, color=colors[name], label=label
                    )
            ax.set(xlabel="epoch", ylabel="loss", title=loss)
            ax.locator_params(axis="x", integer=True)
            ax.legend(frameon=False)
        return png(figure)


def _terms(rows):
    """The terms of a loss, by the columns of history.csv."""
    terms = [key.removeprefix("train_") for key in rows[0] if key.startswith("train_")]
    return " + ".join(term for term in terms if term != "loss") or "loss"


def _dots(count):
    """Size and opacity of `count` dots: few are large, many do not hide each other."""
    return {"s": float(np.clip(600 / max(count, 1), 4, 40)), "alpha": 0.8 if count < 50 else 0.4}


def _finite(values):
    values = np.asarray(list(values), dtype=float)
    return values[np.isfinite(values)]
