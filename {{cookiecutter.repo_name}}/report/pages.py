"""The listening pages of scripts.evaluate and scripts.visualize, from their scores."""

import math

import numpy as np

import provenance
from evaluation.table import TITLES, table_lines

from .listening import listening_page, page_item


def page_of_one(title, item, result, method, rows, about=None, frequency="auto"):
    """The page of one separated item.

    Args:
        result: `algorithms.Result`.
        rows: the item's scores.
        about: {term: text} that the page also shows.
    """
    content = _item(0, item, result, method, rows, frequency)
    about = {"Algorithm": method, **(about or {}), "Versions": _versions(provenance.versions())}
    return listening_page(title, about, [content])


def page_of_many(config, scorer, summary, rows, sentences):
    """The page of an evaluation, with the best and the worst items to listen to.

    Args:
        scorer: the Scorer of the evaluation, which separates these items again.
        summary: the content of summary.json; rows: the scores of all items.
        sentences: about the scores (`evaluation.sentences`).
    """
    method, settings = config.algorithm.class_name, config.evaluate
    own = [row for row in rows if row["method"] == method]
    table = _table(own)
    indices = {scorer.data.tracks[index].name: index for index in scorer.chosen}
    items = []
    for number, entry in enumerate(_best_and_worst(table, settings.page_items)):
        entry["number"] = number
        item = scorer.data[indices[entry["name"]]]
        of_item = [row for row in own if row["item"] == entry["name"]]
        result = scorer.separate(item)
        items.append(_item(number, item, result, method, of_item, settings.frequency))
    about = {
        "Scored": " ".join(sentences),
        "Model": summary["model_path"] or "none",
        "Checkpoint": summary["checkpoint"] or "none",
        "Manifest": summary["manifest"] or "none",
        "Versions": _versions(summary["versions"]),
    }
    warnings = [*summary["label_order"]["complaints"]]
    warnings += [f"failed: {name}: {why}" for name, why in list(summary["failed"].items())[:10]]
    lines = table_lines(summary["table"], "si_sdr")
    title = f"{config.info.name}, {summary['split']}"
    return listening_page(title, about, items, table, (lines, method), warnings)


def _versions(versions):
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _table(own):
    """A row for each item: its mean SI-SDR improvement, and that of each source."""
    items = {}
    for row in own:
        items.setdefault(row["item"], {})[row["source"]] = _known(row["si_sdr_improvement"])
    table = []
    for name, gains in items.items():
        values = [gain for gain in gains.values() if gain is not None]
        mean = sum(values) / len(values) if values else None
        scores = {"Improvement, dB": mean} | {label: gains[label] for label in sorted(gains)}
        table.append({"name": name, "number": None, "scores": scores})
    return table


def _known(value):
    """A score, or None for NaN: there is none."""
    return None if math.isnan(value) else value


def _best_and_worst(table, count):
    scored = [row for row in table if row["scores"]["Improvement, dB"] is not None]
    scored.sort(key=lambda row: row["scores"]["Improvement, dB"], reverse=True)
    if len(scored) <= count:
        return scored
    worst = count // 2
    return scored[: count - worst] + scored[len(scored) - worst :]


def _item(number, item, result, method, rows, frequency):
    """The content of `page_item` for a separated item: for each source the reference, and the
    estimate that was scored."""
    row_of = {row["source"]: row for row in rows if row["method"] == method}
    tracks, masks = [], []
    source_of_estimate = {}
    for source, label in enumerate(sorted(item["sources"])):
        row = row_of[label]
        # of estimates with an order that of this label, otherwise the one that fits best
        estimate = row["estimate"] if result.labels is None else result.labels.index(label)
        source_of_estimate[estimate] = source
        tracks += [
            {
                "label": label,
                "kind": "reference",
                "source": source,
                "signal": item["sources"][label],
                "scores": "",
            },
            {
                "label": label,
                "kind": "estimate",
                "source": source,
                "signal": result.estimates[estimate],
                "scores": _scores(row),
            },
        ]
        if result.masks is not None:
            masks.append((label, source, result.masks[estimate]))
    for estimate, signal in enumerate(result.estimates):
        if estimate not in source_of_estimate:  # more estimates than sources
            source_of_estimate[estimate] = len(source_of_estimate)
            tracks.append(
                {
                    "label": f"estimate {estimate}",
                    "kind": "of no source",
                    "source": source_of_estimate[estimate],
                    "signal": signal,
                    "scores": "",
                }
            )
    cluster_of = None
    if result.clusters is not None:
        cluster_of = np.zeros_like(result.clusters)
        for estimate, source in source_of_estimate.items():
            cluster_of[result.clusters == estimate] = source
    return page_item(
        number,
        item["metadata"]["name"],
        item["mix"],
        tracks,
        masks,
        embedding=result.embedding,
        loud=result.loud,
        cluster_of=cluster_of,
        span=result.span,
        frequency=frequency,
    )


def _scores(row):
    if _known(row["si_sdr"]) is None:
        return "no score: the reference is silent"
    parts = [f"{TITLES[key]} {row[key]:z.1f}" for key in ("si_sdr", "si_sir", "si_sar")]
    gain = _known(row["si_sdr_improvement"])
    if gain is None:
        return f"{', '.join(parts)} dB; the mixture is this source already"
    return f"{', '.join(parts)} dB; {gain:+z.1f} dB over the mixture"
