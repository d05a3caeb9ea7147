"""viz.png: it is drawn for what there is, and says what the numbers say."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from compat import nussl
from report import draw_separation

BINS, FRAMES = 257, 63


@pytest.fixture
def axes(monkeypatch):
    """The axes of the figure that was last saved."""
    kept = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure,
        "savefig",
        lambda self, *args, **kwargs: (kept.append(self), save(self, *args, **kwargs)),
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
    picture = draw_separation("title", mix, estimates, masks)
    drawn = axes()
    for i in range(sources):
        (image,) = drawn[f"mask of source {i}"].get_images()
        assert np.array_equal(image.get_array(), masks[i])
        assert drawn[f"source{i}.wav"].get_xlim() == (0, 0.5)
    assert picture.startswith(b"\x89PNG")


def test_the_embedding_is_coloured_by_the_cluster_of_its_bins(axes):
    """Two blobs in 20 dimensions, a quarter of the bins in the second: two clouds of dots."""
    mix, estimates, masks = separation()
    second = np.zeros((BINS, FRAMES), bool)
    second.reshape(-1)[::4] = True
    masks = np.stack([~second, second]).astype(float)
    embedding = np.zeros((BINS, FRAMES, 20))
    embedding[..., 3] = np.where(second, 5.0, -5.0)
    embedding += 0.1 * np.random.default_rng(0).standard_normal(embedding.shape)
    draw_separation("title", mix, estimates, masks, embedding)
    (plane,) = (a for title, a in axes().items() if title.startswith("embedding"))
    first, other = (cloud.get_offsets()[:, 0] for cloud in plane.collections)
    assert abs(abs(first.mean() - other.mean()) - 10) < 0.1 and max(first.std(), other.std()) < 0.2
    labels = [text.get_text() for text in plane.get_legend().get_texts()]
    assert labels == [f"source 0: {len(first) / 6000:.0%}", f"source 1: {len(other) / 6000:.0%}"]
    assert 0.73 < len(first) / 6000 < 0.77  # of the bins that were drawn by lot
