"""Are the same two sources called by the same labels in every track?

If two labels mean different kinds of sound, their long-term spectra differ in the same
direction in every track. Tracks in which they differ in the opposite direction have their labels
swapped, be they a few or half of all.
"""

import itertools
import re

import numpy as np
from scipy.stats import binomtest, norm

SIGNIFICANCE = 0.001  # a warning where labels are right comes once in a thousand audits
APART = 2.0  # standard deviations; below, the two directions are not apart and nothing can be said
FEWEST = 6  # songs
BANDS = 24  # of the spectra, equally wide on a logarithmic scale
LOWEST = 60.0  # Hz
FRAME = 2048  # samples of a spectrum
FLOOR = 1e-6  # of the loudest band: 60 dB below it
# labels without an order
NUMBERED = re.compile(r"(s|src|source|speaker|spk|talker|voice)[ _-]?\d+")


def spectrum(sound, sample_rate):
    """The long-term spectrum of a source, (channels, samples), in dB, (BANDS,); None if silent."""
    mono = sound.mean(axis=0)
    frames = np.lib.stride_tricks.sliding_window_view(
        np.pad(mono, (0, max(0, FRAME - len(mono)))), FRAME
    )[:: FRAME // 2]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(FRAME)))).mean(axis=0)
    edges = np.geomspace(LOWEST, sample_rate / 2, BANDS + 1) * FRAME / sample_rate
    places = np.digitize(np.arange(len(power)), edges) - 1
    bands = np.array([power[places == band].sum() for band in range(BANDS)])
    if not bands.any():
        return None
    return 10 * np.log10(np.maximum(bands, FLOOR * bands.max()))


def swapped(tracks, labels):
    """Which tracks have two labels the other way round than most.

    For each pair of labels: the differences of their spectra lie along one direction, found as
    their first principal axis through zero. If their lengths along it are clearly apart from zero,
    their spread says how many tracks may be on the wrong side by chance; more than that, by a
    one-sided binomial test over songs, have their labels swapped.

    Args:
        tracks: [(name, song, {label: spectrum or None})].
        labels: of all tracks. Numbered ones (s1, s2, speaker1) have no order and are left out.

    Returns:
        [(first label, second label, [names of the fewer tracks], p)].
    """
    found = []
    named = [label for label in labels if not NUMBERED.fullmatch(label.casefold())]
    for pair in itertools.combinations(named, 2):
        both = [
            (name, song or name, spectra[pair[1]] - spectra[pair[0]])
            for name, song, spectra in tracks
            if all(spectra.get(label) is not None for label in pair)
        ]
        if both and (result := _wrong_side(*zip(*both, strict=True))) is not None:
            found.append((*pair, *result))
    return found


def _wrong_side(names, songs, differences):
    """(names on the side of fewer, p), or None."""
    differences = np.array(differences)
    axis = np.linalg.svd(differences, full_matrices=False)[2][0]
    along = differences @ axis
    if (along > 0).mean() < 0.5:
        along = -along
    lengths, wrong = np.abs(along), along < 0
    apart = lengths.mean() / max(lengths.std(), 1e-9)
    count = len(set(songs))
    if count < FEWEST or apart < APART or not wrong.any():
        return None
    by_song = {}
    for song, flag in zip(songs, wrong, strict=True):
        by_song.setdefault(song, []).append(flag)
    total = sum(np.mean(flags) for flags in by_song.values())
    chance = max(norm.sf(apart), 1 / (10 * count))
    p = binomtest(int(total + 1e-9), count, chance, alternative="greater").pvalue
    if p >= SIGNIFICANCE:
        return None
    return [name for name, flag in zip(names, wrong, strict=True) if flag], float(p)
