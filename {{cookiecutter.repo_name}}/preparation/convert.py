"""Audio files of any kind to WAV or FLAC, at one rate, so that reading them costs little."""

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

from .manifest import MANIFEST

BY_FFMPEG = (".m4a", ".mp4", ".aac", ".wma", ".webm", ".mka")
AUDIO = audio.SUFFIXES + BY_FFMPEG


class Convert:
    """Every audio file of the source, at the same place in the folder; other files are copied,
    but for manifests.

    Samples are rounded to 16 bits. A file that reaches full scale, as resampled ones may, is
    written in 32-bit float instead, so that nothing is clipped. ffmpeg is needed only for what
    libsndfile cannot read (m4a, mp4, aac, wma). Files of one name (a.wav, a.flac) are refused.

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

    def run(self, source, folder):
        paths = [path for path in files_below(source) if path.name != MANIFEST]
        if not any(path.suffix.lower() in AUDIO for path in paths):
            raise UserError(f"{source}: holds no audio files to convert")
        raise_all(self._clashes(paths, source))

        def converted(path):
            try:
                self._one(path, path.relative_to(source), folder)
            except UserError as error:  # one bad file does not hide the others
                return str(error)
            return None

        with ThreadPoolExecutor(available_cores()) as pool:  # soundfile and soxr leave Python alone
            made = pool.map(converted, paths)
            problems = list(
                tqdm(made, total=len(paths), desc="converting", unit="file", disable=None)
            )
        raise_all(problem for problem in problems if problem is not None)

    def target(self, inner):
        """What is made of a file: its path in the folder for a path in the source."""
        is_audio = inner.suffix.lower() in AUDIO
        return inner.with_suffix(f".{self.format}") if is_audio else inner

    def _clashes(self, paths, source):
        """What to say of files that would become one."""
        by_target = {}
        for path in paths:
            by_target.setdefault(self.target(path.relative_to(source)), []).append(path)
        return [
            f"{' and '.join(map(str, same))}: would become one file, {target}; rename them, or "
            "leave one of them there"
            for target, same in by_target.items()
            if len(same) > 1
        ]

    def _one(self, path, inner, folder):
        target = folder / self.target(inner)
        if target.exists():
            return
        if path.suffix.lower() not in AUDIO:
            write_files({target: path.read_bytes()})
            return
        if path.suffix.lower() in BY_FFMPEG:
            sound, rate = decoded(path)
        else:
            sound, rate = audio.read(path), audio.info(path)[0]
        sound = audio.convert(sound, rate, self.sample_rate or rate, self.num_channels)
        write_files({target: sixteen_bits(sound, self.sample_rate or rate, self.format, target)})


def sixteen_bits(sound, sample_rate, format, path):
    """The bytes of a 16-bit file with `sound` (channels, samples); what was 16-bit stays as is."""
    numbers = np.rint(sound * 32768.0)
    over = numbers.max(initial=0) > 32767 or numbers.min(initial=0) < -32768
    if over and format == "flac":
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
    data, subtype = (sound.T, "FLOAT") if over else (numbers.T.astype(np.int16), "PCM_16")
    soundfile.write(buffer, data, sample_rate, format=format.upper(), subtype=subtype)
    return _without_time(buffer.getvalue()) if over else buffer.getvalue()


def _without_time(wav):
    """A float WAV file without the time at which it was written: in its PEAK chunk, after the
    chunk's name, size and version. The same sound then makes the same file."""
    place = wav.find(b"PEAK", 0, wav.find(b"data"))
    return wav if place < 0 else wav[: place + 12] + bytes(4) + wav[place + 16 :]


def needs_ffmpeg(path):
    """Raise UserError if ffmpeg, which `path` needs, is not installed."""
    for program in ("ffmpeg", "ffprobe"):
        if shutil.which(program) is None:
            raise UserError(
                f"{path}: needs {program} to be decoded, which is not on the PATH; install it "
                "(apt-get install ffmpeg, brew install ffmpeg, conda install ffmpeg)"
            )


def decoded(path):
    """(float32 (channels, samples), rate) of a file that only ffmpeg can read."""
    needs_ffmpeg(path)
    with tempfile.TemporaryDirectory() as temporary:
        wav = Path(temporary) / "decoded.wav"
        command = ["ffmpeg", "-v", "error", "-i", str(path), "-c:a", "pcm_f32le", str(wav)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise UserError(f"{path}: cannot be decoded by ffmpeg: {done.stderr.strip()}")
        return audio.read(wav), audio.info(wav)[0]
