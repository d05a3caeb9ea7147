"""WSJ0-2mix and 3mix from a licensed copy of WSJ0 and the published lists."""

import math
from pathlib import Path
from typing import Literal

import numpy as np
import scipy.signal
from tqdm import tqdm

import audio
from errors import UserError, raise_all
from files import write_files

from .convert import sixteen_bits

SPLITS = ("tr", "cv", "tt")
PEAK = 0.9  # of the loudest of mixture and sources


class MixWSJ0:
    """The mixtures of Hershey, Chen, Le Roux and Watanabe 2016, in the folders that WSJ0Mix reads.

    A line of a list, `mix_2_spk_tr.txt` for instance, is `path level path level`, the levels in
    decibels. As in the published scripts: speech is brought to 8 kHz and to the same active level
    (ITU-T P.56), then to its own; cut to the shortest (min) or padded to the longest (max); scaled
    so that the loudest of mixture and sources peaks at 0.9; and written in 16 bits. The 16 kHz
    files take their levels from the 8 kHz ones. Resampling is polyphase (scipy), and levels are
    measured here unless `levels` gives them: the result was not compared with the Matlab scripts'.

    Args:
        lists: the folder with mix_2_spk_tr.txt, mix_2_spk_cv.txt and mix_2_spk_tt.txt (or 3).
        num_speakers: 2 or 3.
        wav: which rates.
        mode: which lengths.
        levels: a text file with "name level" a line: the utterance's file name without ending, and
            its active level as a power; None: they are measured.
    """

    def __init__(
        self,
        lists: str,
        num_speakers: Literal[2, 3] = 2,
        wav: list[str] | None = None,
        mode: list[str] | None = None,
        levels: str | None = None,
    ):
        self.lists, self.num_speakers = Path(lists), num_speakers
        self.wav, self.mode = wav or ["wav8k"], mode or ["min"]
        for name, values, known in (
            ("wav", self.wav, ("wav8k", "wav16k")),
            ("mode", self.mode, ("min", "max")),
        ):
            for value in values:
                if value not in known:
                    raise UserError(f"MixWSJ0: {name} is {value!r}; write {' or '.join(known)}")
        self.levels = None if levels is None else _levels(Path(levels))

    def run(self, source, folder):
        for split in SPLITS:
            problems = {}  # each once: an utterance occurs in many mixtures
            path = self.lists / f"mix_{self.num_speakers}_spk_{split}.txt"
            lines = self._lines(path)
            for number, line in enumerate(tqdm(lines, desc=path.stem, unit="mix", disable=None)):
                try:
                    self._mix(f"{path}:{number + 1}", line, Path(source), folder, split)
                except UserError as error:  # one bad file does not hide the others
                    problems[str(error)] = None
            raise_all(problems)

    def _lines(self, path):
        """[[(path, decibels) of each speaker]] of a list."""
        if not path.is_file():
            raise UserError(
                f"{path}: no such list; it comes with the publisher's scripts "
                "(create-speaker-mixtures.zip): put it there"
            )
        lines = []
        for number, text in enumerate(path.read_text().splitlines()):
            words = text.split()
            try:
                pairs = [(words[i], float(words[i + 1])) for i in range(0, len(words), 2)]
            except (ValueError, IndexError):
                pairs = []
            if len(pairs) != self.num_speakers:
                raise UserError(
                    f"{path}:{number + 1}: expected a path and a level for each of "
                    f"{self.num_speakers} speakers, found {text!r}"
                )
            lines.append(pairs)
        return lines

    def _mix(self, where, line, source, folder, split):
        name = "_".join(f"{Path(path).stem}_{_number(level)}" for path, level in line)
        root = folder / f"{self.num_speakers}speakers"
        places = {(wav, mode): root / wav / mode / split for wav in self.wav for mode in self.mode}
        if all((place / "mix" / f"{name}.wav").exists() for place in places.values()):
            return
        speech = [self._utterance(where, source, path, level) for path, level in line]
        for (wav, mode), place in places.items():
            signals = mixed([voice[wav] for voice in speech], mode)
            rate = {"wav8k": 8000, "wav16k": 16000}[wav]
            files = {f"s{i + 1}": sound for i, sound in enumerate(signals[1:])}
            write_files(
                {
                    place / signal / f"{name}.wav": sixteen_bits(sound[None], rate, "wav", place)
                    for signal, sound in {**files, "mix": signals[0]}.items()
                }
            )

    def _utterance(self, where, source, inner, level):
        """{"wav8k": samples, "wav16k": samples} at its level."""
        path = _located(where, source, inner)
        sound = audio.read(path)
        if sound.shape[0] != 1 or audio.info(path)[0] != 16000:
            raise UserError(f"{path}: expected mono at 16000 Hz, as WSJ0 is")
        sound = sound[0].astype(np.float64)
        low = scipy.signal.resample_poly(sound, 1, 2)
        if self.levels is None:
            power = active_level(low, 8000)
        elif Path(inner).stem in self.levels:
            power = self.levels[Path(inner).stem]
        else:
            raise UserError(f"{where}: the levels have no line for {Path(inner).stem}")
        if power <= 0:
            raise UserError(f"{path}: holds no speech, only silence")
        gain = 10 ** (level / 20) / math.sqrt(power)
        return {"wav8k": gain * low, "wav16k": gain * sound}


def mixed(voices, mode):
    """[mixture, source, source, ...] of equal length ("min" or "max"), peaking at 0.9."""
    lengths = [len(voice) for voice in voices]
    length = min(lengths) if mode == "min" else max(lengths)
    voices = [np.pad(voice[:length], (0, max(0, length - len(voice)))) for voice in voices]
    signals = np.stack([np.sum(voices, axis=0), *voices])
    return signals * (PEAK / np.abs(signals).max())


def active_level(sound, sample_rate):
    """The active speech level of ITU-T P.56, method B, as a power: the mean square of the speech.

    The envelope (two exponential averages of 0.03 s) is compared with thresholds a factor of 2
    apart, each held for 0.2 s; the level is that at which the mean square over the active time is
    15.9 dB above the threshold.
    """
    decay = math.exp(-1 / (0.03 * sample_rate))
    envelope = np.abs(sound)
    for _ in range(2):
        envelope = scipy.signal.lfilter([1 - decay], [1, -decay], envelope)
    energy = float(np.sum(np.square(sound)))
    if energy == 0:
        return 0.0
    held = math.ceil(0.2 * sample_rate)
    above, before = None, None
    for exponent in range(0, -30, -1):  # thresholds from loud to soft
        threshold = 2.0**exponent
        active = _active_samples(envelope >= threshold, held)
        if active == 0:
            continue
        level = 10 * math.log10(energy / active)
        margin = level - 20 * exponent * math.log10(2.0)
        if margin >= 15.9:
            if before is None:
                return 10 ** (level / 10)
            above = (level, margin)
            break
        before = (level, margin)
    if above is None:
        return energy / len(sound)
    share = (15.9 - before[1]) / (above[1] - before[1])
    return 10 ** ((before[0] + share * (above[0] - before[0])) / 10)


def _active_samples(loud, held):
    """How many samples are loud or at most `held` samples after a loud one."""
    places = np.flatnonzero(loud)
    if len(places) == 0:
        return 0
    gaps = np.diff(np.append(places, len(loud)))
    return int(np.minimum(gaps, held + 1).sum())


def _located(where, source, inner):
    inner = Path(inner)
    tries = [source / inner, source / Path(*inner.parts[1:]) if len(inner.parts) > 1 else source]
    for path in tries:
        if path.is_file():
            return path
    compressed = tries[0].with_suffix(".wv1")
    if compressed.is_file():
        raise UserError(
            f"{compressed}: is compressed as the LDC ships it; convert all .wv1 files to .wav "
            "first (sph2pipe -f wav)"
        )
    raise UserError(f"{where}: no {inner} in {source}; name the folder that holds wsj0/ as source")


def _number(value):
    """As Matlab's num2str writes it in the published names: four digits after the first."""
    if value == round(value):
        return str(round(value))
    digits = max(math.floor(math.log10(abs(value))), 0) + 5
    return f"{value:.{digits}g}"


def _levels(path):
    levels = {}
    try:
        for line in path.read_text().splitlines():
            words = line.replace(",", " ").split()
            if len(words) == 2 and words[1] not in ("level", "activlev"):
                levels[Path(words[0]).stem] = float(words[1])
    except (OSError, ValueError) as error:
        raise UserError(f"levels: {path} cannot be read as 'name level' lines ({error})") from error
    return levels
