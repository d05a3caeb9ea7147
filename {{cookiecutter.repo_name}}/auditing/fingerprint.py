"""Audio fingerprints that are robust to lossy coding, resampling and changes of level.

They consist of pairs of spectral peaks, after Wang, "An industrial-strength audio search
algorithm", ISMIR 2003. Peaks of a spectrogram keep their positions if a recording is compressed,
resampled or changed in level. Pairs (frequency, frequency, time between them) are rare enough to
identify a recording: two recordings are the same if many of their pairs have the same time offset.
"""

from typing import NamedTuple

import numpy as np
import scipy.ndimage
import scipy.signal

import audio

RATE = 8000  # Hz, to which all recordings are resampled
WINDOW, HOP = 1024, 256  # 128 ms and 32 ms
NEIGHBOURHOOD = (15, 9)  # bins and frames within which a peak is the highest
PEAKS_PER_SECOND = 30
FLOOR_DB = 70  # peaks this far below the highest one are ignored
FAN_OUT = 6  # pairs that begin at a peak
MAX_DISTANCE = 63  # frames between the peaks of a pair: 2 s
MIN_COMMON = 12  # smallest number of common pairs of two copies of a recording
MIN_PERIOD = 8  # frames; an equal pair that follows sooner belongs to the same sound
MAX_SHARED = 40  # further occurrences of a pair are ignored, as it does not identify a recording


class Fingerprint(NamedTuple):
    """Pairs of peaks: their hashes and the frames in which they begin, int64 (pairs,) both."""

    hashes: np.ndarray
    times: np.ndarray


def fingerprint(sound, sample_rate):
    """The Fingerprint of audio, float32 (channels, samples); empty if it is silent or short."""
    sound = audio.convert(sound, sample_rate, RATE, 1)[0]
    if len(sound) < WINDOW or not sound.any():
        return Fingerprint(np.zeros(0, np.int64), np.zeros(0, np.int64))
    spectrum = scipy.signal.stft(sound, RATE, "hann", WINDOW, WINDOW - HOP, boundary=None)[2]
    level = 20 * np.log10(np.abs(spectrum) + 1e-12)
    highest = scipy.ndimage.maximum_filter(level, NEIGHBOURHOOD)
    bins, frames = np.nonzero((level == highest) & (level > level.max() - FLOOR_DB))
    num_peaks = max(1, int(PEAKS_PER_SECOND * len(sound) / RATE))
    strongest = np.argsort(-level[bins, frames], kind="stable")[:num_peaks]
    order = np.lexsort((bins[strongest], frames[strongest]))
    return _make_pairs(bins[strongest][order].astype(np.int64), frames[strongest][order])


def _make_pairs(bins, frames):
    """The Fingerprint of peaks: pairs of each peak with the next ones within MAX_DISTANCE."""
    hashes, times = [], []
    for ahead in range(1, 4 * FAN_OUT):
        distance = frames[ahead:] - frames[:-ahead]
        is_pair = (distance >= 1) & (distance <= MAX_DISTANCE)
        first, second = bins[:-ahead][is_pair], bins[ahead:][is_pair]
        hashes.append((first << 22) | (second << 8) | distance[is_pair])
        times.append(frames[:-ahead][is_pair])
    hashes, times = np.concatenate(hashes), np.concatenate(times)
    kept = _first_of_each(times, FAN_OUT)
    return Fingerprint(hashes[kept], times[kept].astype(np.int64))


def _first_of_each(times, count):
    """The indices of the first 2 * `count` pairs that begin in each frame (nearest peaks first)."""
    order = np.argsort(times, kind="stable")
    begins = np.searchsorted(times[order], times[order])
    return order[np.arange(len(order)) - begins < 2 * count]


def repetition(found):
    """The share of a Fingerprint's pairs that recur in it, 0 to 1.

    In songs of the built-in sample: 70 to 85 % for drums, 30 to 50 % for other instruments, 2 % for
    singing.
    """
    order = np.lexsort((found.times, found.hashes))
    hashes, times = found.hashes[order], found.times[order]
    recurs = np.zeros(len(hashes), dtype=bool)
    for ahead in range(1, MAX_SHARED):
        same = (hashes[ahead:] == hashes[:-ahead]) & (times[ahead:] - times[:-ahead] >= MIN_PERIOD)
        recurs[ahead:] |= same
        recurs[:-ahead] |= same
    return float(recurs.mean()) if len(recurs) else 0.0


def matches(prints, similarity, groups=None):
    """Find fingerprints of the same recording.

    Args:
        prints: [Fingerprint].
        similarity: the smallest share of the pairs of the smaller fingerprint that are also in the
            other one, with the same time offset.
        groups: int (prints,); only fingerprints of different groups are compared; None: all are.

    Returns:
        [(i, j, similarity)] with i < j, the most similar first.
    """
    sizes = np.array([len(p.hashes) for p in prints])
    if sizes.sum() == 0:
        return []
    hashes = np.concatenate([p.hashes for p in prints])
    times = np.concatenate([p.times for p in prints])
    owners = np.repeat(np.arange(len(prints)), sizes)
    order = np.lexsort((owners, hashes))
    hashes, times, owners = hashes[order], times[order], owners[order]
    found = {}  # {(i, j): {time offset in frames: number of common pairs}}
    for ahead in range(1, MAX_SHARED):
        same = np.flatnonzero(hashes[ahead:] == hashes[:-ahead])
        if len(same) == 0:
            break
        first, second = owners[same], owners[same + ahead]
        offsets = times[same + ahead] - times[same]
        is_compared = first != second
        if groups is not None:
            is_compared &= groups[first] != groups[second]
        keys = np.stack([first[is_compared], second[is_compared], offsets[is_compared]], axis=1)
        for key, count in zip(*np.unique(keys, axis=0, return_counts=True), strict=True):
            i, j, offset = map(int, key)
            counts = found.setdefault((i, j), {})
            counts[offset] = counts.get(offset, 0) + int(count)
    result = []
    for (i, j), counts in found.items():
        # the recordings may be shifted by a part of a frame, so neighbouring offsets are added
        best = max(counts[o] + counts.get(o + 1, 0) for o in counts)
        share = best / max(1, min(sizes[i], sizes[j]))
        if best >= MIN_COMMON and share >= similarity:
            result.append((i, j, min(1.0, float(share))))
    return sorted(result, key=lambda row: (-row[2], row[0], row[1]))
