"""Makes WSJ0-2mix and WSJ0-3mix from a licensed copy of WSJ0 and the published lists."""

import math
from pathlib import Path
from typing import Literal

import numpy as np
import scipy.signal
from tqdm import tqdm

import audio
from errors import UserError, raise_all
from files import write_files

from .convert import encode_16_bit

SPLITS = ("tr", "cv", "tt")
PEAK = 0.9  # of full scale: the highest peak of a mixture and its sources


class MixWSJ0:
    """Make the mixtures of Hershey, Chen, Le Roux and Watanabe 2016, in WSJ0Mix's folders.

    Lines of the lists, such as `mix_2_spk_tr.txt`, are `path level path level`, with levels in dB.
    As in the published scripts, utterances are resampled to 8 kHz, normalised to the same active
    speech level (ITU-T P.56) and scaled by their levels. They are cut to the shortest (min) or
    padded to the longest (max), scaled so that the highest peak of mixture and sources is 0.9, and
    written with 16 bits. The 16 kHz files use the levels measured at 8 kHz. Resampling is polyphase
    (scipy), and levels are measured here unless `levels` is given: the result was not compared with
    that of the Matlab scripts.

    Args:
        lists: the folder with mix_2_spk_tr.txt, mix_2_spk_cv.txt and mix_2_spk_tt.txt (or 3).
        num_speakers: 2 or 3.
        wav: the sample rates: a list of wav8k and wav16k; None: wav8k.
        mode: the lengths: a list of min and max; None: min.
        levels: a text file with a line "name level" for each utterance: its file name without
            suffix, and its active level as a power; None: levels are measured.
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
            problems = {}  # {message: None}: an utterance occurs in many mixtures
            path = self.lists / f"mix_{self.num_speakers}_spk_{split}.txt"
            lines = self._lines(path)
            for number, line in enumerate(tqdm(lines, desc=path.stem, unit="mix", disable=None)):
                try:
                    self._mix(f"{path}:{number + 1}", line, Path(source), folder, split)
                except UserError as error:  # collected, so that all bad files are named
                    problems[str(error)] = None
            raise_all(problems)

    def _lines(self, path):
        """[[(path, level in dB) of each speaker] of each mixture] of a list."""
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
        if not lines:
            raise UserError(f"{path}: is empty; get it again from the publisher's scripts")
        return lines

    def _mix(self, where, line, source, folder, split):
        """Write the files of one mixture unless they exist. where: in the list, for messages."""
        name = "_".join(f"{Path(path).stem}_{_number(level)}" for path, level in line)
        root = folder / f"{self.num_speakers}speakers"
        places = {(wav, mode): root / wav / mode / split for wav in self.wav for mode in self.mode}
        if all((place / "mix" / f"{name}.wav").exists() for place in places.values()):
            return
        speech = [self._utterance(where, source, path, level) for path, level in line]
        for (wav, mode), place in places.items():
            mixture, *sources = mix([voice[wav] for voice in speech], mode)
            rate = {"wav8k": 8000, "wav16k": 16000}[wav]
            signals = {f"s{i + 1}": sound for i, sound in enumerate(sources)} | {"mix": mixture}
            write_files(
                {
                    place / signal / f"{name}.wav": encode_16_bit(sound[None], rate, "wav", place)
                    for signal, sound in signals.items()
                }
            )

    def _utterance(self, where, source, relative, level):
        """{"wav8k", "wav16k": float64 (samples,)} of an utterance, scaled to its level in dB."""
        path = _find_utterance(where, source, relative)
        sound = audio.read(path)
        if sound.shape[0] != 1 or audio.info(path)[0] != 16000:
            raise UserError(f"{path}: expected mono at 16000 Hz, as WSJ0 is")
        sound = sound[0].astype(np.float64)
        low = scipy.signal.resample_poly(sound, 1, 2)
        if self.levels is None:
            power = active_level(low, 8000)
        elif Path(relative).stem in self.levels:
            power = self.levels[Path(relative).stem]
        else:
            raise UserError(f"{where}: the levels have no line for {Path(relative).stem}")
        if power <= 0:
            raise UserError(f"{path}: holds no speech, only silence")
        gain = 10 ** (level / 20) / math.sqrt(power)
        return {"wav8k": gain * low, "wav16k": gain * sound}


def mix(voices, mode):
    """Mix utterances, and scale mixture and sources to a highest peak of 0.9.

    Args:
        voices: [(samples,)].
        mode: "min": all are cut to the shortest; "max": all are padded to the longest.

    Returns:
        (1 + sources, samples): the mixture, then the sources.
    """
    lengths = [len(voice) for voice in voices]
    length = min(lengths) if mode == "min" else max(lengths)
    voices = [np.pad(voice[:length], (0, max(0, length - len(voice)))) for voice in voices]
    signals = np.stack([np.sum(voices, axis=0), *voices])
    return signals * (PEAK / np.abs(signals).max())


def active_level(sound, sample_rate):
    """The active speech level of ITU-T P.56, method B, as a power (mean square).

    The envelope (two exponential averages with a time constant of 0.03 s) is compared with
    thresholds that differ by factors of 2, with a hangover time of 0.2 s. The active level is the
    one at which the mean square over the active time is 15.9 dB above the threshold.

    Args:
        sound: (samples,).
        sample_rate: in Hz.
    """
    decay = math.exp(-1 / (0.03 * sample_rate))
    envelope = np.abs(sound)
    for _ in range(2):
        envelope = scipy.signal.lfilter([1 - decay], [1, -decay], envelope)
    energy = float(np.sum(np.square(sound)))
    if energy == 0:
        return 0.0
    hangover = math.ceil(0.2 * sample_rate)
    above, before = None, None
    for exponent in range(0, -30, -1):  # thresholds from loud to soft
        threshold = 2.0**exponent
        active = _active_samples(envelope >= threshold, hangover)
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


def _active_samples(loud, hangover):
    """The number of samples that are loud or at most `hangover` samples after a loud one."""
    places = np.flatnonzero(loud)
    if len(places) == 0:
        return 0
    gaps = np.diff(np.append(places, len(loud)))
    return int(np.minimum(gaps, hangover + 1).sum())


def _find_utterance(where, source, relative):
    """The path of an utterance; `source` may be the folder that contains wsj0/, or wsj0/ itself."""
    relative = Path(relative)
    parts = relative.parts
    tries = [source / relative, source / Path(*parts[1:]) if len(parts) > 1 else source]
    for path in tries:
        if path.is_file():
            return path
    compressed = tries[0].with_suffix(".wv1")
    if compressed.is_file():
        raise UserError(
            f"{compressed}: is compressed as the LDC ships it; convert all .wv1 files to .wav "
            "first (sph2pipe -f wav)"
        )
    raise UserError(
        f"{where}: no {relative} in {source}; name the folder that holds wsj0/ as source"
    )


def _number(value):
    """A number as Matlab's num2str writes it, as in the published names of files."""
    if value == round(value):
        return str(round(value))
    digits = max(math.floor(math.log10(abs(value))), 0) + 5
    return f"{value:.{digits}g}"


def _levels(path):
    """{name: power} of a file with lines "name level"."""
    levels = {}
    try:
        for line in path.read_text().splitlines():
            words = line.replace(",", " ").split()
            if len(words) == 2 and words[1] not in ("level", "activlev"):
                levels[Path(words[0]).stem] = float(words[1])
    except (OSError, ValueError) as error:
        raise UserError(f"levels: {path} cannot be read as 'name level' lines ({error})") from error
    return levels
