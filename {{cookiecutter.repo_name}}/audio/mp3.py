"""MP3 files by the frames in them, not by what a header promises.

libsndfile believes the number of frames in an MP3's first frame (Xing, Info), or guesses one from
the file's size, reads no further than that, and after a seek starts with an empty bit reservoir
(bytes of earlier frames that the next one may need). Here the frames themselves are counted, and an
excerpt is decoded from a stream of just the frames that it needs, with a correct first frame before
them.

ISO/IEC 11172-3 and 13818-3, layer III; the first frame as LAME writes it
(http://gabriel.mp3-tech.org/mp3infotag.html).
"""

import functools
import io
import mmap
import os
import re
from typing import NamedTuple

import numpy as np
import soundfile

from errors import amount

from .lengths import Opened, cut_short

KBITS = {  # a second, by the index in a frame's header
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
}
RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
LAYER_3 = 1
SAME = 0xFFFE0C00  # the bits of a header that all frames share: sync, version, layer, rate
MONO = 3
DECODER_DELAY = 529  # samples, which are counted to the encoder's delay
RESERVOIR = 29  # frames that the bit reservoir may span: 511 bytes of at least 24 - 4 - 9
SETTLED = 3  # frames after which the overlap and the filter bank hold what they hold in the whole
TURN = 8  # frames after which the filter bank adds up in the same order again
SEARCHED = 1 << 16  # bytes in which a file that is called .mp3 begins
INFO = (b"Xing", b"Info")


class Header(NamedTuple):
    """What the four bytes before a frame say."""

    bits: int
    bytes: int
    samples: int
    rate: int
    channels: int
    side: int  # bytes of side information behind the header (and its checksum)


class Index(NamedTuple):
    """Where the frames of a file are; `length` samples are left after `skipped` ones. `silent`: the
    `main_data_begin` of frames that cannot be decoded, by which they keep the bit reservoir."""

    header: Header
    starts: np.ndarray
    sizes: np.ndarray
    skipped: int
    length: int
    silent: dict
    flaw: str | None


@functools.lru_cache(maxsize=1 << 14)
def header(bits):
    """The Header that 32 bits are, or None."""
    version, layer = bits >> 19 & 3, bits >> 17 & 3
    if bits >> 21 != 0x7FF or version == 1 or layer != LAYER_3 or bits >> 10 & 3 == 3:
        return None
    rate = RATES[version][bits >> 10 & 3]
    kbits = KBITS[3 if version == 3 else 2][bits >> 12 & 15]
    if kbits == 0:
        return None
    samples = 1152 if version == 3 else 576
    mono = bits >> 6 & 3 == MONO
    side = (17 if mono else 32) if version == 3 else (9 if mono else 17)
    size = samples // 8 * kbits * 1000 // rate + (bits >> 9 & 1)
    return Header(bits, size, samples, rate, 1 if mono else 2, side)


def is_mp3(path):
    """Does the file begin with MP3 frames, perhaps behind an ID3 tag; or, called .mp3, behind the
    rest of a frame, as a recording of a broadcast does?"""
    with open(path, "rb") as file:
        head = file.read(10)
        called = os.fspath(path).lower().endswith(".mp3")
        if not called and not head.startswith((b"ID3", b"\xff")):
            return False
        file.seek(_tag(head, 0))
        return _begin(file.read(SEARCHED if called else 8192)) is not None


def _begin(data, at=0):
    """Where the first frame begins that another one, a tag or the file's end follows, or None."""
    for match in re.compile(rb"\xff[\xe2-\xfb]").finditer(data, at, at + SEARCHED):
        place = match.start()
        first = header(int.from_bytes(data[place : place + 4], "big"))
        if first is None:
            continue
        follows = place + first.bytes
        second = _next_of(first, data, follows)
        if second is not None and place == at:
            return place
        if second is not None and _next_of(first, data, follows + second.bytes) is not None:
            return place
        if place == at and (follows + 4 > len(data) or _tag(data, follows)):
            return place
    return None


@functools.lru_cache(maxsize=1000)
def index(path, stamp):
    """The Index of a file; `stamp` is its size and time, with which it may change."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _index(data)


def _index(data):
    behind = _tag(data, 0)
    at = _begin(data, behind)
    first = header(int.from_bytes(data[at : at + 4], "big"))
    starts, sizes, flaws, promised = [], [], [], None
    gaps = [0] if at > behind else []
    size = len(data)
    while at + 4 <= size:
        here = _next_of(first, data, at)
        if here is not None:
            if at + here.bytes > size:
                break
            if _info_at(data, at, here) is None:
                starts.append(at)
                sizes.append(here.bytes)
            elif promised is None and not starts:
                promised = _promise(data, at, here)
            at += here.bytes
        elif tag := _tag(data, at):
            at += tag
        elif _is_another(data, at):
            seconds = len(starts) * first.samples / first.rate
            flaws.append(f"changes its rate or channels at {seconds:.1f} s")
            break
        else:
            found = _resumed(first, data, at + 1)
            if found is None:
                break
            seconds = len(starts) * first.samples / first.rate
            flaws.append(f"damaged at {seconds:.1f} s (not MP3: {amount(found - at, 'byte')})")
            gaps.append(len(starts))
            at = found
    frames, delay, padding = promised or (0, 0, 0)
    count = len(starts)
    skipped = min(delay, count * first.samples)
    length = count * first.samples - skipped
    if count == frames:
        length = max(0, length - padding)
    # a frame that begins and is not whole tells a cut from a promise that counts itself
    cut = count < frames - 1 or (count < frames and at < size)
    if cut:
        whole = frames * first.samples - delay - padding
        flaws.insert(0, cut_short(length, whole, first.rate))
    silent = _undecodable(first, data, starts, sizes, gaps)
    return Index(
        first,
        np.array(starts, np.int64),
        np.array(sizes, np.int64),
        skipped,
        length,
        silent,
        ", ".join(flaws) or None,
    )


def _undecodable(first, data, starts, sizes, gaps):
    """{frame: `main_data_begin`}: those around a gap that are damaged or need bytes from it."""
    silent = {}
    for gap in gaps:
        reservoir = 0
        if gap:
            silent[gap - 1] = 0  # its end may be gone
        for number in range(gap, min(gap + RESERVOIR, len(starts))):
            side = starts[number] + (4 if data[starts[number] + 1] & 1 else 6)
            needed = int.from_bytes(data[side : side + 2], "big") >> (16 - _reach(first)[0])
            if needed <= reservoir:
                break
            silent[number] = reservoir
            reservoir = min(reservoir + sizes[number] - 4 - first.side, _reach(first)[1])
    return silent


def _reach(head):
    """(bits of `main_data_begin`, its largest value)."""
    return (9, 511) if head.samples == 1152 else (8, 255)


def _next_of(first, data, at):
    """The header at a place, if it is one of the same stream as `first`."""
    bits = int.from_bytes(data[at : at + 4], "big")
    if (bits ^ first.bits) & SAME:
        return None
    here = header(bits)
    return here if here is not None and here.channels == first.channels else None


def _is_another(data, at):
    """Do two frames of another stream begin at a place?"""
    other = header(int.from_bytes(data[at : at + 4], "big"))
    return other is not None and _next_of(other, data, at + other.bytes) is not None


def _resumed(first, data, at):
    """Where two frames in a row begin, from `at` on, or None."""
    second = first.bits >> 16 & 0xFE  # the last bit says if there is a checksum
    for match in re.compile(b"\xff[%c%c]" % (second, second | 1), re.S).finditer(data, at):
        here = _next_of(first, data, match.start())
        if here is not None and _next_of(first, data, match.start() + here.bytes) is not None:
            return match.start()
    return None


def _tag(data, at):
    """The length of a tag (ID3v2, ID3v1, APEv2) that begins at a place, or 0."""
    head = bytes(data[at : at + 16])
    if head[:3] == b"ID3" and len(head) >= 10:
        size = functools.reduce(lambda total, byte: total << 7 | byte & 127, head[6:10], 0)
        return 10 + size + (10 if head[5] & 16 else 0)
    if head[:3] == b"TAG":
        return 128
    if head[:8] == b"APETAGEX":
        return 32 + int.from_bytes(head[12:16], "little")
    return 0


def _info_at(data, at, here):
    """The place of what an encoder tells of the whole stream, in a frame without sound, or None."""
    for place, names in ((at + 4 + here.side, INFO), (at + 36, (b"VBRI",))):
        if data[place : place + 4] in names:
            return place
    return None


def _promise(data, at, here):
    """(frames, samples before the sound, samples after it) by the first frame, or None."""
    place = _info_at(data, at, here)
    if data[place : place + 4] == b"VBRI":
        return int.from_bytes(data[place + 14 : place + 18], "big"), 0, 0
    flags = int.from_bytes(data[place + 4 : place + 8], "big")
    if not flags & 1:
        return None
    frames = int.from_bytes(data[place + 8 : place + 12], "big")
    encoder = place + 8 + 4 * (flags & 1) + 2 * (flags & 2) + 25 * (flags & 4) + (flags & 8) // 2
    if encoder + 24 > at + here.bytes or not data[encoder]:
        return frames, 0, 0
    both = int.from_bytes(data[encoder + 21 : encoder + 24], "big")
    delay, padding = (both >> 12) + DECODER_DELAY, max(0, (both & 0xFFF) - DECODER_DELAY)
    return frames, delay, padding


class Mp3(Opened):
    """An MP3 file, with what is used here of a SoundFile."""

    subtype = "MPEG_LAYER_III"

    def __init__(self, path, stamp):
        self.index = index(str(path), stamp)
        self.samplerate, self.channels = self.index.header.rate, self.index.header.channels
        self.frames, self.flaw = self.index.length, self.index.flaw
        self.file = open(path, "rb")  # noqa: SIM115  (closed by the caller)
        self.at = 0

    def seek(self, frame):
        self.at = frame

    def read(self, frames, dtype, always_2d):
        """float32 (frames, channels), fewer at the file's end; the arguments are SoundFile's."""
        assert dtype == "float32" and always_2d
        count = max(0, min(frames, self.frames - self.at))
        if count == 0:
            return np.zeros((0, self.channels), np.float32)
        head, total = self.index.header, len(self.index.starts)
        begin = self.at + self.index.skipped
        first, last = begin // head.samples, min(total, -(-(begin + count) // head.samples))
        whole = max(0, first - SETTLED)  # frames before this one only fill the reservoir
        filling = max(0, whole - RESERVOIR) // TURN * TURN
        frames = [self._frame(number) for number in range(filling, last)]
        # libsndfile leaves out the first samples (DECODER_DELAY): here those of frames of silence
        silence = [_silent(head, head.bits.to_bytes(4, "big").ljust(head.bytes, b"\0"), 0)] * TURN
        stream = silence + _muted(head, frames[: whole - filling]) + frames[whole - filling :]
        with soundfile.SoundFile(io.BytesIO(_stream(head, stream))) as decoded:
            sound = decoded.read(dtype="float32", always_2d=True)
        skipped = begin + (TURN - filling) * head.samples - DECODER_DELAY
        self.at += count
        return sound[skipped : skipped + count]

    def _frame(self, number):
        self.file.seek(self.index.starts[number])
        frame = self.file.read(self.index.sizes[number])
        if number in self.index.silent:
            return _silent(self.index.header, frame, self.index.silent[number])
        return frame


def _stream(head, frames):
    """The frames behind one without sound that says how many they are."""
    bits = head.bits & ~0xF000 | 14 << 12 | 1 << 16  # room for it, and no checksum
    info = INFO[1] + (1).to_bytes(4, "big") + len(frames).to_bytes(4, "big")
    first = (bits.to_bytes(4, "big") + bytes(head.side) + info).ljust(header(bits).bytes, b"\0")
    return first + b"".join(frames)


def _muted(head, frames):
    """The frames without sound of their own, each keeping the bit reservoir before it."""
    muted, reservoir = [], 0
    for frame in frames:
        muted.append(_silent(head, frame, reservoir))
        reservoir = min(reservoir + len(frame) - 4 - head.side, _reach(head)[1])
    return muted


def _silent(head, frame, main_data_begin):
    """A frame whose side information holds no sound and this `main_data_begin`."""
    bits = (head.bits | 1 << 16).to_bytes(4, "big")  # no checksum
    begin = main_data_begin << 16 - _reach(head)[0]
    side = begin.to_bytes(2, "big").ljust(head.side, b"\0")
    return bits[:2] + frame[2:4] + side + frame[4 + head.side :]
