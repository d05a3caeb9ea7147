"""viz.png: spectrograms, masks, waveforms and the embedding of a separation."""

import contextlib
import io
import warnings

import numpy as np

import streams
from compat import nussl
from files import printable

from .frequency import FrequencyAxis
from .views import FLOOR, embedding_plane, level_db

COLORS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
)  # distinguishable without color vision
GREY = "#767676"
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "text.parse_math": False,  # names of files hold any number of $
}
SHOWN = 10  # seconds of a recording in a picture
TICKS = 6  # intervals between the seconds on an axis, at most
POINTS = 6000  # dots in the plane of the embedding
LEVEL = ("magma", (FLOOR, 0), "dB")  # colors, their limits, unit
MASK = ("gray", (0, 1), "share")


@contextlib.contextmanager
def drawing(size, layout="constrained"):
    """A context with a figure of `size` inches in this project's style. matplotlib is imported
    here, as most of the scripts that import this module draw nothing."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        yield Figure(figsize=size, layout=layout, dpi=110)


def draw_separation(title, mix, result, frequency="auto", about=None):
    """Draw the mixture's spectrogram, masks, waveforms and the embedding's plane.

    Args:
        title: a line above everything.
        mix: AudioSignal of the mixture.
        result: `algorithms.Result`; without masks the spectrograms of the sources are drawn.
        frequency: the scale of the spectrograms, see `FrequencyAxis`.
        about: {keyword: text} to keep in the file.

    Returns:
        the bytes of a PNG file.
    """
    sources, masks, embedding = len(result.estimates), result.masks, result.embedding
    files = result.labels or [f"source{i}" for i in range(sources)]
    names = result.labels or [f"source {i}" for i in range(sources)]
    clusters = result.clusters
    axis = FrequencyAxis(frequency, mix.sample_rate)
    if embedding is not None and clusters is None:
        clusters = masks.argmax(axis=0)
    with drawing((13, 3.2 + 2.4 * sources), layout="none") as figure:
        grid = _grid(figure, sources + 1, (1, 1) if embedding is None else (1, 1, 0.85))
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        first = figure.add_subplot(grid[0, 0])
        reference = max(np.abs(mix.stft()).max(), 1e-12)
        _draw_bins(figure, first, mix, level_db(mix, reference), axis, "mixture")
        _draw_waveform(figure.add_subplot(grid[0, 1]), mix, GREY, "mixture.wav", mix)
        for i, estimate in enumerate(result.estimates):
            color = COLORS[i % len(COLORS)]
            axes = figure.add_subplot(grid[i + 1, 0], sharex=first, sharey=first)
            if masks is None:
                level = level_db(estimate, reference)
                _draw_bins(figure, axes, mix, level, axis, f"spectrogram of {names[i]}", color)
            else:
                _draw_bins(figure, axes, mix, masks[i], axis, f"mask of {names[i]}", color, MASK)
            axes.set(xlabel="seconds")
            axes = figure.add_subplot(grid[i + 1, 1])
            _draw_waveform(axes, estimate, color, f"{files[i]}.wav", mix)
        if embedding is not None:
            axes = figure.add_subplot(grid[:, 2])
            _draw_embedding(axes, embedding, clusters, names, result.loud, result.span)
        return png(figure, about)


def draw_recording(title, recording, result, paths):
    """Draw ten seconds of a separated recording: around the part whose embedding is drawn, or the
    loudest ones.

    Args:
        title: a line above everything.
        recording: as in `streams`.
        result: `algorithms.Result` without estimates.
        paths: of the files of the sources.

    Returns:
        the bytes of a PNG file.
    """
    rate = recording.sample_rate
    if result.span is None:
        starts = range(0, recording.length, SHOWN * rate)
        energies = [np.square(recording.read(start, SHOWN * rate)).sum() for start in starts]
        first = starts[int(np.argmax(energies))]
    else:
        start = round((sum(result.span) - SHOWN) / 2 * rate)
        first = max(0, min(start, recording.length - SHOWN * rate))
    length = min(SHOWN * rate, recording.length - first)

    def signal(data):
        return nussl.AudioSignal(audio_data_array=data, sample_rate=rate)

    estimates = [signal(streams.FileRecording(path).read(first, length)) for path in paths]
    title = f"{title}, {first / rate:.0f} to {(first + length) / rate:.0f} s of "
    title += f"{recording.length / rate:.0f} s"
    mix = signal(recording.read(first, length))
    return draw_separation(title, mix, result._replace(estimates=estimates, masks=None))


def png(figure, about=None):
    """The bytes of a figure as a PNG file; characters that cannot be drawn are replaced."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_text(printable(text.get_text()))
    picture = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # drawn as a box
        # savefig draws it twice; level 2 of 9 makes files as small as the default, in half the time
        FigureCanvasAgg(figure).print_png(picture, metadata=about, pil_kwargs={"compress_level": 2})
    return picture.getvalue()


def _grid(figure, rows, widths):
    """A GridSpec with the same margins in inches at any size. matplotlib's own layouts measure all
    texts first, which takes nearly as long as drawing the figure."""
    width, height = figure.get_size_inches()
    left, right, bottom, top, between = 0.65, 0.15, 0.5, 0.75, 0.75  # inches
    columns = len(widths)
    mean = (width - left - right - between * (columns - 1)) / columns
    return figure.add_gridspec(
        rows,
        columns,
        width_ratios=widths,
        left=left / width,
        right=1 - right / width,
        bottom=bottom / height,
        top=1 - top / height,
        wspace=between / mean,
        hspace=0.4,
    )


def _draw_bins(figure, axes, mix, values, axis, title, color="black", kind=LEVEL):
    """Draw `values` (bins, frames) over the seconds and kHz of `mix`, with a colorbar."""
    colors, limits, unit = kind
    image = axes.imshow(
        axis.rows(values),
        origin="lower",
        aspect="auto",
        extent=(0, mix.signal_duration, 0, 1),
        cmap=colors,
        vmin=limits[0],
        vmax=limits[1],
        interpolation="nearest",
    )
    places, texts = zip(*axis.ticks(), strict=True)
    axes.set_yticks(places, texts)
    axes.locator_params(axis="x", nbins=TICKS)
    axes.set(ylabel="kHz" if axis.scale == "linear" else f"kHz ({axis.scale})")
    axes.set_title(title, color=color)
    figure.colorbar(image, ax=axes, label=unit, pad=0.01)


def _draw_waveform(axes, signal, color, title, mix):
    """Draw the minimum and maximum of short blocks as an area, with an outline, as a block of a
    single sample has no area."""
    data = signal.audio_data.mean(axis=0)
    block = max(1, len(data) // 1500)
    blocks = data[: len(data) // block * block].reshape(-1, block)
    time = np.arange(len(blocks)) * block / signal.sample_rate
    axes.fill_between(time, blocks.min(axis=1), blocks.max(axis=1), color=color, linewidth=0.5)
    peak = max(np.abs(mix.audio_data).max(), np.abs(data).max(), 1e-9)
    axes.set(xlim=(0, signal.signal_duration), ylim=(-1.05 * peak, 1.05 * peak), xlabel="seconds")
    axes.locator_params(axis="x", nbins=TICKS)
    axes.set_title(title, color=color)


def _draw_embedding(axes, embedding, clusters, names, loud, span):
    """The loud bins in the plane of their two principal components, colored by cluster."""
    chosen, flat, share = embedding_plane(embedding, loud, POINTS)
    cluster = clusters.reshape(-1)[chosen]
    for i, name in enumerate(names):
        here = cluster == i
        axes.scatter(
            *flat[here].T,
            s=4,
            alpha=0.4,
            linewidths=0,
            color=COLORS[i % len(COLORS)],
            label=f"{name}: {here.mean():.0%}",
        )
    part = "" if span is None else "\nof {:.1f} to {:.1f} s, the loudest".format(*span)
    axes.set(
        title=f"embedding of the loud bins{part}\n{embedding.shape[-1]} dims in a plane: "
        f"{share:.0%} of the variance",
        xlabel="first component",
        ylabel="second component",
    )
    axes.legend(markerscale=4, frameon=False)
