"""Mixtures of speakers from any folder of recordings, mixed when they are read."""

import itertools
from typing import Literal

import numpy as np

import audio
from errors import UserError, amount, raise_all

from . import rooms
from .base import StemDataset
from .folders import audio_files_below, folders, pattern_of, plain
from .splitting import SPLITS, divided
from .tracks import Track, log
from .voices import Clip, Manner, voice

SHORTEST = 0.2  # seconds: a shorter clip is not used


class SpeakerFolder(StemDataset):
    """Two or more speakers at once, from recordings of single speakers::

        folder/
          train/                      train, val and test; or none of them, see `fractions`
            anna/                     a folder a speaker, with files at any depth
              1.wav  chapter2/2.flac
            bob/  ...
          val/   carla/  dora/        speakers of one split are in no other
          test/  emil/  frank/

    WAV, FLAC, OGG, MP3 and AIFF of any rate and number of channels, under your own license; nothing
    is written. In train every excerpt is mixed anew (dynamic mixing): a speaker and a clip by the
    place of the excerpt, the others drawn, so that no two epochs have the same mixtures. In val and
    test, mixtures are the same each time: all that is drawn depends on `seed`, the split and the
    number of the mixture. The sources are speaker1, speaker2, ..., and the mixture is their sum.

    Silence before and after a clip is cut off. Every voice is brought to one level where it speaks,
    -25 dB of full scale, and then raised by a number of dB drawn from `level_db`.

    Args:
        folder: as above.
        split: "train", "val" or "test".
        num_speakers: in a mixture, 2 to 9.
        speaker: a regular expression with one group, searched for in the path of a file below the
            folder of its split: the group is the speaker's name; files without a match are left
            out. None: the name of the first folder in that path.
        fractions: without folders `train`, `val` and `test`: the fractions of the speakers that are
            for val and test, by default {val: 0.1, test: 0.1}, drawn by `seed`.
        num_mixtures: of this split; in train it only decides the size of an epoch that has no
            `excerpts_per_epoch`. None: one for each clip, or with `seconds` as many as the audio
            fills.
        seconds: of each mixture; clips of a speaker follow each other, with pauses, until it is
            filled. None: as long as clips are. (In train, excerpts are as long as `train.segment`.)
        mode: "min": all speak from beginning to end, and a mixture is as long as its shortest clip;
            if a clip is too short for an excerpt, others of the same speaker follow. "max": one
            clip each, at a random place, and a mixture is as long as its longest clip.
        level_db: [min, max] dB of each speaker, drawn uniformly.
        speed: [slowest, fastest], drawn for each speaker, by resampling: pitch changes too. None:
            as recorded.
        reverberant: the probability that a mixture is in a room (needs pyroomacoustics); the
            sources are reverberant too.
        rt60: [min, max] seconds of reverberation time, drawn for each of 200 rooms a split.
        unreadable: "error", or "skip": clips that cannot be read are left out, with a warning.
        seed: another one gives other mixtures in val and test, and another draw of `fractions`.
    """

    mixed_when_read = True
    layout = "train/, val/ and test/ with <speaker>/<any>.wav, or <speaker>/<any>.wav"

    def __init__(
        self,
        folder,
        split,
        sample_rate,
        num_channels,
        stft_params,
        num_speakers: int = 2,
        speaker: str | None = None,
        fractions: dict | None = None,
        num_mixtures: int | None = None,
        seconds: float | None = None,
        mode: Literal["min", "max"] = "min",
        level_db: list[float] | None = None,
        speed: list[float] | None = None,
        reverberant: float = 0.0,
        rt60: list[float] | None = None,
        unreadable: Literal["error", "skip"] = "error",
        seed: int = 0,
    ):
        levels = _range("level_db", [-2.5, 2.5] if level_db is None else level_db)
        speeds = None if speed is None else _range("speed", speed, above=0)
        self.rt60 = _range("rt60", [0.1, 0.5] if rt60 is None else rt60, above=0)
        if not 2 <= num_speakers <= 9:
            raise UserError(f"num_speakers is {num_speakers}; write 2 to 9")
        if num_mixtures is not None and num_mixtures < 1:
            raise UserError(f"num_mixtures is {num_mixtures}; write at least 1, or null")
        if seconds is not None and not seconds > 0:
            raise UserError(f"seconds is {seconds}; write a number above 0, or null")
        if not 0 <= reverberant <= 1:
            raise UserError(f"reverberant is {reverberant}; it is a probability, from 0 to 1")
        if reverberant:
            rooms.library()
        self.pattern = pattern_of("speaker", speaker, "([^/]+)/")
        self.num_speakers, self.fractions, self.seed = num_speakers, fractions, seed
        self.num_mixtures, self.seconds = num_mixtures, seconds
        self.reverberant, self.unreadable = reverberant, unreadable
        joined = mode == "min" or seconds is not None
        self.mode, self.manner = mode, Manner(sample_rate, joined, speeds, levels)
        self.clips: dict[str, list[Clip]] = {}  # {speaker: [Clip]}
        self.places: list[tuple[str, int]] = []  # (speaker, number) of each clip
        super().__init__(folder, split, sample_rate, num_channels, stft_params)

    def recognises(self, folder):
        return all(folders(folder / split) for split in SPLITS)

    # what there is

    def speakers_of(self, folder):
        """{split: {speaker: [path]}} of the splits that are there."""
        parts = [split for split in SPLITS if (folder / split).is_dir()]
        if parts:
            return {split: self._by_speaker(folder / split) for split in parts}
        if folder.name in SPLITS and self.recognises(folder.parent):
            return {}  # the folder above was meant, whose splits are not divided again
        found = self._by_speaker(folder)
        return {
            split: {name: found[name] for name in names}
            for split, names in divided(found, self.fractions, self.seed).items()
        }

    def _by_speaker(self, place):
        """{speaker: [path]} of the files in a folder and below it."""
        found, without = {}, []
        for path in audio_files_below(place):
            inner = plain(path.relative_to(place).as_posix())
            if self.pattern is None:
                name = inner.split("/")[0] if "/" in inner else None
            else:
                match = self.pattern.search(inner)
                name = match and match[1]
            if name is None:
                without.append(path)
            else:
                found.setdefault(name, []).append(path)
        if without and self.pattern is None:
            raise UserError(
                f"{without[0]}: is in no speaker's folder; move it into one, or write speaker: a "
                "regular expression with one group that finds the speaker in a file's path"
            )
        if without and not found:
            raise UserError(
                f"{place}: speaker: {self.pattern.pattern!r} matches no file; the first is "
                f"{plain(without[0].relative_to(place).as_posix())}"
            )
        return dict(sorted(found.items()))

    def list_tracks(self, folder):
        of_splits = self.speakers_of(folder)
        for one, other in itertools.combinations(of_splits, 2):
            if both := sorted(of_splits[one].keys() & of_splits[other].keys()):
                raise UserError(
                    f"{self.folder}: speakers are in {one} and in {other} too "
                    f"({', '.join(both[:5])}{', ...' if both[5:] else ''}); keep each in one split"
                )
        if self.split not in of_splits or not any(of_splits.values()):
            return []
        self.clips = self._usable(of_splits[self.split])
        if len(self.clips) < self.num_speakers:
            raise UserError(
                f"{self.folder}: {self.split} has {len(self.clips)} "
                f"speaker{'' if len(self.clips) == 1 else 's'}"
                f"{' (' + ', '.join(self.clips) + ')' if self.clips else ''}, and a mixture needs "
                f"{self.num_speakers}; lower num_speakers, move speakers here from another split, "
                "or raise `fractions`"
            )
        self.places = [(name, i) for name, clips in self.clips.items() for i in range(len(clips))]
        return [self._track(number) for number in range(self._count())]

    def _usable(self, found):
        """{speaker: [Clip]} of what can be read and is long enough."""
        clips, problems, short = {}, [], 0
        for name, paths in found.items():
            for path in paths:
                try:
                    rate, _, length = audio.info(path)
                    if length == 0:
                        raise UserError(f"{path}: holds no samples; replace or remove it")
                except UserError as error:
                    problems.append(str(error))
                    continue
                if length < SHORTEST * rate:
                    short += 1
                else:
                    clips.setdefault(name, []).append(Clip(path, rate, length))
        if self.unreadable == "error":
            raise_all(f"{problem}; or write unreadable: skip" for problem in problems)
        elif problems:
            count = amount(len(problems), "clip")
            log.warning("left out: %s, the first: %s", count, problems[0])
        if short:
            log.warning("left out: %s shorter than %g s", amount(short, "clip"), SHORTEST)
        return clips

    def _count(self):
        if self.num_mixtures is not None:
            return self.num_mixtures
        if self.seconds is None:
            return len(self.places)
        total = sum(clip.seconds for clips in self.clips.values() for clip in clips)
        return max(1, round(total / self.seconds))

    # mixtures

    def _track(self, number):
        """The mixture `number`, with the clips that its voices begin with."""
        cast = self._cast(number, self._generator(number))
        of_cast = [self.clips[name][clip] for name, clip in cast]
        if self.seconds is not None:
            seconds = self.seconds
        else:
            seconds = (min if self.mode == "min" else max)(clip.seconds for clip in of_cast)
        names = "+".join(name for name, _ in cast)
        return Track(
            f"{number:05d} {names}",
            {f"speaker{i + 1}": (clip.path,) for i, clip in enumerate(of_cast)},
            sample_rate=self.sample_rate,
            length=max(1, round(seconds * self.sample_rate)),
            song=cast[0][0],  # mixtures with the same voice are not independent
        )

    def _generator(self, number):
        return np.random.default_rng([self.seed, SPLITS.index(self.split), number])

    def _cast(self, number, rng):
        """[(speaker, clip)]: who speaks, and with which clip each begins."""
        if self.seconds is None and self.num_mixtures is None:
            name, clip = self.places[number]
        else:  # every speaker equally often, however many clips there are of each
            name = list(self.clips)[number % len(self.clips)]
            clip = int(rng.integers(len(self.clips[name])))
        others = [other for other in self.clips if other != name]
        chosen = rng.choice(len(others), self.num_speakers - 1, replace=False)
        cast = [(name, clip)]
        for other in (others[i] for i in chosen):
            cast.append((other, int(rng.integers(len(self.clips[other])))))
        return cast

    def _mixed(self, number, length, rng):
        """(speakers, float32 (sources, channels, samples)) of a cast that is drawn."""
        cast = self._cast(number, rng)
        answers = [None] * len(cast)
        if rng.random() < self.reverberant:
            room = (self.seed, SPLITS.index(self.split), int(rng.integers(rooms.ROOMS)))
            answers = rooms.responses(room, len(cast), self.sample_rate, self.rt60)
        sources = np.empty((len(cast), self.num_channels, length), np.float32)
        for source, (name, clip), answer in zip(sources, cast, answers, strict=True):
            source[:] = voice(self.clips[name], clip, length, self.manner, rng, answer)
        return [name for name, _ in cast], sources

    def excerpt(self, index, start=0, length=None, labels=None):
        length = self._length(index, start, length)
        whole = self.tracks[index].length
        _, sources = self._mixed(index, whole, self._generator(index))
        if labels is not None:
            sources = sources[[self.labels.index(label) for label in labels]]
        part = sources[..., start : start + length]
        return np.pad(part, ((0, 0), (0, 0), (0, length - part.shape[-1])))

    def draw(self, index, length, rng):
        if self.split != "train":
            return super().draw(index, length, rng)
        names, sources = self._mixed(index, length, rng)
        return sources.sum(axis=0), sources, " + ".join(names)


def _range(key, value, above=None):
    """(min, max) as a tuple of numbers."""
    right = isinstance(value, list | tuple) and len(value) == 2
    if not right or not value[0] <= value[1] or (above is not None and value[0] <= above):
        text = "" if above is None else f", both above {above}"
        raise UserError(f"{key} is {value!r}; write [min, max]{text}")
    return float(value[0]), float(value[1])
