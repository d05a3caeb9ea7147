"""Mixtures of speakers from any folder of recordings, mixed as they are read."""

import itertools
from typing import Literal

import numpy as np

import audio
from errors import UserError, amount, raise_all
from files import files_below

from . import rooms
from .base import StemDataset
from .folders import audio_files_below, compile_pattern, folders, normalized, warn_of_files
from .splitting import SPLITS, split_names
from .tracks import Track, log
from .voices import Clip, VoiceSettings, make_voice

SHORTEST = 0.2  # seconds: shorter clips are not used


class SpeakerFolder(StemDataset):
    """Mixtures of two or more speakers, made from recordings of single speakers::

        folder/
          train/                      train, val and test; or none of them, see `fractions`
            anna/                     a folder for each speaker, with files at any depth
              1.wav  chapter2/2.flac
            bob/  ...
          val/   carla/  dora/        no speaker may be in two splits
          test/  emil/  frank/

    WAV, FLAC, OGG, MP3 and AIFF files of any rate and number of channels, under your own license.
    No files are written. In the training split each excerpt is a new mixture (dynamic mixing): the
    index determines the first speaker and clip, the other speakers are drawn at random, so that no
    two epochs have the same mixtures. In val and test, the mixtures are always the same: all random
    draws depend on `seed`, the split and the index of the mixture only. The sources are speaker1,
    speaker2, ..., and the mixture is their sum.

    Silence at both ends of a clip is removed. While it speaks, every voice has an RMS level of
    -25 dB of full scale plus a number of dB that is drawn from `level_db`.

    Args:
        folder: as above.
        split: "train", "val" or "test".
        num_speakers: the number of speakers in a mixture, 2 to 9.
        speaker: a regular expression with one group, searched for in a file's path relative to the
            folder of its split; the group is the name of the speaker, and files without a match are
            not used. None: the first folder in that path is the speaker.
        fractions: of the speakers for val and test, if there are no folders `train`, `val` and
            `test`; by default {val: 0.1, test: 0.1}. The speakers are drawn by `seed`.
        num_mixtures: the number of mixtures of this split; in train it only determines the length
            of an epoch without `excerpts_per_epoch`. None: one for each clip, or with `seconds` as
            many as the clips last.
        seconds: the length of each mixture; clips of a speaker follow each other, with pauses,
            until it is filled. None: the length of the clips. (In train, excerpts are as long as
            `train.segment`.)
        mode: "min": all speakers speak from beginning to end, and a mixture is as long as its
            shortest clip; if a clip is shorter than an excerpt, other clips of the speaker follow.
            "max": one clip of each speaker at a random position, and a mixture is as long as its
            longest clip.
        level_db: [min, max] dB added to the level of each speaker, drawn uniformly.
        speed: [slowest, fastest] factor for each speaker, drawn uniformly; by resampling, so that
            pitch changes too. None: unchanged.
        reverberant: the probability that a mixture is in a room (needs pyroomacoustics); the
            sources are reverberant too.
        rt60: [min, max] reverberation time in seconds, drawn for each of the 200 rooms of a split.
        unreadable: "error", or "skip": clips that cannot be read are not used, with a warning.
        seed: of the mixtures in val and test, of the rooms, and of the division by `fractions`.
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
            raise UserError(f"reverberant is {reverberant}; write a probability, from 0 to 1")
        if reverberant:
            rooms.import_pyroomacoustics()
        self.pattern = compile_pattern("speaker", speaker, "([^/]+)/")
        self.num_speakers, self.fractions, self.seed = num_speakers, fractions, seed
        self.num_mixtures, self.seconds = num_mixtures, seconds
        self.reverberant, self.unreadable = reverberant, unreadable
        joined = mode == "min" or seconds is not None
        self.mode, self.voice_settings = mode, VoiceSettings(sample_rate, joined, speeds, levels)
        self.clips: dict[str, list[Clip]] = {}  # of each speaker
        self.all_clips: list[tuple[str, int]] = []  # (speaker, index in self.clips[speaker])
        super().__init__(folder, split, sample_rate, num_channels, stft_params)

    def recognises(self, folder):
        return all(folders(folder / split) for split in SPLITS)

    def speakers_of(self, folder):
        """{split: {speaker: [path]}} of the splits that exist."""
        parts = [split for split in SPLITS if (folder / split).is_dir()]
        capital = [path for path in folders(folder) if path.name.lower() in SPLITS]
        if capital and not parts:  # their speakers would count as one
            raise UserError(
                f"{capital[0]}: rename it to {capital[0].name.lower()}, in small letters"
            )
        if parts:
            return {split: self._by_speaker(folder / split) for split in parts}
        if folder.name in SPLITS and self.recognises(folder.parent):
            return {}  # the parent folder is meant: its splits are not to be divided again
        found = self._by_speaker(folder)
        return {
            split: {name: found[name] for name in names}
            for split, names in split_names(found, self.fractions, self.seed).items()
        }

    def _by_speaker(self, place):
        """{speaker: [path]} of the audio files in a folder and its subfolders; sorted."""
        found, unassigned = {}, []
        for path in audio_files_below(place):
            relative = normalized(path.relative_to(place).as_posix())
            if self.pattern is None:
                name = relative.split("/")[0] if "/" in relative else None
            else:
                match = self.pattern.search(relative)
                name = match and match[1]
            if name is None:
                unassigned.append(path)
            else:
                found.setdefault(name, []).append(path)
        below = files_below(place) if place.is_dir() else []
        unreadable = [path for path in below if path.suffix.lower() in audio.UNSUPPORTED]
        warn_of_files(place, unreadable, "WAV, FLAC, OGG, MP3 or AIFF")
        if unassigned and self.pattern is None:
            raise UserError(
                f"{unassigned[0]}: is in no speaker's folder; move it into one, or write speaker: "
                "a regular expression with one group that finds the speaker in a file's path"
            )
        if unassigned and not found:
            raise UserError(
                f"{place}: speaker: {self.pattern.pattern!r} matches no file; the first is "
                f"{normalized(unassigned[0].relative_to(place).as_posix())}"
            )
        if unassigned:
            warn_of_files(place, unassigned, f"paths that match speaker: {self.pattern.pattern!r}")
        return dict(sorted(found.items()))

    def list_tracks(self, folder):
        speakers = self.speakers_of(folder)
        for one, other in itertools.combinations(speakers, 2):
            if both := sorted(speakers[one].keys() & speakers[other].keys()):
                raise UserError(
                    f"{self.folder}: speakers are in {one} and in {other} too "
                    f"({', '.join(both[:5])}{', ...' if both[5:] else ''}); keep each in one split"
                )
        if self.split not in speakers or not any(speakers.values()):
            return []
        self.clips = self._usable_clips(speakers[self.split])
        if len(self.clips) < self.num_speakers:
            names = f" ({', '.join(self.clips)})" if self.clips else ""
            raise UserError(
                f"{self.folder}: {self.split} has {amount(len(self.clips), 'speaker')}{names}, and "
                f"a mixture needs {self.num_speakers}; lower num_speakers, move speakers here from "
                "another split, or raise `fractions`"
            )
        self.all_clips = []
        for name, clips in self.clips.items():
            self.all_clips += [(name, index) for index in range(len(clips))]
        return [self._track(index) for index in range(self._num_tracks())]

    def _usable_clips(self, found):
        """{speaker: [path]} -> {speaker: [Clip]} of the files that are readable and long enough."""
        clips, problems, num_short = {}, [], 0
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
                    num_short += 1
                else:
                    clips.setdefault(name, []).append(Clip(path, rate, length))
        if self.unreadable == "error":
            raise_all(f"{problem}; or write unreadable: skip" for problem in problems)
        elif problems:
            count = amount(len(problems), "clip")
            log.warning("left out: %s, the first: %s", count, problems[0])
        if num_short:
            log.warning("left out: %s shorter than %g s", amount(num_short, "clip"), SHORTEST)
        return clips

    def _num_tracks(self):
        if self.num_mixtures is not None:
            return self.num_mixtures
        if self.seconds is None:
            return len(self.all_clips)
        total = sum(clip.seconds for clips in self.clips.values() for clip in clips)
        return max(1, round(total / self.seconds))

    def _track(self, index):
        """The mixture `index`, with the first clip of each speaker as its files."""
        speakers = self._draw_speakers(index, self._generator(index))
        clips = [self.clips[name][number] for name, number in speakers]
        if self.seconds is not None:
            seconds = self.seconds
        else:
            seconds = (min if self.mode == "min" else max)(clip.seconds for clip in clips)
        names = "+".join(name for name, _ in speakers)
        return Track(
            f"{index:05d} {names}",
            {f"speaker{i + 1}": (clip.path,) for i, clip in enumerate(clips)},
            sample_rate=self.sample_rate,
            length=max(1, round(seconds * self.sample_rate)),
            song=speakers[0][0],  # mixtures with the same voice are not independent
        )

    def _generator(self, index):
        """The random generator of a mixture in val and test."""
        return np.random.default_rng([self.seed, SPLITS.index(self.split), index])

    def _draw_speakers(self, index, rng):
        """[(speaker, index of the first clip)] of the mixture `index`."""
        if self.seconds is None and self.num_mixtures is None:
            name, clip = self.all_clips[index]
        else:  # every speaker is first equally often, whatever the number of clips
            name = list(self.clips)[index % len(self.clips)]
            clip = int(rng.integers(len(self.clips[name])))
        others = [other for other in self.clips if other != name]
        speakers = [(name, clip)]
        for number in rng.choice(len(others), self.num_speakers - 1, replace=False):
            other = others[number]
            speakers.append((other, int(rng.integers(len(self.clips[other])))))
        return speakers

    def _make_mixture(self, index, length, rng):
        """([speaker], float32 (sources, channels, samples)) of a mixture of `length` samples."""
        speakers = self._draw_speakers(index, rng)
        responses = [None] * len(speakers)
        if rng.random() < self.reverberant:
            room = (self.seed, SPLITS.index(self.split), int(rng.integers(rooms.ROOMS)))
            responses = rooms.room_responses(room, len(speakers), self.sample_rate, self.rt60)
        sources = np.empty((len(speakers), self.num_channels, length), np.float32)
        for source, (name, clip), response in zip(sources, speakers, responses, strict=True):
            source[:] = make_voice(
                self.clips[name], clip, length, self.voice_settings, rng, response
            )
        return [name for name, _ in speakers], sources

    def excerpt(self, index, start=0, length=None, labels=None):
        length = self._length(index, start, length)
        whole = self.tracks[index].length
        _, sources = self._make_mixture(index, whole, self._generator(index))
        if labels is not None:
            sources = sources[[self.labels.index(label) for label in labels]]
        part = sources[..., start : start + length]
        return np.pad(part, ((0, 0), (0, 0), (0, length - part.shape[-1])))

    def draw(self, index, length, rng):
        if self.split != "train":
            return super().draw(index, length, rng)
        names, sources = self._make_mixture(index, length, rng)
        return sources.sum(axis=0), sources, " + ".join(names)


def _range(key, value, above=None):
    """The argument `key`, [min, max], as a tuple of floats; both must be larger than `above`."""
    is_pair = isinstance(value, list | tuple) and len(value) == 2
    if not is_pair or not value[0] <= value[1] or (above is not None and value[0] <= above):
        text = "" if above is None else f", both above {above}"
        raise UserError(f"{key} is {value!r}; write [min, max]{text}")
    return float(value[0]), float(value[1])
