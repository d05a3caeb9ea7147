"""Cuts short snippets from the songs of MUSDB18, with stems summed to sources."""

import importlib.util
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from tqdm import tqdm

import audio
from errors import UserError, raise_all
from files import files_below, write_files
from pool import available_cores, process_pool

from .arguments import check_numbers, check_rate
from .convert import encode_16_bit, require_ffmpeg
from .musdb import SOURCES

STEM = ".stem.mp4"
STREAMS = ("mixture", "drums", "bass", "other", "vocals")  # order in a compressed file
MAX_TRIES = 20  # positions that are drawn as long as a source is silent
MIX = "mix"
PEAK = 0.99  # of full scale: the highest peak of a snippet


class Snippets:
    """Snippets of every song, in the folders that `StemFolder` reads::

        folder/
          train/  val/  test/
            vocals/         A Classic Education - NightOwl_00.wav
            accompaniment/  A Classic Education - NightOwl_00.wav
            mix/            A Classic Education - NightOwl_00.wav      their exact sum

    The source is MUSDB18-HQ (`train|test/<song>/vocals.wav`, ...), or compressed files
    (`train|test/<song>.stem.mp4`, whole songs or the 7-second previews), which need ffmpeg. The
    validation split has the validation songs of the publisher's package musdb, so that no song is
    in two splits. Snippets are spread evenly over a song, and each depends only on `seed`, the
    song's name and the number of the snippet. If a snippet would exceed full scale, all its files
    are attenuated by the same factor.

    Args:
        per_song: snippets of each song (20 of 150 songs are 3,000).
        seconds: the length of a snippet.
        sample_rate: in Hz.
        num_channels: 1 or 2.
        groups: {label: [stems]}; by default vocals and accompaniment, the sum of the others.
        silence_db: draw another position, up to 20 times, if the RMS level of a source is below
            this (in dB of full scale).
        seed: each seed gives other snippets.
    """

    def __init__(
        self,
        per_song: int = 20,
        seconds: float = 4.0,
        sample_rate: int = 16000,
        num_channels: int = 1,
        groups: dict | None = None,
        silence_db: float = -60.0,
        seed: int = 0,
    ):
        self.per_song, self.seconds, self.silence_db = per_song, seconds, silence_db
        self.sample_rate, self.num_channels, self.seed = sample_rate, num_channels, seed
        check_rate("Snippets", sample_rate)
        check_numbers("Snippets", 1, {"per_song": per_song})
        check_numbers("Snippets", 1 / sample_rate, {"seconds": seconds})
        check_numbers("Snippets", 1, {"num_channels": num_channels}, most=2)
        check_numbers("Snippets", 0, {"seed": seed})
        self.groups: dict[str, Any] = groups or {
            "vocals": ["vocals"],
            "accompaniment": ["drums", "bass", "other"],
        }
        raise_all(
            f"Snippets: groups.{label} is {stems!r}; write a list of stems, each of them once"
            for label, stems in self.groups.items()
            if not isinstance(stems, list) or not stems or len(set(stems)) < len(stems)
        )
        raise_all(
            f"Snippets: groups.{label}: cannot be the name of a folder; write another"
            for label in self.groups
            if label in ("", ".", "..") or "/" in label
        )
        raise_all(
            f"Snippets: groups.{label} has the unknown stem {stem!r}; MUSDB18 has "
            f"{', '.join(SOURCES)}"
            for label, stems in self.groups.items()
            for stem in stems
            if stem not in SOURCES
        )
        if MIX in self.groups:
            raise UserError(f"Snippets: groups has a source called {MIX}, the mixtures' folder")

    def run(self, source, folder):
        source = Path(source)
        songs = _songs(source)
        if not songs:
            raise UserError(
                f"{source}: holds no songs of MUSDB18; expected train/<song>/ and test/<song>/ "
                f"with {', '.join(SOURCES)} (.wav), or train/<song>{STEM}"
            )
        held_out = validation_songs()
        jobs = []
        for subset, name, place in songs:
            split = "val" if subset == "train" and name in held_out else subset
            jobs.append((self, Path(folder) / split, name, place))
        bar = {"total": len(jobs), "desc": "cutting", "unit": "song", "disable": None}
        processes = min(available_cores(), len(jobs) // 16)
        if processes < 2:
            problems = list(tqdm(map(_cut, jobs), **bar))
        else:
            with process_pool(processes) as executor:
                problems = list(tqdm(executor.map(_cut, jobs), **bar))
        raise_all(problem for problem in problems if problem is not None)

    def cut(self, folder, name, place):
        """Write the snippets of one song that do not exist yet.

        Args:
            folder: of the split.
            name: of the song.
            place: its folder or compressed file.
        """
        paths = [
            {label: folder / label / f"{name}_{number:02d}.wav" for label in (*self.groups, MIX)}
            for number in range(self.per_song)
        ]
        if all(path.exists() for files in paths for path in files.values()):
            return
        song = _Compressed(place) if place.name.endswith(STEM) else _Folder(place)
        length = round(self.seconds * self.sample_rate)
        spare = song.length(self.sample_rate) - length
        if spare < 0:
            raise UserError(
                f"{place}: is shorter than a snippet of {self.seconds:g} s; lower `seconds`, or "
                "remove the song"
            )
        for number, files in enumerate(paths):
            rng = np.random.default_rng([self.seed, zlib.crc32(name.encode()), number])
            sounds = _round_to_16_bits(self._sounds(song, spare, length, number, rng))
            write_files(
                {
                    path: encode_16_bit(sounds[label], self.sample_rate, "wav", path)
                    for label, path in files.items()
                }
            )

    def _sounds(self, song, spare, length, number, rng):
        """{label: float32 (channels, samples)} at a position where no source is silent; if none is
        found, at the one where the softest source is the loudest."""
        best, loudest = {}, -np.inf
        for attempt in range(MAX_TRIES):
            part = (number + rng.random()) / self.per_song if attempt == 0 else rng.random()
            start = int(part * (spare + 1))
            stems = song.read(start, length, self.sample_rate, self.num_channels)
            sounds = {
                label: sum(stems[stem] for stem in names) for label, names in self.groups.items()
            }
            level = min(10 * np.log10(np.mean(s**2) + 1e-12) for s in sounds.values())
            if level > loudest:
                best, loudest = sounds, level
            if level >= self.silence_db:
                break
        return best


def _round_to_16_bits(sounds):
    """The sounds rounded to 16 bits, with their sum as `MIX`. If one of these would exceed full
    scale, all are attenuated by the same factor."""
    peak = max(np.abs(sound).max() for sound in (*sounds.values(), sum(sounds.values())))
    gain = 32768.0 * PEAK / max(peak, PEAK)
    rounded = {label: np.rint(gain * sound) / 32768.0 for label, sound in sounds.items()}
    return {**rounded, MIX: sum(rounded.values())}


class _Folder:
    """A song of MUSDB18-HQ."""

    def __init__(self, place):
        self.files = {stem: place / f"{stem}.wav" for stem in SOURCES}
        raise_all(
            f"{path}: does not exist; get MUSDB18-HQ again"
            for path in self.files.values()
            if not path.is_file()
        )

    def length(self, rate):
        """The length of the shortest stem in samples at a sample rate."""
        found = [audio.info(path) for path in self.files.values()]
        return min(audio.resampled_length(frames, own, rate) for own, _, frames in found)

    def read(self, start, length, rate, channels):
        return {
            stem: audio.read_excerpt(path, rate, channels, start, length)
            for stem, path in self.files.items()
        }


class _Compressed:
    """A song of MUSDB18, decoded once by the publisher's package stempeg."""

    def __init__(self, path):
        require_ffmpeg(path)
        import stempeg  # cannot be imported without ffmpeg

        try:
            streams, self.rate = stempeg.read_stems(str(path))
        except (RuntimeError, ValueError, OSError) as error:
            message = f"{path}: cannot be decoded by stempeg ({error}); get it again"
            raise UserError(message) from error
        if len(streams) != len(STREAMS):
            raise UserError(
                f"{path}: has {len(streams)} streams, expected {len(STREAMS)}: {', '.join(STREAMS)}"
            )
        self.decoded = dict(zip(STREAMS, np.asarray(streams, dtype=np.float32), strict=True))
        self.converted = {}

    def length(self, rate):
        return audio.resampled_length(len(self.decoded["mixture"]), self.rate, rate)

    def read(self, start, length, rate, channels):
        key = rate, channels
        if key not in self.converted:
            self.converted[key] = {
                stem: audio.convert(np.ascontiguousarray(sound.T), self.rate, rate, channels)
                for stem, sound in self.decoded.items()
            }
        return {stem: s[:, start : start + length] for stem, s in self.converted[key].items()}


def _songs(source):
    """[("train" or "test", song, its folder or compressed file)] of MUSDB18, sorted."""
    found = []
    for path in files_below(source):
        if path.name.endswith(STEM):
            place, name = path, path.name.removesuffix(STEM)
        elif path.name == f"{SOURCES[0]}.wav":
            place, name = path.parent, path.parent.name
        else:
            continue
        if place.parent.name in ("train", "test"):
            found.append((place.parent.name, name, place))
    names = [name for _, name, _ in found]
    raise_all(
        f"{source}: has the song {name!r} {names.count(name)} times; keep one"
        for name in sorted({name for name in names if names.count(name) > 1})
    )
    return sorted(found)


def validation_songs():
    """The names of the validation songs, which are in `train`, from the list in package musdb."""
    package = importlib.util.find_spec("musdb")
    if package is None or not package.submodule_search_locations:
        raise UserError(
            "musdb, which has the list of the validation songs, is missing: pip install musdb"
        )
    path = Path(next(iter(package.submodule_search_locations))) / "configs" / "mus.yaml"
    return {str(name) for name in yaml.safe_load(path.read_text())["validation_tracks"]}


def _cut(job):
    """Cut one song, in a worker process; return None or the problem."""
    step, folder, name, place = job
    try:
        step.cut(folder, name, place)
    except UserError as error:  # collected, so that all bad songs are named
        return str(error)
    return None
