"""Detects tracks in which the labels of two sources are swapped.

If two labels mean different kinds of sound, their long-term spectra differ in the same direction in
all tracks. Tracks in which they differ in the opposite direction have swapped labels.
"""

import itertools
import re

import numpy as np
from scipy.stats import binomtest, norm

SIGNIFICANCE = 0.001  # the largest p-value that gives a warning
MIN_SEPARATION = 2.0  # standard deviations; below, the two directions cannot be distinguished
MIN_SONGS = 6
BANDS = 24  # bands of the spectra, equally wide on a logarithmic frequency scale
LOWEST = 60.0  # Hz
FRAME = 2048  # samples of a spectrum
FLOOR = 1e-6  # of the loudest band: 60 dB below it
# labels of sources without an order
NUMBERED = re.compile(r"(s|src|source|speaker|spk|talker|voice)[ _-]?\d+")


def spectrum(sound, sample_rate):
    """The long-term spectrum of a source in dB, (BANDS,); None if it is silent.

    Args:
        sound: (channels, samples).
        sample_rate: in Hz.
    """
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
    """Find tracks in which two labels are swapped in comparison with most tracks.

    For each pair of labels, the differences of their spectra are projected on their first principal
    axis through zero. If the absolute values of the projections are clearly above zero, their
    standard deviation gives the probability that a track has the wrong sign by chance. Labels are
    swapped if more tracks have the wrong sign, by a one-sided binomial test over songs.

    Args:
        tracks: [(name, song, {label: spectrum or None})].
        labels: of all tracks. Numbered labels (s1, s2, speaker1) have no order and are ignored.

    Returns:
        [(first label, second label, [names of the tracks in the minority], p-value)].
    """
    found = []
    named = [label for label in labels if not NUMBERED.fullmatch(label.casefold())]
    for pair in itertools.combinations(named, 2):
        first, second = pair
        names, songs, differences = [], [], []
        for name, song, spectra in tracks:
            if all(spectra.get(label) is not None for label in pair):
                names.append(name)
                songs.append(song or name)
                differences.append(spectra[second] - spectra[first])
        if names and (result := _minority(names, songs, differences)) is not None:
            found.append((first, second, *result))
    return found


def _minority(names, songs, differences):
    """(names of the tracks whose differences have the opposite sign, p-value); None if there are no
    such tracks, or they are not significant."""
    differences = np.array(differences)
    axis = np.linalg.svd(differences, full_matrices=False)[2][0]
    projections = differences @ axis
    if (projections > 0).mean() < 0.5:
        projections = -projections
    lengths, wrong = np.abs(projections), projections < 0
    separation = lengths.mean() / max(lengths.std(), 1e-9)
    count = len(set(songs))
    if count < MIN_SONGS or separation < MIN_SEPARATION or not wrong.any():
        return None
    by_song = {}
    for song, flag in zip(songs, wrong, strict=True):
        by_song.setdefault(song, []).append(flag)
    total = sum(np.mean(flags) for flags in by_song.values())
    chance = max(norm.sf(separation), 1 / (10 * count))
    p = binomtest(int(total + 1e-9), count, chance, alternative="greater").pvalue
    if p >= SIGNIFICANCE:
        return None
    return [name for name, flag in zip(names, wrong, strict=True) if flag], float(p)
