"""Rows of scores into a table that carries its own doubts."""

from .statistics import summarize

ALL = "all sources"


def tabulate(rows, methods):
    """Statistics of each method and source, and over all sources.

    Args:
        rows: what `score_item` returns, of all items.
        methods: names, in the order wanted.

    Returns:
        [{"method", "source", "si_sdr": statistics, "si_sdr_improvement": statistics}], statistics
        as `summarize` gives them, intervals over songs.
    """
    table = []
    sources = sorted({row["source"] for row in rows})
    for method in methods:
        own = [row for row in rows if row["method"] == method]
        for source in [*sources, ALL]:
            chosen = [row for row in own if source in (ALL, row["source"])]
            songs = [row["song"] for row in chosen]
            table.append(
                {"method": method, "source": source}
                | {
                    score: summarize([row[score] for row in chosen], songs)
                    for score in ("si_sdr", "si_sdr_improvement")
                }
            )
    return table


def format_table(table, markdown=False):
    """The table as text: mean SI-SDR, its median, and the improvement with its 95 % interval."""
    head = ("method", "source", "n", "SI-SDR dB", "median", "improvement dB", "95 % interval")
    lines = [head]
    for row in table:
        score, gain = row["si_sdr"], row["si_sdr_improvement"]
        numbers = ("-",) * 4
        if score["count"]:
            interval = f"{gain['low']:.2f} to {gain['high']:.2f}"
            means = (score["mean"], score["median"], gain["mean"])
            numbers = (*(f"{mean:.2f}" for mean in means), interval)
        lines.append((row["method"], row["source"], str(score["count"]), *numbers))
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = []
    for number, line in enumerate(lines):
        cells = [
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        text.append("| " + " | ".join(cells) + " |" if markdown else "  ".join(cells).rstrip())
        if number == 0:
            rule = ["-" * (w - 1) + ("-" if i < 2 else ":") for i, w in enumerate(widths)]
            text.append(
                "| " + " | ".join(rule) + " |" if markdown else "  ".join("-" * w for w in widths)
            )
        elif not markdown and line[1] == ALL and number < len(lines) - 1:
            text.append("")
    return "\n".join(text)
