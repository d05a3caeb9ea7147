"""viz.png: a separation at one glance."""

import io

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
)  # told apart without colour vision
GREY = "#767676"
POINTS = 6000  # dots in the plane of the embedding
FLOOR = -80  # dB under the loudest bin at which a spectrogram is black


def draw_separation(title, mix, estimates, masks, embedding=None, loud=None):
    """Draw the mixture's spectrogram, masks, waveforms and the embedding's plane.

    Args:
        title: a line above everything.
        mix: AudioSignal of the mixture.
        estimates: [AudioSignal], the sources.
        masks: (sources, bins, frames), 0 to 1.
        embedding: (bins, frames, dims), or None for an algorithm that has none.
        loud: (bins, frames), true where the embedding was clustered.

    Returns:
        the bytes of a PNG file.
    """
    sources = len(estimates)
    with matplotlib.rc_context(
        {
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 10,
            "axes.titlelocation": "left",
        }
    ):
        figure = Figure(figsize=(13, 3.2 + 2.4 * sources), layout="constrained", dpi=110)
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        grid = figure.add_gridspec(
            sources + 1,
            3 if embedding is not None else 2,
            width_ratios=(1, 1, 0.85) if embedding is not None else (1, 1),
        )
        spectrogram = figure.add_subplot(grid[0, 0])
        _draw_spectrogram(figure, spectrogram, mix)
        _draw_waveform(figure.add_subplot(grid[0, 1]), mix, GREY, "mixture.wav", mix)
        for i, (estimate, mask) in enumerate(zip(estimates, masks, strict=True)):
            colour = COLOURS[i % len(COLOURS)]
            _draw_mask(
                figure,
                figure.add_subplot(grid[i + 1, 0], sharex=spectrogram, sharey=spectrogram),
                mix,
                mask,
                i,
                colour,
            )
            _draw_waveform(
                figure.add_subplot(grid[i + 1, 1]), estimate, colour, f"source{i}.wav", mix
            )
        if embedding is not None:
            _draw_embedding(figure.add_subplot(grid[:, 2]), embedding, masks, loud)
        picture = io.BytesIO()
        figure.savefig(picture, format="png")
    return picture.getvalue()


def _draw_spectrogram(figure, axes, mix):
    magnitude = np.abs(mix.stft()).mean(axis=-1)
    level = 20 * np.log10(np.maximum(magnitude / magnitude.max(), 10 ** (FLOOR / 20)))
    _draw_bins(figure, axes, mix, level, "magma", (FLOOR, 0), "dB")
    axes.set(title="mixture", ylabel="kHz")


def _draw_mask(figure, axes, mix, mask, number, colour):
    _draw_bins(figure, axes, mix, mask, "gray", (0, 1), "share")
    axes.set(ylabel="kHz", xlabel="seconds")
    axes.set_title(f"mask of source {number}", color=colour)


def _draw_bins(figure, axes, mix, values, colours, limits, unit):
    """(bins, frames) over the seconds and kilohertz of `mix`, with a bar that explains colours."""
    image = axes.imshow(
        values,
        origin="lower",
        aspect="auto",
        extent=(0, mix.signal_duration, 0, mix.sample_rate / 2000),
        cmap=colours,
        vmin=limits[0],
        vmax=limits[1],
        interpolation="nearest",
    )
    figure.colorbar(image, ax=axes, label=unit, pad=0.01)


def _draw_waveform(axes, signal, colour, title, mix):
    """Minimum and maximum of short blocks: what a waveform looks like from afar."""
    data = signal.audio_data.mean(axis=0)
    block = max(1, len(data) // 1500)
    blocks = data[: len(data) // block * block].reshape(-1, block)
    time = np.arange(len(blocks)) * block / signal.sample_rate
    axes.fill_between(time, blocks.min(axis=1), blocks.max(axis=1), color=colour, linewidth=0)
    peak = max(np.abs(mix.audio_data).max(), np.abs(data).max(), 1e-9)
    axes.set(xlim=(0, signal.signal_duration), ylim=(-1.05 * peak, 1.05 * peak), xlabel="seconds")
    axes.set_title(title, color=colour)


def _draw_embedding(axes, embedding, masks, loud):
    """The loud bins in the plane of their two principal components, coloured by cluster."""
    points = embedding.reshape(-1, embedding.shape[-1])
    cluster = masks.reshape(len(masks), -1).argmax(axis=0)
    chosen = np.arange(len(points)) if loud is None else np.flatnonzero(loud.reshape(-1))
    if len(chosen) > POINTS:
        chosen = np.random.default_rng(0).choice(chosen, POINTS, replace=False)
    plane = PCA(n_components=2, random_state=0).fit(points[chosen])
    flat = plane.transform(points[chosen])
    for i in range(len(masks)):
        here = cluster[chosen] == i
        axes.scatter(
            *flat[here].T,
            s=4,
            alpha=0.4,
            linewidths=0,
            color=COLOURS[i % len(COLOURS)],
            label=f"source {i}: {here.mean():.0%}",
        )
    share = plane.explained_variance_ratio_.sum()
    axes.set(
        title=f"embedding of the loud bins\n{points.shape[1]} dims in a plane: "
        f"{share:.0%} of the variance",
        xlabel="first component",
        ylabel="second component",
    )
    axes.legend(markerscale=4, frameon=False)
