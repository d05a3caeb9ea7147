"""Which stretch of which tracks is trained on, and what is done to it.

All is drawn from one generator, so that the same generator gives the same excerpt: in any process,
and after an interruption.
"""

import librosa
import numpy as np
import scipy.fft
import scipy.signal

import audio

TRIES = 10  # so many stretches are drawn while one is silent
PREDELAY = (0.005, 0.03)  # seconds from the direct sound to a room's reverberation
BANDS = 62.5 * 2.0 ** np.arange(0, 9)  # Hz; an equaliser's gain is drawn for each


def draw(data, index, length, rng, augment=None):
    """An excerpt of the track at `index`: (mix, sources, name).

    Args:
        data: a dataset of ours.
        length: in samples.
        rng: numpy's Generator.
        augment: the keys of `datasets.train.augment` as attributes, or None.

    Returns:
        mix: float32 (channels, samples), the sum of the sources, and of what else the track's own
        mixture holds if it is a file; sources: float32 (sources, channels, samples); name: of the
        track, or of the tracks ("a + b").
    """
    if augment is None:
        return data.draw(index, length, rng)
    warp = _Warp(augment, length, rng)
    mix, sources, name = _loud_enough(data, index, warp.taken, rng, augment)
    rest = mix - sources.sum(axis=0)  # zero, but for what a mixture file holds beside the sources
    sources = warp(sources, data.sample_rate)
    rest = warp(rest, data.sample_rate) if data.mixture == "file" else np.zeros_like(sources[0])
    sources = _mixed_anew(sources, augment, data, rng)
    if augment.mp3 is not None and rng.random() < augment.mp3.probability:
        rate, kilobits = data.sample_rate, float(2 ** rng.uniform(*np.log2(augment.mp3.kilobits)))
        sources = np.stack([audio.mp3_round_trip(sound, rate, kilobits) for sound in sources])
        if rest.any():
            rest = audio.mp3_round_trip(rest, rate, kilobits)
    return sources.sum(axis=0) + rest, sources, name


def _start(data, index, length, rng):
    spare = data.length_of(index) - length
    return int(rng.integers(spare + 1)) if spare > 0 else 0


def _loud_enough(data, index, length, rng, plan):
    """(mix, sources, name) of a stretch in which no source is silent, or of the best one drawn."""
    # a dataset that mixes clips when they are read has no sources that belong together
    incoherent = rng.random() < plan.incoherent and not data.mixed_when_read
    best, loudest = None, -np.inf
    for _ in range(TRIES):
        if incoherent:
            drawn = _of_several(data, index, length, rng)
        else:
            drawn = data.draw(index, length, rng)
        if plan.silence_db is None:
            return drawn
        level = audio.level_db(drawn[1], axis=(1, 2)).min()
        if best is None or level > loudest:
            best, loudest = drawn, level
        if level >= plan.silence_db:
            break
    return best


def _of_several(data, index, length, rng):
    """The first source, and what the mixture holds beside sources, of the track at `index`; each
    other source of a track drawn for it, of another song where there is one."""
    start = _start(data, index, length, rng)
    own = data.excerpt(index, start, length)
    rest = data.mix(index, start, length, own) - own.sum(axis=0)
    sources, names, songs = [own[0]], [data.tracks[index].name], {_song(data, index)}
    for label in data.labels[1:]:
        for _ in range(TRIES):
            other = int(rng.integers(len(data)))
            if _song(data, other) not in songs:
                break
        songs.add(_song(data, other))
        names.append(data.tracks[other].name)
        start = _start(data, other, length, rng)
        sources.append(data.excerpt(other, start, length, labels=[label])[0])
    sources = np.stack(sources)
    return sources.sum(axis=0) + rest, sources, " + ".join(names)


def _song(data, index):
    return data.tracks[index].song or data.tracks[index].name


def _mixed_anew(sources, plan, data, rng):
    """The sources with their timbres, rooms, channels, signs and levels drawn."""
    if plan.equalizer_db:
        sources = _equalized(sources, plan.equalizer_db, data.sample_rate, rng)
    for number in range(len(sources)):
        if plan.reverb is not None and rng.random() < plan.reverb.probability:
            sources[number] = _in_a_room(sources[number], plan.reverb, data.sample_rate, rng)
        if rng.random() < plan.swap_channels:
            sources[number] = sources[number][::-1].copy()
        if rng.random() < plan.flip_polarity:
            sources[number] = -sources[number]
    gains = _gains_db(sources, plan, data.labels, rng)
    return sources * (10 ** (gains / 20)).astype(np.float32)[:, None, None]


def _gains_db(sources, plan, labels, rng):
    """The gain of each source in dB: (sources,)."""
    gains = np.zeros(len(sources))
    bounds = plan.gain_db or plan.snr_db
    if bounds is not None:
        gains = rng.uniform(*bounds, size=len(sources))
    if plan.snr_db is not None:
        levels = audio.level_db(sources, axis=(1, 2))
        audible = levels > -120  # silence stays silence
        # all to the mean level of the audible sources, so that the mixture keeps its level
        gains = np.where(
            audible, gains + (levels[audible].mean() if audible.any() else 0) - levels, 0
        )
    for label, (least, most) in (plan.source_gain_db or {}).items():
        gains[labels.index(label)] += rng.uniform(least, most)
    return gains


def _equalized(sources, most_db, sample_rate, rng):
    """Each source with gains of up to ±`most_db` at octaves, straight lines in dB between them."""
    length = sources.shape[-1]
    padded = _padded(length, sample_rate)
    spectrum = scipy.fft.rfft(sources, padded, axis=-1)
    octaves = np.log2(np.maximum(scipy.fft.rfftfreq(padded, 1 / sample_rate), 1.0))
    gains_db = rng.uniform(-most_db, most_db, (len(sources), len(BANDS)))
    curves = np.stack([np.interp(octaves, np.log2(BANDS), gains) for gains in gains_db])
    spectrum *= (10 ** (curves / 20)).astype(np.float32)[:, None]
    return scipy.fft.irfft(spectrum, padded, axis=-1)[..., : sources.shape[-1]]


def _in_a_room(sound, plan, sample_rate, rng):
    """A source (channels, samples) with the late reverberation of a room drawn for it: white noise
    that decays exponentially, another in each channel (Moorer, "About this reverberation business",
    Computer Music Journal 1979)."""
    rt60 = rng.uniform(*plan.rt60)
    delay = int(rng.uniform(*PREDELAY) * sample_rate)
    count = min(int(rt60 * sample_rate), sound.shape[1])
    decay = 10 ** (-3 * np.arange(count) / (rt60 * sample_rate))
    response = np.zeros((len(sound), delay + count))
    response[:, delay:] = rng.standard_normal((len(sound), count)) * decay
    energy = np.square(response).sum(axis=1, keepdims=True)
    response *= np.sqrt(10 ** (rng.uniform(*plan.wet_db) / 10) / np.maximum(energy, 1e-12))
    wet = scipy.signal.oaconvolve(sound, response.astype(np.float32), axes=1)
    return sound + wet[:, : sound.shape[1]]


def _padded(length, sample_rate):
    """A length of FFTs in which the end of a sound does not meet its start."""
    return scipy.fft.next_fast_len(length + sample_rate // 10, real=True)


class _Warp:
    """A change of pitch and speed, each by itself (librosa's phase vocoder) or both (resampling),
    and of the bandwidth, the same for all sources.

    taken: how many samples have to be read to give `length`.
    """

    def __init__(self, plan, length, rng):
        self.length, self.stretch, self.semitones, self.speed = length, 1.0, 0.0, 1.0
        stretch, shift = plan.time_stretch, plan.pitch_shift
        if stretch is not None and rng.random() < stretch.probability:
            self.stretch = float(rng.uniform(*stretch.speed))
        if shift is not None and rng.random() < shift.probability:
            self.semitones = float(rng.uniform(*shift.semitones))
        self.cutoff = None
        if plan.low_pass is not None and rng.random() < plan.low_pass.probability:
            self.cutoff = float(2 ** rng.uniform(*np.log2(plan.low_pass.hertz)))
        if plan.speed is not None and rng.random() < plan.speed.probability:
            self.speed = float(rng.uniform(*plan.speed.factor))
        self.taken = int(np.ceil(length * self.stretch * self.speed))

    def __call__(self, sound, sample_rate):
        if self.speed != 1.0:
            channels = audio.convert(sound.reshape(-1, sound.shape[-1]), self.speed, 1.0)
            sound = channels.reshape(*sound.shape[:-1], -1)
        if self.stretch != 1.0:
            sound = librosa.effects.time_stretch(sound, rate=self.stretch)
        if self.semitones:
            sound = librosa.effects.pitch_shift(sound, sr=sample_rate, n_steps=self.semitones)
        sound = librosa.util.fix_length(sound, size=self.length).astype(np.float32)
        return sound if self.cutoff is None else _low_passed(sound, self.cutoff, sample_rate)


def _low_passed(sound, cutoff, sample_rate):
    """Nothing above `cutoff` hertz, as in audio of a lower rate: 60 dB down at 1.1 times it."""
    padded = _padded(sound.shape[-1], sample_rate)
    hertz = scipy.fft.rfftfreq(padded, 1 / sample_rate)
    slope_db = np.clip((hertz / cutoff - 1) * 600, 0, 200)
    spectrum = scipy.fft.rfft(sound, padded, axis=-1)
    spectrum *= (10 ** (-slope_db / 20)).astype(np.float32)
    return scipy.fft.irfft(spectrum, padded, axis=-1)[..., : sound.shape[-1]]
