"""viz.png: it is drawn for what there is, and says what the numbers say."""

import numpy as np
import pytest
import soundfile
from matplotlib.backends.backend_agg import FigureCanvasAgg

import streams
from algorithms import Result
from compat import nussl
from report import against_input, boxes, draw_separation, learning_curves, plots
from report.figures import draw_recording
from report.frequency import FrequencyAxis

BINS, FRAMES = 257, 63


@pytest.fixture
def axes(monkeypatch):
    """The axes of the figure that was last saved."""
    kept = []
    save = FigureCanvasAgg.print_png
    monkeypatch.setattr(
        FigureCanvasAgg,
        "print_png",
        lambda self, *args, **how: (kept.append(self.figure), save(self, *args, **how)),
    )
    return lambda: {a.get_title(loc="left"): a for a in kept[-1].axes}


def separation(sources=2, samples=8000):
    rng = np.random.default_rng(0)
    params = nussl.STFTParams(512, 128, "sqrt_hann")
    parts = 0.1 * rng.standard_normal((sources, 1, samples))

    def signal(data):
        return nussl.AudioSignal(audio_data_array=data, sample_rate=16000, stft_params=params)

    masks = rng.dirichlet(np.ones(sources), (BINS, FRAMES)).transpose(2, 0, 1)
    return signal(parts.sum(axis=0)), [signal(part) for part in parts], masks


@pytest.mark.parametrize("sources", [2, 3, 5])
def test_every_source_has_its_mask_and_its_waveform(axes, sources):
    mix, estimates, masks = separation(sources)
    picture = draw_separation("title", mix, Result(estimates, masks))
    drawn = axes()
    for i in range(sources):
        (image,) = drawn[f"mask of source {i}"].get_images()
        assert np.array_equal(image.get_array(), masks[i])
        assert drawn[f"source{i}.wav"].get_xlim() == (0, 0.5)
    assert picture.startswith(b"\x89PNG")


@pytest.mark.parametrize("samples", [700, 8000])
def test_waveforms_are_seen_however_few_samples_they_have(axes, samples):
    mix, estimates, _ = separation(samples=samples)
    draw_separation("title", mix, Result(estimates))
    waveform = axes()["source0.wav"]
    waveform.figure.canvas.draw()
    pixels = np.asarray(waveform.figure.canvas.buffer_rgba())[::-1].astype(int)
    left, bottom, right, top = map(int, waveform.get_window_extent().extents)
    inside = pixels[bottom:top, left:right]
    assert (inside[..., 2] - inside[..., 0] > 60).mean() > 0.1  # blue


def test_the_embedding_is_coloured_by_the_cluster_of_its_bins(axes):
    """Two blobs in 20 dimensions, a quarter of the bins in the second: two clouds of dots."""
    mix, estimates, masks = separation()
    second = np.zeros((BINS, FRAMES), bool)
    second.reshape(-1)[::4] = True
    masks = np.stack([~second, second]).astype(float)
    embedding = np.zeros((BINS, FRAMES, 20))
    embedding[..., 3] = np.where(second, 5.0, -5.0)
    embedding += 0.1 * np.random.default_rng(0).standard_normal(embedding.shape)
    draw_separation("title", mix, Result(estimates, masks, embedding))
    (plane,) = (a for title, a in axes().items() if title.startswith("embedding"))
    first, other = (cloud.get_offsets()[:, 0] for cloud in plane.collections)
    assert abs(abs(first.mean() - other.mean()) - 10) < 0.1 and max(first.std(), other.std()) < 0.2
    labels = [text.get_text() for text in plane.get_legend().get_texts()]
    assert labels == [f"source 0: {len(first) / 6000:.0%}", f"source 1: {len(other) / 6000:.0%}"]
    assert 0.73 < len(first) / 6000 < 0.77  # of the bins that were drawn by lot


def test_sources_have_their_names_where_they_are_known(axes):
    mix, estimates, masks = separation()
    draw_separation("title", mix, Result(estimates, masks, labels=["vocals", "bass"]))
    assert {"mask of vocals", "vocals.wav", "mask of bass", "bass.wav"} <= {*axes()}


def test_without_masks_the_spectrograms_of_the_sources_are_drawn(axes):
    mix, estimates, _ = separation()
    draw_separation("title", mix, Result(estimates))
    (image,) = axes()["spectrogram of source 1"].get_images()
    level = 20 * np.log10(np.abs(estimates[1].stft())[..., 0] / np.abs(mix.stft()).max())
    assert np.abs(image.get_array() - np.maximum(level, -80)).max() < 1e-9


def test_an_embedding_of_an_excerpt_is_coloured_by_its_own_clusters_and_says_so(axes):
    mix, estimates, masks = separation()
    embedding = np.random.default_rng(1).standard_normal((20, 30, 4))
    clusters = np.zeros((20, 30), int)
    result = Result(estimates, masks, embedding, None, clusters, (20.0, 30.0))
    draw_separation("title", mix, result)
    (title,) = (title for title in axes() if title.startswith("embedding"))
    assert "of 20.0 to 30.0 s, the loudest" in title
    labels = [text.get_text() for text in axes()[title].get_legend().get_texts()]
    assert labels == ["source 0: 100%", "source 1: 0%"]


@pytest.mark.parametrize(
    "span, shown",
    [
        ((14.0, 16.5), "10 to 20 s of 30 s"),  # around the part whose embedding is drawn
        ((28.0, 30.0), "20 to 30 s of 30 s"),
        ((0.0, 2.5), "0 to 10 s of 30 s"),
        (None, "20 to 30 s of 30 s"),  # the loudest
    ],
)
def test_ten_seconds_of_a_recording_are_drawn(axes, tmp_path, span, shown):
    rate = 1000
    sound = 0.1 * np.random.default_rng(0).standard_normal((1, 30 * rate)).astype(np.float32)
    sound[:, 25 * rate :] *= 3
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for path in paths:
        soundfile.write(path, sound[0] / 2, rate, subtype="FLOAT")
    result = Result([], None, None, None, None, span)
    draw_recording("a song", streams.ArrayRecording(sound, rate), result, paths)
    drawn = axes()["mixture.wav"]
    assert drawn.get_figure().get_suptitle() == f"a song, {shown}"
    assert drawn.get_xlim() == (0, 10)


# ---- the frequency axis --------------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["linear", "mel", "log"])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_tone_is_drawn_where_the_axis_says(scale, rate):
    axis, bins = FrequencyAxis(scale, rate), 1025
    for hertz in (500, 1000, 4000, 7500):
        values = np.zeros((bins, 3))
        values[round(hertz / (rate / 2) * (bins - 1))] = 1.0
        level = axis.rows(values)[:, 1]
        row = np.flatnonzero(level > level.max() / 2).mean() + 0.5  # a low bin covers several
        assert row / bins == pytest.approx(float(axis.place(hertz)), abs=0.003)


@pytest.mark.parametrize("rate", [8000, 44100, 192000, 500000, 3000000])
def test_a_linear_axis_has_a_few_ticks_at_any_rate(rate):
    places = [place for place, _ in FrequencyAxis("linear", rate).ticks()]
    assert 3 <= len(places) <= 7 and places[0] == 0 and places[-1] <= 1


def test_places_of_known_frequencies():
    assert FrequencyAxis("linear", 16000).place(2000) == 0.25
    mel = FrequencyAxis("mel", 44100)
    assert float(mel.place(700)) == pytest.approx(np.log10(2) / np.log10(1 + 22050 / 700))
    log = FrequencyAxis("log", 48000)
    assert float(log.place(np.sqrt(30 * 24000))) == pytest.approx(0.5)
    assert (float(log.place(0)), float(log.place(24000))) == (0, pytest.approx(1))


def test_music_rates_have_a_mel_axis_unless_another_is_asked_for():
    assert [FrequencyAxis("auto", rate).scale for rate in (8000, 16000, 22050, 44100)] == [
        "linear",
        "linear",
        "linear",
        "mel",
    ]
    with pytest.raises(ValueError, match="write auto, linear, mel, log"):
        FrequencyAxis("bark", 44100)


@pytest.mark.parametrize("scale", ["linear", "mel", "log"])
@pytest.mark.parametrize("rate", [8000, 16000, 44100, 96000])
def test_ticks_are_where_they_say_and_do_not_overlap(scale, rate):
    axis = FrequencyAxis(scale, rate)
    places = [place for place, _ in axis.ticks()]
    assert 4 <= len(places) <= 10 and min(np.diff(places)) > 0.06
    for place, text in axis.ticks():
        assert place == pytest.approx(float(axis.place(1000 * float(text))))


# ---- pictures of many items ----------------------------------------------------------------------


def test_losses_of_other_units_have_panels_of_their_own(monkeypatch):
    kept = []
    monkeypatch.setattr(plots, "png", kept.append)
    rows = [{"epoch": 1, "train_loss": 0.3, "val_loss": 0.4}]
    runs = {"a": rows, "b": rows, "c": rows}
    learning_curves(runs, {"a": "DeepClusteringLoss", "b": "SISDRLoss", "c": "DeepClusteringLoss"})
    panels = {ax.get_title(loc="left"): ax for ax in kept[0].axes}
    labels = {title: [line.get_label() for line in ax.lines] for title, ax in panels.items()}
    assert labels == {
        "DeepClusteringLoss": ["a, train", "a, val", "c, train", "c, val"],
        "SISDRLoss": ["b, train", "b, val"],
    }
    learning_curves({"d": [{"epoch": 1, "train_loss": 1.0, "train_mine": 1.0, "val_loss": None}]})
    assert kept[1].axes[0].get_title(loc="left") == "mine"


@pytest.mark.parametrize(("count", "least"), [(3, 30), (40, 10), (3000, 3)])
def test_few_items_have_large_dots(monkeypatch, count, least):
    kept = []
    monkeypatch.setattr(plots, "png", kept.append)
    boxes({"run": {"vocals": list(range(count))}}, "x")
    against_input({"run": {"vocals": [(i, i + 1) for i in range(count)]}}, "x")
    for figure in kept:
        assert figure.axes[0].collections[0].get_sizes()[0] >= least


# ---- names that people give ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cash $x$", r"$\frac$", "caf\udce9", "a\nb", "🎵", "^_{}"])
def test_a_picture_is_drawn_whatever_a_file_a_source_or_a_run_is_called(name):
    mix, estimates, masks = separation()
    rng = np.random.default_rng(0)
    embedding = rng.standard_normal((*masks.shape[1:], 3))
    rows = [{"epoch": 1, "train_loss": 1.0, "train_mine": 1.0, "val_loss": None}]
    pictures = [
        draw_separation(name, mix, Result(estimates, masks, embedding, labels=[name, "b"])),
        boxes({name: {name: [1.0, 2.0]}}, "SI-SDR"),
        against_input({name: {name: [(1.0, 2.0)]}}, "SI-SDR"),
        learning_curves({name: rows}, {name: name}),
    ]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
