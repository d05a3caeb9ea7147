"""Recordings too long for memory: read in pieces, written in pieces, complete or absent.

A recording has `sample_rate`, `num_channels`, `length` (samples) and `read(start, length)`, which
gives float32 `(channels, length)`; beyond its ends it is silent.
"""

import json
import math
import os
import tempfile
from pathlib import Path

import numpy as np
import soundfile

import audio
import locks
from errors import UserError, amount
from files import read_json, write_files
from recordings import RECORD

MARGIN = 4096  # samples around a piece that is resampled, more than the resampler's filter is long
COMPRESSED = ("MPEG", "VORBIS", "OPUS", "GSM610", "G72", "NMS_ADPCM")
LOCK = ".separation.lock"  # there while they are written
WAV_LIMIT = 2**32 - 2**20  # bytes; a longer WAV file is written as RF64


class Memory:
    """A recording that is in memory: `data` (channels, samples)."""

    def __init__(self, data, sample_rate):
        self.data, self.sample_rate = data, sample_rate
        self.num_channels, self.length = data.shape

    def read(self, start, length):
        result = np.zeros((self.num_channels, length), dtype=np.float32)
        first, last = max(start, 0), min(start + length, self.length)
        if first < last:
            result[:, first - start : last - start] = self.data[:, first:last]
        return result


class File:
    """A recording in an audio file.

    Compressed by MP3, Vorbis, Opus or for telephony (GSM 6.10) it is decoded from beginning to end
    into a temporary file first, once instead of for each piece that is read.

    flaw: None; of a file that is cut short, what is missing: the recording is as long as decodes.

    Raises:
        UserError: as `audio.read`, at once or when the broken place is read.
    """

    def __init__(self, path):
        self.path, self.decoded = Path(path), None
        with audio.opened(path, damaged=True) as file:
            self.sample_rate, self.num_channels = file.samplerate, file.channels
            self.length, self.flaw = file.frames, file.flaw
            if self.length == 0:
                raise UserError(f"{path}: holds no samples; replace it")
            if file.subtype.startswith(COMPRESSED):
                self._decode(file)

    def read(self, start, length):
        first, last = max(start, 0), min(start + length, self.length)
        result = np.zeros((self.num_channels, length), dtype=np.float32)
        if first < last:
            result[:, first - start : last - start] = self._read(first, last - first)
        return result

    def _read(self, first, count):
        if self.decoded is None:
            return audio.read(self.path, start=first, length=count, damaged=True)
        self.decoded.seek(first * self.num_channels * 4)
        data = np.fromfile(self.decoded, np.float32, count * self.num_channels)
        return data.reshape(-1, self.num_channels).T

    def _decode(self, file):
        self.decoded = tempfile.TemporaryFile()  # noqa: SIM115  (as long as this object)
        left = self.length
        try:
            while left > 0:
                block = file.read(min(left, 1 << 18), dtype="float32", always_2d=True)
                if len(block) == 0:
                    raise UserError(
                        f"{self.path}: broken audio file (ends {amount(left, 'sample')} early)"
                    )
                block.tofile(self.decoded)
                left -= len(block)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise UserError(f"{self.path}: broken audio file ({error}); replace it") from error
        except OSError as error:
            raise UserError(
                f"{self.path}: cannot be decoded into {tempfile.gettempdir()} "
                f"({error.strerror or error}); free it, or set TMPDIR to another folder"
            ) from error


class Resampled:
    """A recording at another rate and number of channels; what is read is resampled there."""

    def __init__(self, recording, sample_rate, num_channels):
        self.recording, self.sample_rate = recording, sample_rate
        self.num_channels = num_channels
        whole = math.gcd(recording.sample_rate, sample_rate)
        # `self.here` samples of ours last as long as `self.there` of the recording
        self.here, self.there = sample_rate // whole, recording.sample_rate // whole
        self.length = math.floor(recording.length * self.here / self.there + 0.5)

    def read(self, start, length):
        result = np.zeros((self.num_channels, length), dtype=np.float32)
        low, high = max(start, 0), min(start + length, self.length)
        if low >= high:
            return result
        margin = 0 if self.here == self.there else -(-MARGIN // self.there)
        first = max(low // self.here - margin, 0)
        # not beyond the ends: the resampler takes them for ends, as in the whole
        stop = min((-(-high // self.here) + margin) * self.there, self.recording.length)
        data = self.recording.read(first * self.there, stop - first * self.there)
        rates = (self.recording.sample_rate, self.sample_rate)
        data = audio.convert(data, *rates, self.num_channels)[:, low - first * self.here :]
        data = data[:, : high - low]
        result[:, low - start : low - start + data.shape[1]] = data
        return result


class SourceFiles:
    """Sources on their way to disk: `folder/source0.wav`, ...; used in a `with`.

    WAV files hold 32-bit floats: nothing clips, and sources add up to what they are parts of. FLAC
    files hold 24-bit integers; what they cannot hold is left a WAV file: a source that reaches full
    scale, and audio of more channels or a higher rate (`audio.flac_holds`). Until `finish` the
    files have other names; without it they are removed.

    Args:
        folder: made where it is missing.
        sample_rate, length: of every source.
        kind: "wav" or "flac".
        titles: of the sources, what their files are called without ending; None: source0, ...
    """

    def __init__(self, folder, sample_rate, length, kind="wav", titles=None):
        self.folder, self.sample_rate, self.titles = Path(folder), sample_rate, titles
        self.length, self.kind = length, kind
        self.files, self.names, self.peaks = [], [], []
        self.made, self.lock = False, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for file in self.files:
            file.close()
        for name in self.names:
            name.unlink(missing_ok=True)
        if self.lock is not None:
            (self.folder / LOCK).unlink(missing_ok=True)
            self.lock.close()
        if self.made and self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def write(self, sources):
        """Append (sources, channels, samples).

        Raises:
            UserError: NaN or infinite samples; a disk that is full or read-only.
        """
        if not np.isfinite(sources).all():
            raise UserError("the audio to write holds NaN or infinite samples")
        try:
            if not self.files:
                self._open(*sources.shape[:2])
            for number, (file, source) in enumerate(zip(self.files, sources, strict=True)):
                file.write(source.T)
                peak = float(np.abs(source).max(initial=0.0))
                self.peaks[number] = max(self.peaks[number], peak)
        except (OSError, soundfile.LibsndfileError) as error:
            raise self._refused(error) from error

    def finish(self, record):
        """Give the files their names, write `record` with these names to `separation.json`; what an
        earlier separation left is removed, and nothing else.

        Returns:
            [path] of the sources.
        """
        older = self._older()
        try:
            paths = []
            for number, file in enumerate(self.files):
                file.close()
                if self.kind == "flac" and self.peaks[number] < 1.0:
                    self._to_flac(number)
                suffix = self.names[number].suffix
                with open(self.names[number], "rb+") as written:
                    os.fsync(written.fileno())
                title = self.titles[number] if self.titles else f"source{number}"
                paths.append(self.folder / f"{title}{suffix}")
            files = [path.name for path in paths]
            # killed from here on, the folder is known to be ours, and not to be complete
            self._write({"input": record.get("input"), "files": [*older, *files]})
            for name, path in zip(self.names, paths, strict=True):
                os.replace(name, path)
            for name in {*older} - {*files}:
                (self.folder / Path(name).name).unlink(missing_ok=True)
        except (OSError, soundfile.LibsndfileError) as error:
            raise self._refused(error) from error
        self._write({**record, "files": files})
        return paths

    def _older(self):
        """The names of what an earlier separation left here: its sources and its picture."""
        try:
            record = read_json(self.folder / RECORD)
            return [str(name) for name in (*record["files"], record.get("picture")) if name]
        except (UserError, KeyError, TypeError):
            return []  # no record, or none of ours: nothing is touched

    def _write(self, record):
        write_files({self.folder / RECORD: json.dumps(record, indent=1) + "\n"})

    def _open(self, sources, channels):
        self.made = not self.folder.is_dir()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = locks.taken(self.folder / LOCK, "output folder") if locks.AVAILABLE else None
        if locks.AVAILABLE and self.lock is None:
            raise UserError(
                f"{self.folder}: another process separates into it at this moment; wait for it, or "
                "choose another output folder"
            )
        for left in self.folder.glob(".source*"):  # by one that was killed
            left.unlink(missing_ok=True)
        if not audio.flac_holds(self.sample_rate, channels):
            self.kind = "wav"
        small = self.length * channels * 4 < WAV_LIMIT
        for number in range(sources):
            handle, name = tempfile.mkstemp(".wav", f".source{number}.", self.folder)
            os.close(handle)
            os.chmod(name, 0o644)
            self.names.append(Path(name))
            self.peaks.append(0.0)
            self.files.append(
                audio.sound_file(
                    name,
                    "w",
                    self.sample_rate,
                    channels,
                    "FLOAT",
                    format="WAV" if small else "RF64",
                )
            )

    def _to_flac(self, number):
        source = self.names[number]
        target = source.with_suffix(".flac")
        self.names.append(target)  # removed, should it break off
        with (
            audio.sound_file(source) as data,
            audio.sound_file(
                target, "w", self.sample_rate, data.channels, "PCM_24", format="FLAC"
            ) as file,
        ):
            for block in data.blocks(1 << 20, dtype="float32", always_2d=True):
                file.write(block)
        source.unlink()
        self.names[number] = self.names.pop()

    def _refused(self, error):
        reason = getattr(error, "strerror", None) or error
        return UserError(
            f"{self.folder}: cannot be written ({reason}); "
            "free the disk or choose another output folder"
        )
