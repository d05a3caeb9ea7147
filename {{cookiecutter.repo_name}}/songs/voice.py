"""The synthesised singers of the built-in songs.

A source-filter model of the voice (Fant 1960): glottal pulses with vibrato, scoops, portamento and
jitter are filtered by five formants that move between vowels and consonants. A singer's number
determines vocal tract, range, tone and style; each split has its own numbers.
"""

import numpy as np
from scipy.signal import istft, stft

from .sound import SAMPLE_RATE, amplitude, hertz, num_samples

SINGERS = {"train": range(0, 60), "val": range(60, 72), "test": range(72, 102)}

HOP = 256  # samples between frames of pitch, loudness and formants
WINDOW = 1024
REACH = 5  # frames before and after a phrase, for its first consonant and its last release

# formant frequencies in Hz of an average adult vocal tract
VOWELS = {
    "a": (800, 1200, 2600, 3500, 4500),
    "e": (500, 1850, 2550, 3500, 4500),
    "i": (300, 2250, 3000, 3600, 4600),
    "o": (480, 880, 2500, 3350, 4400),
    "u": (330, 780, 2350, 3300, 4300),
    "E": (640, 1700, 2500, 3500, 4500),
    "A": (650, 1050, 2450, 3300, 4400),
    "y": (310, 1750, 2200, 3300, 4400),
    "@": (520, 1400, 2450, 3400, 4400),
}
NASAL = (260, 1100, 2300, 3300, 4300)
LIQUIDS = ((340, 1150, 1700, 3300, 4300), (340, 1150, 2700, 3300, 4300))
FORMANT_LEVELS = np.array((0.85, 1.35, 1.4, 1.0, 0.7))
CONSONANTS = ("none", "stop", "fricative", "nasal", "liquid", "voiced stop")


class Singer:
    """A singer. What `sing` returns begins `lead_in` samples before the phrase."""

    reach = REACH

    @property
    def lead_in(self):
        return self.reach * HOP

    def __init__(self, number):
        rng = np.random.default_rng([8009, number])
        self.number = number
        high = number % 2 == 0
        self.tract = rng.uniform(1.06, 1.24) if high else rng.uniform(0.88, 1.06)
        self.tessitura = rng.uniform(62, 70) if high else rng.uniform(49, 59)  # middle MIDI pitch
        self.tilt = rng.uniform(2.0, 7.5)  # dB per octave relative to the spectrum of the pulses
        self.open_quotient = rng.uniform(0.45, 0.75)
        self.breath = amplitude(rng.uniform(-28, -12))
        self.vibrato = (rng.uniform(4.6, 6.8), rng.uniform(0.05, 0.6), rng.uniform(0.08, 0.4))
        self.jitter = rng.uniform(0.003, 0.015)
        self.shimmer = rng.uniform(0.02, 0.12)
        self.ring = amplitude(rng.uniform(-2, 7))  # level of the singer's formant
        self.accent = rng.normal(1.0, 0.06, (len(VOWELS), 5))
        self.bandwidth = rng.uniform(0.8, 1.5)
        self.favourites = [sorted(VOWELS)[i] for i in rng.permutation(len(VOWELS))[:6]]
        self.diction = rng.dirichlet(np.full(len(CONSONANTS), 2.0))
        self.glide = rng.uniform(0.03, 0.1)  # seconds of portamento
        self.scoop = rng.uniform(0.2, 1.4)  # semitones by which notes may start too low

    def transposition(self, pitches):
        """Semitones (whole octaves) by which a melody is transposed to the singer's range."""
        return 12 * round((self.tessitura - float(np.median(pitches))) / 12)

    def sing(self, phrase, rng):
        """Sing a phrase, [Note], at unit power: (samples,)."""
        origin = phrase[0].start
        frames = int(np.ceil(num_samples(phrase[-1].end - origin) / HOP)) + 2 * self.reach + 1
        tracks = _Tracks(frames)
        for note in phrase:
            first = self.reach + int(round(num_samples(note.start - origin) / HOP))
            last = self.reach + int(
                round(num_samples(note.start + 0.97 * note.length - origin) / HOP)
            )
            if last - first >= 4:
                self._write_syllable(tracks, first, last, note, rng)
        return self._sound(tracks, rng)

    def _write_syllable(self, tracks, first, last, note, rng):
        """Write a note with a random consonant and vowel to the frames `first` to `last`."""
        span = last - first
        frame = np.arange(span)
        time = frame * HOP / SAMPLE_RATE
        tracks.formants[first:last] = self._vowels(span, rng)
        loudness = note.velocity * np.minimum(1, (frame + 1) / 6)
        loudness = loudness * np.minimum(1, (span - frame) / 10)
        loudness *= 1 - 0.3 * frame / span
        onset = max(2, min(num_samples(rng.uniform(0.05, 0.12)) // HOP, span // 3))
        consonant = CONSONANTS[rng.choice(len(CONSONANTS), p=self.diction)]
        noise = np.zeros(span)
        if consonant == "stop":
            loudness[:onset] = 0
            noise[max(0, onset - 3) : onset] = 0.5 * note.velocity
            tracks.noise_cut[first:last] = rng.choice((1500, 3500, 5000))
        elif consonant == "fricative":
            loudness[:onset] *= 0.05
            noise[:onset] = note.velocity * rng.uniform(0.2, 0.6) * np.hanning(onset + 2)[1:-1]
            tracks.noise_cut[first:last] = rng.choice((2000, 3500, 5000))
        elif consonant == "nasal":
            loudness[:onset] *= 0.4
            tracks.formants[first : first + onset] = np.array(NASAL) * self.tract
        elif consonant == "liquid":
            loudness[:onset] *= 0.6
            tracks.formants[first : first + onset] = np.array(LIQUIDS[rng.integers(2)]) * self.tract
        elif consonant == "voiced stop":
            loudness[: onset // 2] *= 0.1
            noise[max(0, onset // 2 - 2) : onset // 2] = 0.25 * note.velocity
        tracks.loudness[first:last], tracks.noise[first:last] = loudness, noise
        rate, depth, delay = self.vibrato
        vibrato = depth * np.clip((time - delay) / 0.3, 0, 1)
        vibrato = vibrato * np.sin(2 * np.pi * rate * time + rng.uniform(0, 6))
        scoop = rng.uniform(0, self.scoop) * np.exp(-time / 0.05)
        drift = 0.12 * np.cumsum(rng.standard_normal(span)) / np.sqrt(span)
        tracks.pitch[first:last] = note.pitch + vibrato - scoop + drift + rng.normal(0, 0.07)

    def _vowels(self, span, rng):
        """The formants in Hz of a vowel or a diphthong: (span, 5)."""
        keys = sorted(VOWELS)

        def formants(vowel):
            return np.array(VOWELS[vowel]) * self.tract * self.accent[keys.index(vowel)]

        first, second = (self.favourites[i] for i in rng.integers(len(self.favourites), size=2))
        if rng.random() > 0.3:
            return np.tile(formants(first), (span, 1))
        turn = np.clip((np.arange(span) / span - 0.5) / 0.35, 0, 1)[:, None]
        return (1 - turn) * formants(first) + turn * formants(second)

    def _sound(self, tracks, rng):
        """Synthesise the tracks: (samples,)."""
        count = tracks.frames * HOP
        pitch, formants = tracks.smoothed(self.glide)
        at = np.arange(count) / HOP
        frame = np.arange(tracks.frames)
        wobble = np.interp(at / 2, frame, rng.standard_normal(tracks.frames))
        frequency = hertz(np.interp(at, frame, pitch)) * (1 + self.jitter * wobble)
        shimmer = 1 + self.shimmer * np.interp(at, frame, rng.standard_normal(tracks.frames))
        loudness = np.interp(at, frame, tracks.loudness) * shimmer
        # Rosenberg's pulse: the flow rises, then closes; its derivative excites the vocal tract
        position = (np.cumsum(frequency) / SAMPLE_RATE) % 1.0 / self.open_quotient
        flow = np.where(position < 1, np.sin(np.pi * np.minimum(position, 1)) ** 2 * position, 0.0)
        pulses = np.diff(flow, prepend=0) * SAMPLE_RATE / frequency * 0.4
        voiced = loudness * (pulses + self.breath * rng.standard_normal(count) * (0.5 + flow))
        hiss = rng.standard_normal(count) * np.interp(at, frame, tracks.noise)
        hz, times, voiced_frames = stft(voiced, SAMPLE_RATE, nperseg=WINDOW, noverlap=WINDOW - HOP)
        _, _, hiss_frames = stft(hiss, SAMPLE_RATE, nperseg=WINDOW, noverlap=WINDOW - HOP)
        here = np.minimum(np.round(times * SAMPLE_RATE / HOP).astype(int), tracks.frames - 1)
        response = self._tract_response(hz, formants[here], tracks.loudness[here])
        hiss_response = 1 / (1 + (tracks.noise_cut[here] / np.maximum(hz[:, None], 1)) ** 4)
        hiss_response /= 1 + (hz[:, None] / 13000) ** 4

        def back(frames):
            return istft(frames, SAMPLE_RATE, nperseg=WINDOW, noverlap=WINDOW - HOP)[1][:count]

        voiced = back(voiced_frames * response)
        sound = voiced / (_active_level(voiced) or 1.0)
        consonants = back(hiss_frames * hiss_response)
        return sound + self._noise_gain(consonants) * consonants if hiss.any() else sound

    def _noise_gain(self, consonants):
        """The gain of consonants; the voice has unit power."""
        return 0.6 / (np.abs(consonants).max() + 1e-9)

    def _tract_response(self, hz, formants, loudness):
        """The frequency response of the vocal tract, (bins, frames): five resonances, the singer's
        formant, and a tilt, which makes louder frames brighter."""
        hz = hz[:, None]
        response = np.zeros((len(hz), len(formants)))
        for k, level in enumerate(FORMANT_LEVELS * (1, 1, self.ring, self.ring, 1)):
            centre = formants[:, k][None]
            width = self.bandwidth * (60 + 0.06 * centre)
            response += level / (1 + ((hz - centre) / width) ** 2) ** 0.7
        octaves = np.log2(np.maximum(hz, 300) / 300)
        effort = self.tilt + 2.0 * (loudness[None] - 0.6)
        response *= amplitude(np.minimum(octaves * effort, 18))
        return response / (1 + (hz / 11000) ** 4) * (hz > 70)


class ExpressiveSinger(Singer):
    """A singer with audible breaths, consonants at the ends of syllables, and a wide dynamic range
    of notes and phrases. Sibilants and formants around 2 kHz are as strong as in records."""

    reach = 70  # frames, for a breath before the phrase

    def __init__(self, number):
        super().__init__(number)
        rng = np.random.default_rng([8011, number])
        self.breath = amplitude(rng.uniform(-36, -14))
        self.sibilance = amplitude(rng.uniform(-8, 4))  # level of consonants relative to the voice
        self.inhaling = amplitude(rng.uniform(-30, -14))
        self.presence = amplitude(rng.uniform(-3, 7))
        self.codas = rng.uniform(0.1, 0.6)  # probability that a syllable ends with a consonant
        self.range = rng.uniform(6, 16)  # dB between soft and loud notes

    def sing(self, phrase, rng):
        soft = rng.uniform(0, 0.5) * self.range
        shape = rng.uniform(-0.3, 0.3) * self.range  # dB by which the level rises over the phrase
        start, length = phrase[0].start, phrase[-1].end - phrase[0].start
        notes = []
        for note in phrase:
            level = shape * ((note.start - start) / length - 0.5) - soft
            level -= 0.5 * self.range * rng.random() ** 2
            notes.append(note._replace(velocity=note.velocity * amplitude(level)))
        return super().sing(notes, rng) * amplitude(-soft)

    def _write_syllable(self, tracks, first, last, note, rng):
        if not tracks.loudness.any() and rng.random() < 0.7:
            span = slice(first - num_samples(rng.uniform(0.15, 0.35)) // HOP - 8, first - 8)
            tracks.noise[span] = self.inhaling * np.hanning(span.stop - span.start + 2)[1:-1]
            tracks.noise_cut[span] = rng.uniform(700, 1500)
        super()._write_syllable(tracks, first, last, note, rng)
        coda = num_samples(rng.uniform(0.03, 0.1)) // HOP
        if rng.random() < self.codas and last - first > 3 * coda + 8:
            end = slice(last - coda, last)
            tracks.loudness[end] *= 0.05
            tracks.noise[end] = note.velocity * rng.uniform(0.1, 0.6)
            tracks.noise_cut[end] = rng.choice((1500, 3500, 5000))

    def _noise_gain(self, consonants):
        return self.sibilance

    def _tract_response(self, hz, formants, loudness):
        lifted = np.exp(-0.5 * (np.log2(np.maximum(hz, 50) / 2000) / 0.5) ** 2)[:, None]
        return super()._tract_response(hz, formants, loudness) * self.presence**lifted


class _Tracks:
    """The parameters of a voice over time, with one value for each frame of `HOP` samples."""

    def __init__(self, frames):
        self.frames = frames
        self.pitch = np.full(frames, np.nan)
        self.loudness = np.zeros(frames)
        self.noise = np.zeros(frames)
        self.noise_cut = np.full(frames, 4000.0)
        self.formants = np.tile(np.array(VOWELS["@"], float), (frames, 1))

    def smoothed(self, glide):
        """(pitch, formants), smoothed over `glide` seconds and 41 ms; rests are interpolated."""
        sung = np.flatnonzero(~np.isnan(self.pitch))
        pitch = np.full(self.frames, 60.0)
        if len(sung):
            pitch = np.interp(np.arange(self.frames), sung, self.pitch[sung])
        width = max(3, int(glide * SAMPLE_RATE / HOP) | 1)
        kernel = np.hanning(width + 2)[1:-1]
        pitch = np.convolve(np.pad(pitch, width // 2, "edge"), kernel / kernel.sum(), "valid")
        mouth = np.ones(7) / 7
        formants = [np.convolve(np.pad(f, 3, "edge"), mouth, "valid") for f in self.formants.T]
        return pitch, np.stack(formants, axis=1)


def _active_level(sound):
    """The RMS of the 20 ms blocks whose levels are within 25 dB of the loudest one."""
    block = num_samples(0.02)
    power = np.mean(sound[: len(sound) // block * block].reshape(-1, block) ** 2, axis=1)
    active = power[power > power.max() * amplitude(-25) ** 2] if len(power) else power
    return np.sqrt(active.mean()) if len(active) else 0.0
