"""Counts the samples of a file, and opens files with a corrected header or in part."""

import functools
import io
import os

import soundfile

from files import printable


def sound_file(path, *args, **kwargs):
    """Open a `soundfile.SoundFile`. The name may be no UTF-8, which soundfile rejects."""
    name = os.fspath(path) if isinstance(path, os.PathLike) else path
    if isinstance(name, str) and printable(name) != name:
        name = os.fsencode(name)
    return soundfile.SoundFile(name, *args, **kwargs)


def truncation(actual, declared, rate):
    """The words for a file in which `actual` of the `declared` samples can be decoded."""
    digits = 1 if declared - actual >= 0.1 * rate else 5
    return (
        f"cut short, decodes to {actual / rate:.{digits}f} s of the {declared / rate:.{digits}f} s "
        "that its header promises"
    )


@functools.lru_cache(maxsize=10_000)
def count_samples(path, stamp):
    """The number of samples that can be decoded, by decoding them.

    stamp: as of `opening._stamp`: when it changes, the file is decoded again.
    """
    count = 0
    for block in (1 << 16, 1 << 10, 1):  # if a block fails, smaller blocks get further
        try:
            with sound_file(path) as file:
                done = 0
                while done < count:
                    done += len(file.read(min(1 << 16, count - done)))
                while read := len(file.read(block)):
                    count += read
                return count
        except (soundfile.LibsndfileError, RuntimeError):
            continue
    return count


class OpenAudio:
    """Base class of open audio files: closes `file` at the end of a `with` block."""

    file = None

    def close(self):
        if self.file is not None:
            self.file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class PatchedFile(io.FileIO):
    """A file opened for reading in which the bytes at `offset` are replaced by `content`."""

    def __init__(self, path, offset, content):
        super().__init__(path)
        self.offset, self.content = offset, content

    def readinto(self, buffer):
        at = self.tell()
        count = super().readinto(buffer)
        first, last = max(at, self.offset), min(at + count, self.offset + len(self.content))
        if first < last:
            replacement = self.content[first - self.offset : last - self.offset]
            memoryview(buffer)[first - at : last - at] = replacement
        return count

    def read(self, size=-1):
        if size < 0:
            size = os.fstat(self.fileno()).st_size - self.tell()
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(buffer)])


class FileSection(io.FileIO):
    """The bytes `start` to `end` of a file, opened for reading as a file of their own."""

    def __init__(self, path, start, end):
        super().__init__(path)
        self.start, self.end = start, end
        self.seek(0)

    def seek(self, offset, whence=os.SEEK_SET):
        base = {os.SEEK_SET: self.start, os.SEEK_CUR: super().tell(), os.SEEK_END: self.end}[whence]
        return super().seek(base + offset) - self.start

    def tell(self):
        return super().tell() - self.start

    def readinto(self, buffer):
        most = max(0, min(len(buffer), self.end - super().tell()))
        return super().readinto(memoryview(buffer)[:most])

    def read(self, size=-1):
        left = max(0, self.end - super().tell())
        return super().read(left if size < 0 else min(size, left))
