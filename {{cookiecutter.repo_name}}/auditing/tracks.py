"""Inspects one track: levels, clipping, residual of the mixture, shifts between stems."""

import itertools

import numpy as np
import scipy.signal

import audio
from dataset import Channel
from errors import amount

MIN_PEAK = 0.25  # of full scale: a plateau at a lower peak is not clipping
MAX_SHIFT = 1.0  # seconds; larger shifts of stems are not searched for
COPY_DB = -40.0  # of a source that a gain turns into another one
IMPROVEMENT_DB = 6.0  # a shift or gain explains a residual if it lowers it by this


def inspect(data, index, settings):
    """Inspect a track.

    Args:
        data: a StemDataset.
        index: of the track.
        settings: the section `audit` of a config, with its keys as attributes.

    Returns:
        (facts, findings, sources, mix). facts: plain data with name, song, seconds, sample_rate,
        files, levels_db, loudness and residual_db; findings: [(kind, label or "", text)]; sources:
        (sources, channels, samples) and mix: (channels, samples) at the experiment's rate.

    Raises:
        UserError: a file cannot be read.
    """
    track = data.tracks[index]
    findings = []
    sources = data.excerpt(index)
    mix = data.mix(index, sources=sources)
    levels = dict(zip(data.labels, map(audio.level_db, sources), strict=True))
    for label, level in levels.items():
        if level < settings.silence_db:
            findings.append(("silent", label, f"{label} is silent ({level:.0f} dB)"))
    audible = {
        k: v for k, v in zip(data.labels, sources, strict=True) if levels[k] >= settings.silence_db
    }
    for one, other in itertools.combinations(audible, 2):
        if are_copies(audible[one], audible[other]):
            findings.append(("copy", one, f"{one} and {other} are the same sound"))
    lengths, rates = {}, set()
    for label, files in track.stems.items():
        for file in files:
            path, channel = file if isinstance(file, Channel) else (file, None)
            rate, _, lengths[path] = audio.info(path)
            rates.add(rate)
            sound = audio.read(path)
            level = audio.level_db(sound)
            if len(files) > 1 and level < settings.silence_db:
                text = f"{path.name}, a part of {label}, is silent ({level:.0f} dB)"
                findings.append(("silent", label, text))
            run = longest_plateau(sound, channel)
            if run >= settings.clipped_samples:
                text = f"{path.name} of {label} is clipped ({run} samples in a row at its peak)"
                findings.append(("clipped", label, text))
    if len(set(lengths.values())) > 1 and not data.mixed_when_read:
        text = f"its files have {min(lengths.values())} to {max(lengths.values())} samples"
        findings.append(("length", "", text + "; the shorter ones are followed by silence"))
    facts = {
        "name": track.name,
        "song": track.song,
        "seconds": round(track.length / track.sample_rate, 3),
        "sample_rate": track.sample_rate,
        "files": {
            label: [str(f.path if isinstance(f, Channel) else f) for f in files]
            for label, files in track.stems.items()
        },
        "levels_db": {label: round(level, 1) for label, level in levels.items()},
        "loudness": loudness(data, mix),
        "residual_db": None,
    }
    if track.mix is not None and not data.leaves_out:
        facts["mix"] = str(track.mix)
        own = audio.read_excerpt(track.mix, data.sample_rate, data.num_channels, 0, mix.shape[1])
        residual, text = compare(
            own,
            dict(zip(data.labels, sources, strict=True)),
            data.sample_rate,
            settings.residual_db,
        )
        facts["residual_db"] = None if residual is None else round(residual, 1)
        if text is not None:
            findings.append(("misaligned" if "sample" in text else "residual", "", text))
    return facts, findings, sources, mix


def are_copies(one, other):
    """Are two sources, (channels, samples), the same up to a gain? What differs is below `COPY_DB`
    of them."""
    product, energy = np.vdot(one, other), np.vdot(one, one) * np.vdot(other, other)
    return bool(energy > 0 and 1 - product**2 / energy < 10 ** (COPY_DB / 10))


def longest_plateau(sound, channel=None):
    """The largest number of consecutive samples at the peak of a channel, as clipping leaves.

    Args:
        sound: (channels, samples).
        channel: only this channel, from 0; None: all.

    Returns:
        0 if the peaks are low or single samples.
    """
    longest = 0
    for row in sound if channel is None else sound[channel : channel + 1]:
        peak = np.abs(row).max(initial=0)
        if peak < MIN_PEAK:
            continue
        for sign in (1, -1):
            flat = np.concatenate([[0], (sign * row >= peak * (1 - 1e-4)).astype(np.int8), [0]])
            edges = np.flatnonzero(np.diff(flat))
            longest = max(longest, int((edges[1::2] - edges[::2]).max(initial=0)))
    return longest if longest > 1 else 0


def loudness(data, mix):
    """The loudness of a mixture in LUFS (ITU-R BS.1770-4, by nussl); None: too short or silent."""
    if mix.shape[1] < 0.5 * data.sample_rate or not mix.any():
        return None
    value = float(data._load_audio_from_array(mix).loudness())
    return round(value, 1) if np.isfinite(value) else None


def compare(mix, sources, sample_rate, limit_db):
    """Compare a mixture with the sum of its sources.

    The residual is the power of their difference relative to that of the mixture. If it is above
    `limit_db`, the cause is searched for: a shift of one source or of all of them (by
    cross-correlation), or another level of the mixture.

    Args:
        mix: (channels, samples).
        sources: {label: (channels, samples)}.
        sample_rate: in Hz.
        limit_db: the largest residual that is accepted.

    Returns:
        (residual in dB or None for a silent mixture, problem in words or None).
    """
    power = np.sum(np.square(mix, dtype=np.float64))
    total = sum(sources.values())
    if power == 0:
        return None, "the mixture is silent, and its sources are not" if total.any() else None
    residual = _residual_db(mix - total, power)
    if residual <= limit_db:
        return residual, None
    text = f"mixture minus sources is at {residual:.1f} dB"
    candidates = [("all sources", total, 0.0 * mix)]  # (name, what is shifted, what is not)
    candidates += [(label, sound, total - sound) for label, sound in sources.items()]
    best = None  # (residual after the shift, name, lag)
    for name, sound, others in candidates:
        lag = _lag(mix - others, sound, int(MAX_SHIFT * sample_rate))
        after = _residual_db(mix - others - _shifted(sound, lag), power)
        if lag and after < residual - IMPROVEMENT_DB and (best is None or after < best[0] - 1):
            best = (after, name, lag)
    if best is not None:
        _, name, lag = best
        late = "late" if lag < 0 else "early"
        return residual, f"{text}: {name} come {amount(abs(lag), 'sample')} too {late}"
    gain = float(np.sum(mix * total) / max(np.sum(np.square(total)), 1e-20))
    if _residual_db(mix - gain * total, power) < min(limit_db, residual - IMPROVEMENT_DB):
        return residual, f"{text}: the mixture is {gain:.3f} times the sum of its sources"
    return residual, f"{text}: it is not the sum of its sources"


def _residual_db(sound, power):
    """The energy of a sound relative to `power`, in dB, at least -200."""
    return float(10 * np.log10(max(np.sum(np.square(sound, dtype=np.float64)) / power, 1e-20)))


def _lag(mix, sound, max_lag):
    """The number of samples by which `sound` must be delayed to match its position in `mix`."""
    mix, sound = mix.mean(axis=0), sound.mean(axis=0)
    correlation = scipy.signal.correlate(mix, sound, mode="full", method="fft")
    middle = len(sound) - 1
    max_lag = min(max_lag, middle)
    return int(np.argmax(correlation[middle - max_lag : middle + max_lag + 1])) - max_lag


def _shifted(sound, lag):
    """`sound` (channels, samples) delayed by `lag` samples (advanced if negative), zero-padded."""
    moved = np.zeros_like(sound)
    if lag >= 0:
        moved[:, lag:] = sound[:, : sound.shape[1] - lag]
    else:
        moved[:, :lag] = sound[:, -lag:]
    return moved
