"""Tables of scores with intervals."""

from .scoring import ABOUT, GAIN
from .statistics import summarize

ALL = "all sources"
TITLES = {
    "si_sdr": "SI-SDR",
    "si_sir": "SI-SIR",
    "si_sar": "SI-SAR",
    "sd_sdr": "SD-SDR",
    "snr": "SNR",
    "sdr": "SDR",
    "isr": "ISR",
    "sir": "SIR",
    "sar": "SAR",
    "sdr_v3": "SDR (BSS Eval 3)",
    "usdr": "uSDR",
    "csdr": "cSDR",
    "stoi": "STOI",
    "pesq": "PESQ",
}
WITHOUT_UNIT = ("stoi", "pesq")
# scores with a table of their own; of the others there is one table of means
IN_FULL = ("si_sdr", "sdr", "sdr_v3", "usdr", "csdr", "stoi", "pesq")


def scores_in(rows):
    """The names of the scores that rows hold, without those of the improvements."""
    return [key for key in rows[0] if key not in ABOUT and not key.endswith(GAIN)]


def tabulate(rows, methods):
    """Statistics of each method and source, and over all sources.

    Args:
        rows: what `score_item` returns, of all items.
        methods: names, in the order of the table.

    Returns:
        [{"method", "source", score: statistics, ...}], of the improvements too; statistics as
        `summarize` gives them, intervals over songs.
    """
    table = []
    sources = sorted({row["source"] for row in rows})
    scores = [key for key in rows[0] if key not in ABOUT]
    for method in methods:
        own = [row for row in rows if row["method"] == method]
        for source in [*sources, ALL]:
            chosen = [row for row in own if source in (ALL, row["source"])]
            songs = [row["song"] for row in chosen]
            table.append(
                {"method": method, "source": source}
                | {score: summarize([row[score] for row in chosen], songs) for score in scores}
            )
    return table


def format_tables(table, scores, markdown=False):
    """All scores as text: a table of each of `IN_FULL`, and one of the others' means."""
    texts = [format_table(table, markdown, score) for score in scores if score in IN_FULL]
    others = [score for score in scores if score not in IN_FULL]
    if others:
        lines = [("method", "source", *(_title(score) for score in others))]
        for row in table:
            means = (_number(row[score], "mean", score) for score in others)
            lines.append((row["method"], row["source"], *means))
        texts.append(aligned(lines, 2, markdown, _ends))
    return "\n\n".join(texts)


def format_table(table, markdown=False, score="si_sdr"):
    """One score as text: mean, median, and the improvement with its 95 % interval ("-" for a single
    song). The interval is that of the mean if the score has no improvement."""
    return aligned(table_lines(table, score), 2, markdown, _ends)


def table_lines(table, score):
    """The same as rows of texts, the first the heading."""
    gain = score + GAIN if score + GAIN in table[0] else None
    unit = "" if score in WITHOUT_UNIT else " dB"
    lines = [
        (
            "method",
            "source",
            "n",
            _title(score),
            "median",
            *([f"improvement{unit}"] if gain else []),
            "95 % interval",
        )
    ]
    for row in table:
        value, with_interval = row[score], row[gain or score]
        numbers = [_number(value, key, score) for key in ("mean", "median")]
        numbers += [_number(with_interval, "mean", score)] if gain else []
        low, high = (_number(with_interval, key, score) for key in ("low", "high"))
        interval = "-" if with_interval["low"] is None else f"{low} to {high}"
        lines.append((row["method"], row["source"], str(value["count"]), *numbers, interval))
    return lines


def _title(score):
    return TITLES[score] if score in WITHOUT_UNIT else f"{TITLES[score]} dB"


def _number(statistics, key, score):
    if statistics[key] is None:
        return "-"
    digits = 3 if score in WITHOUT_UNIT else 2
    return f"{statistics[key]:z.{digits}f}"


def _ends(line):
    """Is this the last row of a method?"""
    return line[1] == ALL


def aligned(lines, left, markdown=False, ends=lambda line: False):
    """Rows of texts, the first the heading, as a table in aligned columns.

    Args:
        left: how many columns are aligned to the left; the others to the right.
        ends: function(row) -> is there an empty line after it?
    """
    if markdown:  # a bar in a name would start another column
        lines = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    least = 2 if markdown else 1  # Markdown marks a column that is aligned to the right by "-:"
    widths = [max(least, *(len(line[i]) for line in lines)) for i in range(len(lines[0]))]
    text = []
    for number, line in enumerate(lines):
        cells = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        text.append("| " + " | ".join(cells) + " |" if markdown else "  ".join(cells).rstrip())
        if number == 0:
            rule = ["-" * (w - 1) + ("-" if i < left else ":") for i, w in enumerate(widths)]
            text.append(
                "| " + " | ".join(rule) + " |" if markdown else "  ".join("-" * w for w in widths)
            )
        elif not markdown and ends(line) and number < len(lines) - 1:
            text.append("")
    return "\n".join(text)
