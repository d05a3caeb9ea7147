"""The listening pages of scripts.evaluate and scripts.visualize, from their scores."""

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
        scorer: the Scorer of the evaluation, which separates them once more.
        summary: the content of summary.json; rows: the scores of all items.
        sentences: what a reader of the scores has to know.
    """
    method, settings = config.algorithm.class_name, config.evaluate
    own = [row for row in rows if row["method"] == method]
    table = _table(own)
    on_page = _best_and_worst(table, settings.page_items)
    indices = {scorer.data.tracks[index].name: index for index in scorer.chosen}
    items = []
    for entry in on_page:
        item = scorer.data[indices[entry["name"]]]
        result = scorer.separate(item)
        mine = [row for row in own if row["item"] == entry["name"]]
        items.append(_item(len(items), item, result, method, mine, settings.frequency))
        entry["number"] = items[-1]["number"]
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
    """A row an item: the mean SI-SDR improvement, and that of each source."""
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
    return value if value == value else None  # NaN: no score


def _best_and_worst(table, count):
    scored = [row for row in table if row["scores"]["Improvement, dB"] is not None]
    scored.sort(key=lambda row: row["scores"]["Improvement, dB"], reverse=True)
    if len(scored) <= count:
        return scored
    worst = count // 2
    return scored[: count - worst] + scored[len(scored) - worst :]


def _item(number, item, result, method, rows, frequency):
    mine = {row["source"]: row for row in rows if row["method"] == method}
    tracks, masks, place = [], [], {}
    for source, label in enumerate(sorted(item["sources"])):
        row = mine[label]
        # what is scored: of sources with an order the one of this label, else the one that fits
        taken = row["estimate"] if result.labels is None else result.labels.index(label)
        place[taken] = source
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
                "signal": result.estimates[taken],
                "scores": _scores(row),
            },
        ]
        if result.masks is not None:
            masks.append((label, source, result.masks[taken]))
    for left in range(len(result.estimates)):
        if left not in place:  # more estimates than sources
            place[left] = len(place)
            tracks.append(
                {
                    "label": f"estimate {left}",
                    "kind": "of no source",
                    "source": place[left],
                    "signal": result.estimates[left],
                    "scores": "",
                }
            )
    source_of = None
    if result.clusters is not None:
        source_of = sum((result.clusters == taken) * source for taken, source in place.items())
    return page_item(
        number,
        item["metadata"]["name"],
        item["mix"],
        tracks,
        masks,
        result.embedding,
        result.loud,
        source_of,
        result.span,
        frequency,
    )


def _scores(row):
    if _known(row["si_sdr"]) is None:
        return "no score: the reference is silent"
    parts = [f"{TITLES[key]} {row[key]:.1f}" for key in ("si_sdr", "si_sir", "si_sar")]
    gain = _known(row["si_sdr_improvement"])
    if gain is None:
        return f"{', '.join(parts)} dB; the mixture is this source already"
    return f"{', '.join(parts)} dB; {gain:+.1f} dB over the mixture"
