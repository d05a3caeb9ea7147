"""Ogg files (Vorbis, Opus) by their pages: what is missing or damaged, where one stream ends and
the next begins, and from where a place can be found.

libsndfile treats a truncated file as complete and silently skips damaged pages, reads the first of
several streams only, lands off by some hundred samples in the last page of Vorbis, errs if it reads
the last page of Opus in two parts, and starts Opus 80 ms before a place, which is too little for
its decoder to be where it would be. RFC 3533; RFC 7845.
"""

import functools
import itertools
import mmap
import zlib
from typing import NamedTuple

import numpy as np
import soundfile

from errors import UserError

from .lengths import Opened, Window, sound_file

PREROLL = 0.5  # seconds that Opus decodes before a place; after that music is as in the whole
MOST = 1 << 18  # samples that are decoded at once
BLOCK = 8192  # samples of Vorbis' longest block
FIRST, LAST = 2, 4  # flags of a page
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Link(NamedTuple):
    """One of the streams that follow each other: its bytes, the samples that decode of it up to its
    last page and in all, and (rate, channels)."""

    start: int
    end: int
    safe: int
    length: int
    kind: tuple


class Index(NamedTuple):
    """The streams of a file, and what is wrong with it."""

    links: tuple
    flaw: str | None


@functools.lru_cache(maxsize=10_000)
def index(path, stamp):
    """The Index of a file; `stamp` is its size and time, with which it may change."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        streams, end, flaw = _streams(data)
    if not streams:
        raise OSError("not one page of it is whole")
    if flaw is None and not all(pages[-1][1] & LAST for _, pages in streams):
        flaw = "cut short, its last page is missing"
    links = []
    for (start, pages), (stop, _) in itertools.pairwise([*streams, (end, None)]):
        safe = pages[-2][0] if len(pages) > 1 else 0
        try:
            links.append(_measured(path, start, stop, safe, whole=flaw is None))
        except soundfile.LibsndfileError as error:
            if flaw is None:
                raise
            raise UserError(f"{path}: {flaw}; nothing decodes of it: copy it again") from error
    alike = list(itertools.takewhile(lambda link: link.kind == links[0].kind, links))
    if len(alike) < len(links):
        flaw = flaw or "changes its rate or channels"
    return Index(tuple(alike), flaw)


def _streams(data):
    """([(first byte, [(samples at its end, flags) of each page])] of the streams that follow each
    other, the byte up to which all is well, what is wrong there or None)."""
    at, streams, numbers, begins = 0, [], {}, False
    while at < len(data):
        page = _page(data, at)
        if page is None:
            cut = data[at : at + 4] == b"OggS"
            if not cut and streams and data.find(b"OggS", at) < 0 and streams[-1][1][-1][1] & LAST:
                return streams, at, None  # a player's tag behind the end
            return streams, at, f"cut short at byte {at}" if cut else f"damaged at byte {at}"
        size, flags, granule, serial, number, sound = page
        if flags & FIRST and not begins:  # streams that run side by side begin together
            streams.append((at, [(0, 0)]))
            numbers = {}
        begins = bool(flags & FIRST)
        if not sound or not streams or numbers.get(serial, number - 1) != number - 1:
            return streams, at, f"damaged at byte {at}"
        numbers[serial] = number
        if granule >= 0:  # else no packet ends on it
            streams[-1][1].append((granule, flags))
        at += size
    return streams, at, None


def _measured(path, start, end, safe, whole):
    with soundfile.SoundFile(Window(path, start, end)) as file:
        if file.subtype == "OPUS":
            safe = safe * file.samplerate // 48000
        length = file.frames
        if not whole:  # the last page need not be where libsndfile takes it to be
            length = 0
            while count := len(file.read(MOST, dtype="float32")):
                length += count
        kind = file.samplerate, file.channels
    return Link(start, end, min(safe, length), length, kind)


def _page(data, at):
    """(bytes, flags, samples at its end, serial, number, is its checksum right?) or None."""
    head = data[at : at + 27]
    if len(head) < 27 or head[:4] != b"OggS":
        return None
    size = 27 + head[26] + sum(data[at + 27 : at + 27 + head[26]])
    if at + size > len(data) or at + 27 + head[26] > len(data):
        return None
    granule = int.from_bytes(head[6:14], "little", signed=True)
    serial, number = (int.from_bytes(head[i : i + 4], "little") for i in (14, 18))
    content = head[:22] + bytes(4) + data[at + 26 : at + size]
    return size, head[5], granule, serial, number, _crc(content) == head[22:26]


def _crc(content):
    """The page's checksum: zlib's polynomial, but with the bits of each byte the other way round,
    from 0."""
    crc = zlib.crc32(content.translate(MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return crc.to_bytes(4, "big").translate(MIRRORED)


class Ogg(Opened):
    """An Ogg file, with what is used here of a SoundFile."""

    def __init__(self, path, stamp):
        self.path = path
        self.index = index(str(path), stamp)
        self.link, self.file = None, None
        self._open(0)
        self.samplerate, self.channels = self.file.samplerate, self.file.channels
        self.subtype = self.file.subtype
        self.frames = sum(link.length for link in self.index.links)
        self.at = 0
        self.flaw = self.index.flaw
        if self.flaw is not None:
            self.flaw += f"; decodes to {self.frames / self.samplerate:.1f} s"

    def seek(self, frame):
        self.at = frame

    def read(self, frames, dtype, always_2d):
        """(frames, channels), fewer at the file's end; the arguments are SoundFile's."""
        assert always_2d
        parts, left, begin = [np.zeros((0, self.channels), dtype)], frames, 0
        for number, link in enumerate(self.index.links):
            first = self.at - begin
            begin += link.length
            if 0 <= first < link.length and left > 0:
                part = self._read(number, first, min(left, link.length - first), dtype)
                parts.append(part)
                self.at += len(part)
                left -= len(part)
        return np.concatenate(parts) if len(parts) > 2 else parts[-1]

    def _read(self, number, first, count, dtype):
        """`count` samples from `first` of one of the streams."""
        self._open(number)
        link, begin, end = self.index.links[number], first, first + count
        if self.file.tell() != first or (self.subtype == "OPUS" and end > link.safe):
            if self.subtype == "OPUS":
                begin = max(0, min(first, link.safe) - round(PREROLL * self.samplerate))
                end = link.length if end > link.safe else end
            else:
                begin = max(0, min(first, link.safe - BLOCK))
            self.file.seek(begin)
        sound = self.file.read(end - begin, dtype=dtype, always_2d=True)
        return sound[first - begin : first - begin + count]

    def _open(self, number):
        if self.link == number:
            return
        self.close()
        link = self.index.links[number]
        whole = len(self.index.links) == 1 and self.index.flaw is None
        place = self.path if whole else Window(self.path, link.start, link.end)
        self.link, self.file = number, sound_file(place)
