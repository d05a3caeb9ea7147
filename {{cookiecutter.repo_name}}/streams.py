"""Recordings of any length: read piece by piece, and their sources written piece by piece.

A recording is an object with `sample_rate` (Hz), `num_channels`, `length` (samples) and
`read(start, length)`, which returns float32 `(channels, length)` and zeros beyond its ends.
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
from files import read_json, usual_mode, write_files
from recordings import RECORD

MARGIN = 4096  # samples resampled on each side of a piece: longer than the resampler's filter
COMPRESSED = ("MPEG", "VORBIS", "OPUS", "GSM610", "G72", "NMS_ADPCM")  # prefixes of subtypes
LOCK = ".separation.lock"  # exists while the sources are written
WAV_LIMIT = 2**32 - 2**20  # bytes; a larger file is written as RF64


class ArrayRecording:
    """A recording in memory; data: (channels, samples)."""

    def __init__(self, data, sample_rate):
        self.data, self.sample_rate = data, sample_rate
        self.num_channels, self.length = data.shape

    def read(self, start, length):
        result = np.zeros((self.num_channels, length), dtype=np.float32)
        first, last = max(start, 0), min(start + length, self.length)
        if first < last:
            result[:, first - start : last - start] = self.data[:, first:last]
        return result


class FileRecording:
    """A recording in an audio file.

    A compressed file (MP3, Vorbis, Opus, GSM 6.10 and other telephony codecs) is decoded once into
    a temporary file, because seeking in it is slow.

    Attributes:
        flaw: what is missing, if the file is truncated: `length` is what can be decoded; else None.

    Raises:
        UserError: as `audio.read`; by the constructor, or by `read` at the damaged position.
    """

    def __init__(self, path):
        self.path, self.decoded = Path(path), None
        with audio.open_file(path, damaged=True) as file:
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
        self.decoded = tempfile.TemporaryFile()  # noqa: SIM115  (kept as long as this object)
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
                f"({error.strerror or error}); free space there, or set TMPDIR to another folder"
            ) from error


class ResampledRecording:
    """A recording at another sample rate and number of channels, resampled as it is read."""

    def __init__(self, recording, sample_rate, num_channels):
        self.recording, self.sample_rate = recording, sample_rate
        self.num_channels = num_channels
        common = math.gcd(recording.sample_rate, sample_rate)
        # `self.up` samples at the new rate last as long as `self.down` samples of the recording
        self.up, self.down = sample_rate // common, recording.sample_rate // common
        self.length = math.floor(recording.length * self.up / self.down + 0.5)

    def read(self, start, length):
        result = np.zeros((self.num_channels, length), dtype=np.float32)
        low, high = max(start, 0), min(start + length, self.length)
        if low >= high:
            return result
        margin = 0 if self.up == self.down else -(-MARGIN // self.down)
        # the piece begins at block `first`, where a sample of both rates coincides
        first = max(low // self.up - margin, 0)
        # at the ends of the recording there is no margin: the resampler treats them as it would
        # if it resampled the whole recording
        stop = min((-(-high // self.up) + margin) * self.down, self.recording.length)
        data = self.recording.read(first * self.down, stop - first * self.down)
        rates = (self.recording.sample_rate, self.sample_rate)
        data = audio.convert(data, *rates, self.num_channels)[:, low - first * self.up :]
        data = data[:, : high - low]
        result[:, low - start : low - start + data.shape[1]] = data
        return result


class SourceFiles:
    """Writes sources to `folder/source0.wav`, ...; a context manager.

    WAV files have 32-bit floats: nothing clips, and the sources add up to the mixture. FLAC files
    have 24-bit integers. A source that does not fit FLAC is written as WAV instead: one that
    reaches full scale, or one with more channels or a higher rate than FLAC can have
    (`audio.flac_holds`). The files have temporary names until `finish` is called. Without that
    call they are removed at the end of the `with` block.

    Args:
        folder: created if it is missing.
        sample_rate, length: of every source, in Hz and samples.
        kind: "wav" or "flac".
        titles: file names of the sources, without suffix; None: source0, ...
    """

    def __init__(self, folder, sample_rate, length, kind="wav", titles=None):
        self.folder, self.sample_rate, self.titles = Path(folder), sample_rate, titles
        self.length, self.kind = length, kind
        self.files, self.names, self.peaks = [], [], []
        self.created_folder, self.lock = False, None

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
        if self.created_folder and self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def write(self, sources):
        """Append (sources, channels, samples) to the files.

        Raises:
            UserError: NaN or infinite samples; another process writes to the folder; the disk is
                full or read-only.
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
            raise self._write_error(error) from error

    def finish(self, record):
        """Give the files their final names, and write `separation.json`.

        Files of an earlier separation, as listed in its `separation.json`, are removed.

        Args:
            record: content of `separation.json`; the names of the files are added as `files`.

        Returns:
            [path] of the sources.
        """
        previous = self._previous_files()
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
            # if the process is killed after this, the record shows which files may be replaced
            self._write_record({"input": record.get("input"), "files": [*previous, *files]})
            for name, path in zip(self.names, paths, strict=True):
                os.replace(name, path)
            for name in {*previous} - {*files}:
                (self.folder / Path(name).name).unlink(missing_ok=True)
        except (OSError, soundfile.LibsndfileError) as error:
            raise self._write_error(error) from error
        self._write_record({**record, "files": files})
        return paths

    def _previous_files(self):
        """The names of the files of an earlier separation: its sources and its picture."""
        try:
            record = read_json(self.folder / RECORD)
            return [str(name) for name in (*record["files"], record.get("picture")) if name]
        except (UserError, KeyError, TypeError):
            return []  # no record, or not one of a separation

    def _write_record(self, record):
        write_files({self.folder / RECORD: json.dumps(record, indent=1) + "\n"})

    def _open(self, sources, channels):
        self.created_folder = not self.folder.is_dir()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = locks.acquire(self.folder / LOCK, "output folder") if locks.AVAILABLE else None
        if locks.AVAILABLE and self.lock is None:
            raise UserError(
                f"{self.folder}: another process is writing sources to it; wait for it, or choose "
                "another output folder"
            )
        for path in self.folder.glob(".source*"):  # left by a process that was killed
            path.unlink(missing_ok=True)
        if not audio.flac_holds(self.sample_rate, channels):
            self.kind = "wav"
        file_format = "WAV" if self.length * channels * 4 < WAV_LIMIT else "RF64"
        for number in range(sources):
            handle, name = tempfile.mkstemp(".wav", f".source{number}.", self.folder)
            os.close(handle)
            os.chmod(name, usual_mode())
            self.names.append(Path(name))
            self.peaks.append(0.0)
            self.files.append(
                audio.sound_file(name, "w", self.sample_rate, channels, "FLOAT", format=file_format)
            )

    def _to_flac(self, number):
        source = self.names[number]
        target = source.with_suffix(".flac")
        self.names.append(target)  # so that it is removed if writing fails
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

    def _write_error(self, error):
        reason = getattr(error, "strerror", None) or error
        return UserError(
            f"{self.folder}: cannot be written ({reason}); "
            "free the disk or choose another output folder"
        )
