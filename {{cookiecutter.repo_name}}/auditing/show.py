"""Formats a report as text for the terminal and as one self-contained HTML file."""

import html
import json

from errors import amount, duration

SHOWN = 20  # findings of each kind in the text; the other files have all of them
ADVICE = {
    "unreadable": "replace the files",
    "leak": "keep each recording in one split only",
    "duplicate": "keep one of the two",
    "pattern": "listen to both: two songs may share a drum kit or a loop, not a recording",
    "swapped": "listen to some of them, and exchange the files of those that are swapped",
    "residual": "use mixture: sum, or find out what else the mixture holds",
    "misaligned": "shift the stems, or use mixture: sum",
    "copy": "find the right file of one of the two sources",
    "silent": "such a source has no score; it teaches silence",
    "clipped": "distortion becomes part of the reference",
    "length": "see if the stems begin together",
}


def report_files(report):
    """{file name: text} of a report, which must have the key "experiment"."""
    return {
        "report.json": json.dumps(report, indent=1, ensure_ascii=False) + "\n",
        "report.txt": as_text(report) + "\n",
        "report.html": as_html(report, f"Audit of the data of {report['experiment']}"),
    }


def as_text(report):
    """The report as plain text."""
    lines = []
    for split, facts in report["splits"].items():
        rates = ", ".join(map(str, facts["sample_rates"])) or "no"
        tracks = f"{facts['looked_at']} of {amount(facts['tracks'], 'track')}"
        length = duration(3600 * facts["hours"])
        lines.append(
            f"{split}: {tracks} of {facts['dataset']} in "
            f"{facts['folder']}, {length}, {rates} Hz (read at {facts['read_at']})"
        )
        manifest = facts["manifest_hash"] or "none"
        lines.append(f"  sources: {', '.join(facts['labels'])}; manifest {manifest}")
        for key, name, unit in (
            ("seconds", "length", "s"),
            ("loudness", "loudness", "LUFS"),
            ("residual_db", "mixture minus sources", "dB"),
        ):
            if facts[key] is not None:
                least, median, most = facts[key]
                lines.append(f"  {name}: {least:.1f} to {most:.1f} {unit}, median {median:.1f}")
        if facts["left_out"]:
            files = amount(sum(map(len, facts["left_out"].values())), "file")
            lines.append(f"  left out: {files} of {amount(len(facts['left_out']), 'track')}")
    for (level, kind), findings in _by_kind(report).items():
        lines += ["", f"{level}: {kind} ({len(findings)}); {ADVICE[kind]}"]
        lines += [f"  {f['split']}/{f['track']}: {f['text']}" for f in findings[:SHOWN]]
        if len(findings) > SHOWN:
            lines.append(f"  and {len(findings) - SHOWN} more")
    lines += ["", verdict(report)]
    return "\n".join(lines)


def verdict(report):
    """A summary of the findings in one line."""
    count = {
        level: sum(f["level"] == level for f in report["findings"])
        for level in ("error", "warning")
    }
    if not report["findings"]:
        return "nothing was found that would spoil a result"
    text = ", ".join(amount(count[level], level) for level in ("error", "warning"))
    return text + ("" if count["error"] else ": nothing that would spoil a result")


def _by_kind(report):
    """{(level, kind): [finding]}."""
    groups = {}
    for finding in report["findings"]:
        groups.setdefault((finding["level"], finding["kind"]), []).append(finding)
    return groups


STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8881;
        --error: #c0392b; --warning: #b7791f; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line);
         vertical-align: top; overflow-wrap: break-word; max-width: 28rem; }
th { background: var(--soft); }
td.number { text-align: right; white-space: nowrap; }
.error { color: var(--error); } .warning { color: var(--warning); }
.verdict { padding: .6rem 1rem; background: var(--soft); border-left: 4px solid var(--line); }
summary { cursor: pointer; }
"""


def as_html(report, title):
    """The report as one HTML page that loads nothing else."""
    verdict_class = next((f["level"] for f in report["findings"]), "")
    parts = [
        "<!doctype html>\n<html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>",
        f"<title>{_text(title)}</title><style>{STYLE}</style>",
        f"<h1>{_text(title)}</h1>",
        f"<p class='verdict {verdict_class}'>{_text(verdict(report))}</p>",
        "<h2>Splits</h2>",
        _splits_table(report),
    ]
    for (level, kind), findings in _by_kind(report).items():
        parts.append(f"<h2 class={level}>{level}: {kind} ({len(findings)})</h2>")
        parts.append(f"<p>{_text(ADVICE[kind])}</p>")
        rows = [[f["split"], f["track"], f["source"], f["text"]] for f in findings]
        parts.append(_table(["split", "track", "source", "what was found"], rows))
    parts.append("<h2>Tracks</h2>")
    for split, tracks in report["tracks"].items():
        parts.append(f"<details><summary>{_text(split)}: {amount(len(tracks), 'track')}</summary>")
        parts.append(_tracks_table(tracks) + "</details>")
        left_out = report["splits"][split]["left_out"]
        if left_out:
            rows = [[name, ", ".join(paths)] for name, paths in left_out.items()]
            parts.append(f"<details><summary>{_text(split)}: files left out</summary>")
            parts.append(_table(["track", "files"], rows) + "</details>")
    return "\n".join(parts) + "\n"


def _splits_table(report):
    head = [
        "split",
        "dataset",
        "folder",
        "tracks",
        "audio",
        "Hz",
        "length (s)",
        "loudness (LUFS)",
        "mixture minus sources (dB)",
        "sources",
        "manifest",
    ]
    rows = [
        [
            split,
            s["dataset"],
            s["folder"],
            f"{s['looked_at']} of {s['tracks']}",
            duration(3600 * s["hours"]),
            ", ".join(map(str, s["sample_rates"])),
            _range(s["seconds"]),
            _range(s["loudness"]),
            _range(s["residual_db"]),
            ", ".join(s["labels"]),
            (s["manifest_hash"] or "none")[:12],
        ]
        for split, s in report["splits"].items()
    ]
    return _table(head, rows)


def _tracks_table(tracks):
    head = ["track", "seconds", "Hz", "LUFS", "residual (dB)", "levels", "taken for"]
    rows = [
        [
            t["name"],
            t["seconds"],
            t["sample_rate"],
            t["loudness"],
            t["residual_db"],
            ", ".join(f"{label} {level} dB" for label, level in t["levels_db"].items()),
            "; ".join(f"{label}: {', '.join(files)}" for label, files in t["files"].items()),
        ]
        for t in tracks
    ]
    return _table(head, rows)


def _range(spread):
    """[minimum, median, maximum] as text; "" for None."""
    return "" if spread is None else f"{spread[0]:.1f} to {spread[2]:.1f}"


def _table(head, rows):
    cells = "".join(f"<th scope=col>{_text(name)}" for name in head)
    body = "".join("<tr>" + "".join(map(_cell, row)) for row in rows)
    return f"<div class=wide><table><thead><tr>{cells}<tbody>{body}</table></div>"


def _cell(value):
    number = isinstance(value, int | float)
    shown = "" if value is None else value
    return f"<td{' class=number' if number else ''}>{_text(shown)}"


def _text(value):
    return html.escape(str(value))
