"""The listening page: one self-contained index.html."""

import base64
import html
import io
import json
import re
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from errors import amount

from .frequency import FrequencyAxis
from .views import FLOOR, embedding_plane, level_db

PARTS = Path(__file__).parent / "page"
SECONDS = 30  # of audio on the page: the middle of a longer item
PEAKS = 600  # bars of a waveform
POINTS = 800  # dots in the plane of the embedding
WIDEST = 700  # pixels of a spectrogram
SHADES = 32  # colours of a spectrogram: far smaller files, which look the same
COLORS = 5  # for sources in page.css
CAPITAL = re.compile(r"(?<=[a-z]{2})(?=[A-Z][a-z])")  # where a name of a class may break


def listening_page(title, about, items, table=None, summary=None, warnings=()):
    """The text of index.html.

    Args:
        title: the heading.
        about: {term: text}, what the results depend on.
        items: what `page_item` gives, in the order of their numbers.
        table: rows for the sortable table of items, {"name", "number": of the item on the page or
            None, "scores": {column: number or None}}; None: no table.
        summary: (rows of texts for the table of methods, the first the heading; name of the method
            to highlight); None: no table.
        warnings: sentences at the top of the page.
    """
    terms = "".join(
        f"<dt>{html.escape(term)}</dt><dd>{html.escape(str(text))}</dd>"
        for term, text in about.items()
    )
    notes = "".join(f'<p class="warning">{html.escape(text)}</p>' for text in warnings)
    stage = '<div id="stage"></div>'
    data = json.dumps({"items": items})
    for sign in "<>&":  # "<!--<script>" in a name would hide the end of the script from the browser
        data = data.replace(sign, f"\\u{ord(sign):04x}")
    page = (PARTS / "page.html").read_text(encoding="utf-8")
    parts = {
        "TITLE": html.escape(title),
        "STYLE": (PARTS / "page.css").read_text(encoding="utf-8"),
        "ABOUT": f"{notes}<dl>{terms}</dl>",
        "SUMMARY": "" if summary is None else _methods(*summary),
        "ITEMS": stage if table is None else stage + _items(table),
        "DATA": data,
        "SCRIPT": (PARTS / "page.js").read_text(encoding="utf-8"),
    }
    pieces = []
    for line in page.splitlines():
        name = next((n for n in parts if n in line), None)
        pieces.append(line if name is None else line.replace(name, parts[name]))
    return "\n".join(pieces) + "\n"


def _methods(lines, own):
    """The table of methods as HTML; `own`: the method to highlight."""
    head, *rows = lines
    cells = "".join(
        f'<th scope="col"{" class=text" if place < 2 else ""}>{_breakable(cell)}</th>'
        for place, cell in enumerate(head)
    )
    body = ""
    for method, source, *numbers in rows:
        kind = ' class="own"' if method == own else ""
        numbers = "".join(f"<td>{html.escape(number)}</td>" for number in numbers)
        body += (
            f'<tr{kind}><th scope="row">{_breakable(method)}</th>'
            f'<td class="text">{html.escape(source)}</td>{numbers}</tr>'
        )
    return (
        '<section aria-labelledby="methods"><h2 id="methods">Scores</h2>'
        '<div class="scroll" tabindex="0" role="region" aria-labelledby="methods"><table>'
        f"<thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _breakable(text):
    """The text as HTML, with places where a long word may break on a phone."""
    return CAPITAL.sub("<wbr>", html.escape(text)).replace("improvement", "improve&shy;ment")


def _items(table):
    """The table of items as HTML, sorted by the first column of numbers, the best first."""
    columns = list(table[0]["scores"])

    def key(row):
        value = row["scores"][columns[0]]
        return -np.inf if value is None else value

    head = '<th scope="col" aria-sort="none"><button type="button">Item</button></th>'
    for place, column in enumerate(columns):
        order = "none" if place else "descending"
        head += (
            f'<th scope="col" data-kind="number" aria-sort="{order}">'
            f'<button type="button">{html.escape(column)}</button></th>'
        )
    body = ""
    for row in sorted(table, key=key, reverse=True):
        name, number = html.escape(row["name"]), row["number"]
        cells = "".join(
            "<td>-</td>" if value is None else f'<td data-value="{value:.6f}">{value:z.2f}</td>'
            for value in row["scores"].values()
        )
        mark, listen = "", "<td></td>"
        if number is not None:
            mark = f' data-item="{number}"'
            listen = (
                f'<td><button type="button" data-open="{number}">Listen'
                f'<span class="hidden"> to {name}</span></button></td>'
            )
        body += f'<tr{mark}><th scope="row">{name}</th>{cells}{listen}</tr>'
    count = sum(row["number"] is not None for row in table)
    return (
        f'<p class="soft">{amount(len(table), "item")}; {count} can be played here, the best and '
        'the worst. Headings sort.</p><div class="scroll tall" tabindex="0" role="region" '
        'aria-labelledby="items-title"><table class="sortable"><thead><tr>'
        f'{head}<th scope="col"><span class="hidden">Listen</span></th></tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def page_item(
    number,
    name,
    mix,
    tracks,
    masks=(),
    embedding=None,
    loud=None,
    cluster_of=None,
    span=None,
    frequency="auto",
):
    """An item as the page's script takes it: plain data.

    Args:
        number: of the item on the page.
        mix: AudioSignal.
        tracks: [{"label", "kind", "source": its number, "signal": AudioSignal, "scores": text}],
            after the mixture.
        masks: [(label, number of the source, (bins, frames))], to be drawn.
        embedding: (bins, frames, dims); loud: (bins, frames), true where it is to be drawn;
        cluster_of: (bins, frames), the number of the source of each bin.
        span: (start, stop) of the embedding in seconds; None: all of the mixture.
        frequency: the scale of the spectrograms, see `FrequencyAxis`.
    """
    axis = FrequencyAxis(frequency, mix.sample_rate)
    rate, length = mix.sample_rate, mix.signal_length
    count = min(length, SECONDS * rate)
    part = slice((length - count) // 2, (length - count) // 2 + count)
    mixture = {"label": "mixture", "kind": "", "source": None, "signal": mix, "scores": ""}
    peak = max(np.abs(track["signal"].audio_data).max() for track in [mixture, *tracks])
    peak = max(float(peak), 1e-9)
    seconds = count / rate
    note = ""
    if count < length:
        note = (
            f"{seconds:.0f} s from {part.start / rate:.1f} s of {length / rate:.1f} s; "
            "the pictures show the whole"
        )
    pictures = [
        _picture(
            level_db(track["signal"]),
            "magma",
            (FLOOR, 0),
            " ".join(filter(None, (track["label"], track["kind"], "spectrogram"))),
            axis,
        )
        for track in [mixture, *tracks]
    ]
    pictures += [
        _picture(mask, "gray", (0, 1), f"mask of {label}", axis) for label, _, mask in masks
    ]
    return {
        "number": number,
        "name": name,
        "note": note,
        "seconds": round(seconds, 4),
        "tracks": [
            {
                "label": track["label"],
                "kind": track["kind"],
                "scores": track["scores"],
                "colour": _colour(track["source"]),
                "sound": _sound(track["signal"].audio_data[:, part], rate, peak),
                "peaks": _peaks(track["signal"].audio_data[:, part], peak),
            }
            for track in [mixture, *tracks]
        ],
        "pictures": pictures,
        "ticks": {"time": _ticks_of_time(length / rate), "frequency": axis.ticks()},
        "plane": None if embedding is None else _plane(embedding, loud, cluster_of, span),
    }


def _colour(source):
    return "mixture" if source is None else f"s{source % COLORS}"


def _text(content):
    return base64.b64encode(content).decode("ascii")


def _sound(data, rate, peak):
    """A 16-bit FLAC file as base64. If one signal of an item would clip, all of them are scaled
    down by the same factor; peak: of all."""
    buffer = io.BytesIO()
    scaled = data / max(1.0, peak / 0.999)
    soundfile.write(buffer, scaled.T, rate, format="FLAC", subtype="PCM_16")
    return _text(buffer.getvalue())


def _peaks(data, peak):
    """[[minimum, maximum]] of short blocks of a waveform, -127 to 127."""
    mono = data.mean(axis=0) / peak * 127
    edges = np.linspace(0, len(mono), min(PEAKS, len(mono)) + 1).astype(int)
    blocks = [mono[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True)]
    return [[int(np.floor(block.min())), int(np.ceil(block.max()))] for block in blocks]


def _ticks_of_time(seconds, most=5):
    """[(0 to 1, text in seconds)]"""
    steps = (base * 10**power for power in range(-2, 6) for base in (1, 2, 5))
    step = next((step for step in steps if seconds / step <= most), seconds)
    count = int(seconds / step * 0.97)  # none at the very edge
    return [(i * step / seconds, f"{i * step:g}") for i in range(count + 1)]


def _picture(values, colours, limits, what, axis):
    from matplotlib import colormaps  # most of what imports this module draws nothing

    values = axis.rows(values)
    step = -(-values.shape[1] // WIDEST)
    buffer = io.BytesIO()
    low, high = limits
    shown = np.clip((values[::-1, ::step] - low) / (high - low), 0, 1) * (SHADES - 1)
    image = Image.fromarray(np.round(shown).astype(np.uint8)).convert("P")
    palette = colormaps[colours](np.linspace(0, 1, SHADES), bytes=True)[:, :3]
    image.putpalette(palette.tobytes())
    image.save(buffer, "PNG", optimize=True)
    scale = f"kHz ({axis.scale}) over seconds"
    return {
        "png": _text(buffer.getvalue()),
        "alt": f"{what}, {scale}",
        "caption": f"{what[0].upper()}{what[1:]}, {scale}",
    }


def _plane(embedding, loud, cluster_of, span):
    chosen, flat, share = embedding_plane(embedding, loud, POINTS)
    flat = np.round(flat / max(np.abs(flat).max(), 1e-9) * 127).astype(int)
    sources = cluster_of.reshape(-1)[chosen]
    part = "" if span is None else f" from {span[0]:.0f} to {span[1]:.0f} s (the loudest)"
    caption = (
        f"The embedding of {len(chosen)} loud bins{part} in the plane of their two principal "
        f"components ({share:.0%} of the variance), coloured by source"
    )
    points = [
        [int(x), int(y), _colour(int(source))] for (x, y), source in zip(flat, sources, strict=True)
    ]
    return {"points": points, "alt": caption, "caption": caption}
