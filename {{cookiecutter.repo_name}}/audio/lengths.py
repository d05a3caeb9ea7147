"""The true length of a file, and views of files with a corrected header or only a part."""

import functools
import io
import os

import soundfile

from files import printable


def sound_file(path, *args, **kwargs):
    """A SoundFile, also of a name that is not UTF-8, which soundfile refuses."""
    name = os.fspath(path) if isinstance(path, os.PathLike) else path
    if isinstance(name, str) and printable(name) != name:
        name = os.fsencode(name)
    return soundfile.SoundFile(name, *args, **kwargs)


def cut_short(there, promised, rate):
    """What to say of a file that holds `there` of the `promised` samples."""
    digits = 1 if promised - there >= 0.1 * rate else 5
    return (
        f"cut short, decodes to {there / rate:.{digits}f} s of the {promised / rate:.{digits}f} s "
        "that its header promises"
    )


@functools.lru_cache(maxsize=10_000)
def counted(path, stamp):
    """How many samples decode from the beginning, counted by decoding."""
    count = 0
    for block in (1 << 16, 1 << 10, 1):  # where a block breaks off, smaller ones go further
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


class Opened:
    """What opened files share: `file` is closed at the end of a `with`."""

    file = None

    def close(self):
        if self.file is not None:
            self.file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Corrected(io.FileIO):
    """A file with some bytes replaced as it is read."""

    def __init__(self, path, place, content):
        super().__init__(path)
        self.place, self.content = place, content

    def readinto(self, buffer):
        at = self.tell()
        count = super().readinto(buffer)
        first, last = max(at, self.place), min(at + count, self.place + len(self.content))
        if first < last:
            memoryview(buffer)[first - at : last - at] = self.content[
                first - self.place : last - self.place
            ]
        return count

    def read(self, size=-1):
        if size < 0:
            size = os.fstat(self.fileno()).st_size - self.tell()
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(buffer)])


class Window(io.FileIO):
    """A part of a file, as a file."""

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
