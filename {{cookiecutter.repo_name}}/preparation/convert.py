"""Converts audio files of any format to WAV or FLAC at one sample rate, which are fast to read."""

import io
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
from tqdm import tqdm

import audio
from errors import UserError, amount, raise_all
from files import files_below, write_files
from pool import available_cores

from .arguments import check_rate
from .manifest import MANIFEST

AUDIO = audio.SUFFIXES + audio.UNSUPPORTED


class Convert:
    """Convert each audio file of the source to the same path in the folder.

    Other files are copied, except manifests. Samples are rounded to 16 bits; a file that reaches
    full scale, as can happen by resampling, is written in 32-bit float instead, so that nothing
    clips. ffmpeg is needed only for formats that libsndfile cannot read (m4a, mp4, aac, wma). Two
    files with one name (a.wav, a.flac) are an error.

    Args:
        format: "wav" or "flac".
        sample_rate: in Hz; None: each file's own.
        num_channels: 1 or 2; None: each file's own.
    """

    def __init__(
        self,
        format: Literal["wav", "flac"] = "wav",
        sample_rate: int | None = None,
        num_channels: int | None = None,
    ):
        self.format, self.sample_rate, self.num_channels = format, sample_rate, num_channels
        check_rate("Convert", sample_rate, ", or null for each file's own")
        if num_channels not in (None, 1, 2):
            raise UserError(
                f"Convert: num_channels is {num_channels}; write 1 or 2, or null for each file's "
                "own"
            )

    def run(self, source, folder):
        paths = [path for path in files_below(source) if path.name != MANIFEST]
        if not any(path.suffix.lower() in AUDIO for path in paths):
            raise UserError(f"{source}: holds no audio files to convert")
        raise_all(self._clashes(paths, source))

        def convert(path):
            """Convert one file; return None or the problem."""
            try:
                self._convert(path, path.relative_to(source), folder)
            except UserError as error:  # collected, so that all bad files are named
                return str(error)
            except OSError as error:  # the name is too long with the new suffix, for example
                return f"{path}: cannot be converted ({error.strerror or error}); rename it"
            return None

        # threads are enough: soundfile and soxr release Python's global lock
        with ThreadPoolExecutor(available_cores()) as pool:
            bar = {"total": len(paths), "desc": "converting", "unit": "file", "disable": None}
            problems = list(tqdm(pool.map(convert, paths), **bar))
        raise_all(problem for problem in problems if problem is not None)

    def target(self, relative):
        """The path in the folder of the file that is made from a path in the source."""
        is_audio = relative.suffix.lower() in AUDIO
        return relative.with_suffix(f".{self.format}") if is_audio else relative

    def _clashes(self, paths, source):
        """A message for each group of files that would be converted to the same path."""
        by_target = {}
        for path in paths:
            by_target.setdefault(self.target(path.relative_to(source)), []).append(path)
        return [
            f"{' and '.join(map(str, same))}: would become one file, {target}; rename them, or "
            "leave one of them there"
            for target, same in by_target.items()
            if len(same) > 1
        ]

    def _convert(self, path, relative, folder):
        target = folder / self.target(relative)
        if target.is_file():
            return
        if path.suffix.lower() not in AUDIO:
            write_files({target: path.read_bytes()})
            return
        if path.suffix.lower() in audio.UNSUPPORTED:
            sound, rate = decode_by_ffmpeg(path)
        else:
            sound, rate = audio.read(path), audio.info(path)[0]
        try:
            sound = audio.convert(sound, rate, self.sample_rate or rate, self.num_channels)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        write_files({target: encode_16_bit(sound, self.sample_rate or rate, self.format, target)})


def encode_16_bit(sound, sample_rate, format, path):
    """The bytes of a 16-bit file; samples that came from 16-bit files are unchanged.

    Args:
        sound: (channels, samples). If it reaches full scale, a WAV file has 32-bit floats instead.
        format: "wav" or "flac".
        path: for error messages.

    Raises:
        UserError: FLAC cannot store this level, sample rate or number of channels.
    """
    numbers = np.rint(sound * 32768.0)
    is_over = numbers.max(initial=0) > 32767 or numbers.min(initial=0) < -32768
    if is_over and format == "flac":
        raise UserError(
            f"{path}: its peak, {np.abs(sound).max():.3f}, is above full scale, which FLAC cannot "
            "hold; write format: wav"
        )
    if format == "flac" and not audio.flac_holds(sample_rate, len(sound)):
        raise UserError(
            f"{path}: FLAC cannot hold {amount(len(sound), 'channel')} at {sample_rate} Hz; write "
            "format: wav"
        )
    buffer = io.BytesIO()
    data, subtype = (sound.T, "FLOAT") if is_over else (numbers.T.astype(np.int16), "PCM_16")
    soundfile.write(buffer, data, sample_rate, format=format.upper(), subtype=subtype)
    return _without_time(buffer.getvalue()) if is_over else buffer.getvalue()


def _without_time(wav):
    """The bytes of a float WAV file without its time of writing, so that they are reproducible.

    The time is in the PEAK chunk, after the chunk's name, size and version (4 bytes each).
    """
    offset = wav.find(b"PEAK", 0, wav.find(b"data"))
    return wav if offset < 0 else wav[: offset + 12] + bytes(4) + wav[offset + 16 :]


def require_ffmpeg(path):
    """Raise UserError if ffmpeg, which `path` needs, is not installed."""
    for program in ("ffmpeg", "ffprobe"):
        if shutil.which(program) is None:
            raise UserError(
                f"{path}: needs {program} to be decoded, which is not on the PATH; install it "
                "(apt-get install ffmpeg, brew install ffmpeg, conda install ffmpeg)"
            )


def decode_by_ffmpeg(path):
    """Decode a file that only ffmpeg can read: (float32 (channels, samples), sample rate in Hz).

    Raises:
        UserError: ffmpeg is not installed or cannot decode the file.
    """
    require_ffmpeg(path)
    with tempfile.TemporaryDirectory() as temporary:
        wav = Path(temporary) / "decoded.wav"
        command = ["ffmpeg", "-v", "error", "-i", str(path), "-c:a", "pcm_f32le", str(wav)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise UserError(f"{path}: cannot be decoded by ffmpeg: {done.stderr.strip()}")
        return audio.read(wav), audio.info(wav)[0]
