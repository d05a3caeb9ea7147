"""Songs produced like records: sampled instruments, arranged, with doubled voices and mastering."""

import functools

import numpy as np
from scipy.ndimage import uniform_filter1d

from .arrangement import compose_arranged
from .sampled import SampledKit, SampledTimbre
from .song import LEVEL, Song
from .sound import amplitude, num_samples
from .voice import ExpressiveSinger

MIN_SUNG = 0.25  # smallest share of an excerpt in which the voice has a note
SMOOTHING = 0.1  # seconds over which the compressor measures the power
BIT_RATES = (96, 128, 160, 192, 256)  # kbit/s of MP3


class ProducedSong(Song):
    """A song that is played on sampled instruments, arranged and mastered.

    Different instruments play in different sections, with drum fills between them. The voice has
    rests, is up to 10 dB softer than the accompaniment, and doubled in some songs. The stems drums
    and other are slightly saturated. A compressor applies the same gain to all stems, so that they
    still add up to the song. Excerpts that overlap are equal where they do.

    Raises:
        UserError: see `sampled.soundfont`.
    """

    def __init__(self, split, number, seed=0, seconds=84.0):
        super().__init__(split, number, seed, seconds)
        rng = np.random.default_rng([*self.key, 3])
        levels = {"drums": rng.uniform(-6, 3), "bass": rng.uniform(-8, 0), "other": 0.0}
        whole = np.sqrt(sum(amplitude(level) ** 2 for level in levels.values()))
        self.levels = {stem: LEVEL * amplitude(level) / whole for stem, level in levels.items()}
        self.levels["vocals"] = LEVEL * amplitude(rng.uniform(-10, 1))
        self.double = (amplitude(rng.uniform(-14, -4)), rng.uniform(-0.8, 0.8))
        self.is_doubled = rng.random() < 0.4
        self.drives = {stem: rng.uniform(0, 1.5) for stem in ("drums", "other")}
        self.threshold, self.ratio = LEVEL * amplitude(rng.uniform(-3, 6)), rng.uniform(1, 4)
        rng = np.random.default_rng([*self.key, 5])
        self.kilobits = int(rng.choice(BIT_RATES)) if rng.random() < 0.3 else None

    def _compose(self, rng, split, seconds):
        return compose_arranged(rng, split, seconds)

    @functools.cached_property
    def _timbres(self):
        return {part: SampledTimbre(number, part) for part, number in self.lines.items()}

    @functools.cached_property
    def _sounds(self):
        return SampledKit(self.kit).sounds

    @functools.cached_property
    def _singers(self):
        return ExpressiveSinger(self.singer_number), ExpressiveSinger(self.backing_number)

    def _voices(self):
        yield from super()._voices()
        if self.is_doubled:
            level, place = self.double
            yield self._singers[0], self.score.phrases, level, place, 1

    def excerpts(self, seconds, count):
        """As `Song.excerpts`, but chosen at random among the excerpts in which the voice sings."""
        starts, sung = self._sung(seconds)
        chosen = np.flatnonzero(sung >= MIN_SUNG)
        if len(chosen) < count:
            return super().excerpts(seconds, count)[0], False
        rng = np.random.default_rng([*self.key, 4])
        return np.sort(starts[rng.permutation(chosen)[:count]]), True

    def render(self, start=0.0, seconds=None):
        """As `Song.render`."""
        seconds = self.length - start if seconds is None else seconds
        margin = num_samples(SMOOTHING)  # the compressor depends on the audio before and after
        around = margin / num_samples(1)
        stems = super().render(start - around, seconds + 2 * around)
        for stem, drive in self.drives.items():
            unit = 4 * self.levels[stem]
            if drive > 0.1:
                stems[stem] = unit / drive * np.tanh(drive * stems[stem] / unit)
        gain = self._gain(sum(stems.values()))[:, None]
        return {stem: (gain * sound)[margin:-margin] for stem, sound in stems.items()}

    def _gain(self, mixture):
        """The gain of the compressor for all stems, (samples,); mixture: (samples, 2)."""
        power = uniform_filter1d(np.mean(mixture**2, axis=1), 2 * num_samples(SMOOTHING) - 1)
        over = np.maximum(power / self.threshold**2, 1.0)
        return over ** (-0.5 * (1 - 1 / self.ratio))
