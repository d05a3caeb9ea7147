"""The listening pages of scripts.evaluate and scripts.visualize: from scores to a page."""

import provenance
import separations
from evaluation.table import TITLES, table_lines
from report import listening_page, page_item


def page_of_one(title, item, shown, method, rows):
    """The page of one separated item; `rows`: its scores."""
    content = _item(0, item, shown, method, rows)
    about = {"Algorithm": method, "Versions": _versions(provenance.versions())}
    return listening_page(title, about, [content])


def page_of_many(config, scoring, result, rows):
    """The page of an evaluation, with the best and the worst items to be heard.

    result: what summary.json holds; rows: the scores of all items.
    """
    method = config.algorithm.class_name
    own = [row for row in rows if row["method"] == method]
    table = _table(own)
    heard = _best_and_worst(table, config.evaluate.page_items)
    indices = {scoring.data.tracks[index].name: index for index in scoring.chosen}
    items = []
    for entry in heard:
        item = scoring.data[indices[entry["name"]]]
        shown = separations.separation_of(scoring.separator, item)
        mine = [row for row in own if row["item"] == entry["name"]]
        items.append(_item(len(items), item, shown, method, mine))
        entry["number"] = items[-1]["number"]
    failed = result["failed"]
    about = {
        "Scored": f"{result['items'] - len(failed)} of {result['items_in_split']} items of "
        f"{result['split']}, {len(failed)} failed, {len(result['with_a_silent_source'])} with a "
        "silent source, for which there is no score",
        "Checkpoint": result["checkpoint"] or "none",
        "Manifest": result["manifest"] or "none",
        "Versions": _versions(result["versions"]),
    }
    warnings = [*result["label_order"]["complaints"]]
    warnings += [f"failed: {name}: {why}" for name, why in list(failed.items())[:10]]
    lines = table_lines(result["table"], "si_sdr")
    title = f"{config.info.name}, {result['split']}"
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


def _item(number, item, shown, method, rows):
    labels = sorted(item["sources"])
    mine = {row["source"]: row for row in rows if row["method"] == method}
    tracks, masks, place = [], [], {}
    for source, label in enumerate(labels):
        row = mine[label]
        place[row["estimate"]] = source
        tracks += [
            {"label": label, "kind": "reference", "source": source,
             "signal": item["sources"][label], "scores": ""},
            {"label": label, "kind": "estimate", "source": source,
             "signal": shown.estimates[row["estimate"]], "scores": _scores(row)},
        ]  # fmt: skip
        masks.append((label, source, shown.masks[row["estimate"]]))
    for left in range(len(shown.estimates)):
        if left not in place:  # more estimates than sources
            place[left] = len(place)
            tracks.append({"label": f"estimate {left}", "kind": "of no source",
                           "source": place[left], "signal": shown.estimates[left],
                           "scores": ""})  # fmt: skip
    loudest = shown.masks.argmax(axis=0)
    cluster_of = sum((loudest == estimate) * source for estimate, source in place.items())
    name = item["metadata"]["name"]
    return page_item(
        number, name, shown.mix, tracks, masks, shown.embedding, shown.loud, cluster_of
    )


def _scores(row):
    if row["si_sdr"] != row["si_sdr"]:
        return "no score: the reference is silent"
    parts = [f"{TITLES[key]} {row[key]:.1f}" for key in ("si_sdr", "si_sir", "si_sar")]
    return f"{', '.join(parts)} dB; {row['si_sdr_improvement']:+.1f} dB over the mixture"
