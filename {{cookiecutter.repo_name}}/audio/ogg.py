"""Ogg files (Vorbis, Opus): checks their pages, and works around limitations of libsndfile.

libsndfile treats a truncated file as complete, skips damaged pages silently, and reads only the
first of several chained streams. Its seeks into the last page of Vorbis are off by some hundred
samples. It fails if the last page of Opus is read in two parts. Its preroll for Opus, 80 ms, is too
short for the decoder to reach the state that it has in the whole. RFC 3533; RFC 7845.
"""

import functools
import itertools
import mmap
import zlib
from typing import NamedTuple

import numpy as np
import soundfile

from errors import UserError

from .lengths import FileSection, OpenAudio, sound_file

PREROLL = 0.5  # seconds of Opus decoded before an excerpt, after which music is as in the whole
CHUNK = 1 << 18  # samples that are decoded at once
BLOCK = 8192  # samples in Vorbis' longest block
FIRST, LAST = 2, 4  # flags of the first and last page of a stream
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Link(NamedTuple):
    """One of the chained streams of a file.

    Attributes:
        start, end: in bytes.
        safe: samples before the last page, in which libsndfile seeks correctly.
        length: samples that can be decoded.
        kind: (sample rate in Hz, channels).
    """

    start: int
    end: int
    safe: int
    length: int
    kind: tuple


class Index(NamedTuple):
    """The streams of a file; flaw: what is missing or damaged, in words, or None."""

    links: tuple
    flaw: str | None


@functools.lru_cache(maxsize=10_000)
def index(path, stamp):
    """The Index of a file; stamp: as of `opening._stamp`."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        streams, end, flaw = _streams(data)
    if not streams:
        raise OSError("it has no complete page")
    if flaw is None and not all(pages[-1][1] & LAST for _, pages in streams):
        flaw = "cut short, its last page is missing"
    links = []
    for (start, pages), (stop, _) in itertools.pairwise([*streams, (end, None)]):
        safe = pages[-2][0] if len(pages) > 1 else 0
        try:
            links.append(_measure(path, start, stop, safe, whole=flaw is None))
        except soundfile.LibsndfileError as error:
            if flaw is None:
                raise
            raise UserError(f"{path}: {flaw}; nothing decodes of it: copy it again") from error
    same_kind = list(itertools.takewhile(lambda link: link.kind == links[0].kind, links))
    if len(same_kind) < len(links):
        flaw = flaw or "changes its rate or channels"
    return Index(tuple(same_kind), flaw)


def _streams(data):
    """Parse the pages of a file up to the first one that is damaged or missing.

    Returns:
        (streams, end, flaw): streams: [(offset, [(samples at the end of the page, flags)])] of the
        chained streams; end: the offset up to which the file is intact; flaw: what is wrong there,
        in words, or None.
    """
    at, streams, numbers, begins = 0, [], {}, False
    while at < len(data):
        page = _page(data, at)
        if page is None:
            is_cut = data[at : at + 4] == b"OggS"
            is_complete = bool(streams) and bool(streams[-1][1][-1][1] & LAST)
            if not is_cut and is_complete and data.find(b"OggS", at) < 0:
                return streams, at, None  # a tag that a player has appended
            return streams, at, f"cut short at byte {at}" if is_cut else f"damaged at byte {at}"
        size, flags, granule, serial, number, is_intact = page
        if flags & FIRST and not begins:  # the first pages of multiplexed streams are consecutive
            streams.append((at, [(0, 0)]))
            numbers = {}
        begins = bool(flags & FIRST)
        if not is_intact or not streams or numbers.get(serial, number - 1) != number - 1:
            return streams, at, f"damaged at byte {at}"
        numbers[serial] = number
        if granule >= 0:  # otherwise no packet ends on this page
            streams[-1][1].append((granule, flags))
        at += size
    return streams, at, None


def _measure(path, start, end, safe, whole):
    """The Link of a stream; whole: is the file intact?"""
    with soundfile.SoundFile(FileSection(path, start, end)) as file:
        if file.subtype == "OPUS":
            safe = safe * file.samplerate // 48000
        length = file.frames
        if not whole:  # libsndfile's length may be wrong: count the samples
            length = 0
            while count := len(file.read(CHUNK, dtype="float32")):
                length += count
        kind = file.samplerate, file.channels
    return Link(start, end, min(safe, length), length, kind)


def _page(data, at):
    """The page at an offset: (bytes, flags, samples at its end, serial number of the stream, number
    of the page, is its checksum correct?); None: there is no complete page."""
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
    """The checksum of a page: zlib's polynomial with the bits of each byte reversed, starting at
    0."""
    crc = zlib.crc32(content.translate(MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return crc.to_bytes(4, "big").translate(MIRRORED)


class Ogg(OpenAudio):
    """An open Ogg file, with the methods and attributes of SoundFile that this project uses."""

    def __init__(self, path, stamp):
        self.path = path
        self.index = index(str(path), stamp)
        self.link_number, self.file = None, None
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
        """Read like SoundFile: (frames, channels), fewer at the end of the file."""
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
        """Read `count` samples from `first` of one stream."""
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
        """Open one of the streams as `self.file`."""
        if self.link_number == number:
            return
        self.close()
        link = self.index.links[number]
        whole = len(self.index.links) == 1 and self.index.flaw is None
        place = self.path if whole else FileSection(self.path, link.start, link.end)
        self.link_number, self.file = number, sound_file(place)
