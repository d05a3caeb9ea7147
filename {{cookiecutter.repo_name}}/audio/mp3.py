"""MP3 files: counts their frames, and decodes excerpts that equal parts of the decoded whole.

libsndfile reads no further than the number of frames in the first frame (Xing, Info), or than a
number that it estimates from the file's size. After a seek it starts with an empty bit reservoir
(bytes of earlier frames that the next one may need). This module counts the frames, and decodes an
excerpt from a stream of the frames that it needs, with a correct info frame before them.

ISO/IEC 11172-3 and 13818-3, layer III; info frame: http://gabriel.mp3-tech.org/mp3infotag.html
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

from .lengths import OpenAudio, truncation

# kbit/s by {MPEG version in the header: (by index in the header)}; 3: MPEG-1, 2: MPEG-2 and 2.5
KBITS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
}
# sample rates in Hz by {MPEG version in the header: (by index in the header)}; 0: MPEG-2.5
RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
LAYER_3 = 1
STREAM_BITS = 0xFFFE0C00  # bits that all headers of a stream share: sync, version, layer, rate
MONO = 3  # channel mode in the header
DECODER_DELAY = 529  # samples, added to the encoder's delay
RESERVOIR = 29  # frames: the bit reservoir has up to 511 bytes, a frame at least 24 - 4 - 9 of them
SETTLED = 3  # frames after which the state of overlap-add and filter bank is as in the whole
PERIOD = 8  # frames after which the filter bank sums in the same order again, with equal rounding
SEARCHED = 1 << 16  # bytes that are searched for the first frame of a file named .mp3
INFO = (b"Xing", b"Info")


class Header(NamedTuple):
    """The header of a frame."""

    bits: int  # all 32 bits of it
    bytes: int  # in the frame
    samples: int  # in the frame
    rate: int  # sample rate in Hz
    channels: int
    side: int  # bytes of side information, which follows the header (and its checksum)


class Index(NamedTuple):
    """The frames of a file.

    Attributes:
        header: of the first frame.
        starts, sizes: of each frame in bytes, int64 (frames,).
        skipped: samples at the beginning that are not part of the signal.
        length: samples of the signal.
        silent: {frame: main_data_begin} of frames that cannot be decoded; they are replaced by
            silent frames, and with this value the bit reservoir stays as it is.
        flaw: what is missing or damaged, in words; None: nothing.
    """

    header: Header
    starts: np.ndarray
    sizes: np.ndarray
    skipped: int
    length: int
    silent: dict
    flaw: str | None


@functools.lru_cache(maxsize=1 << 14)
def parse_header(bits):
    """The Header from its 32 bits; None if they are not a valid header of layer III."""
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
    """Does the file begin with MP3 frames, or with an ID3 tag followed by frames?

    A file named .mp3 may begin with a part of a frame, as recordings of broadcasts do.
    """
    with open(path, "rb") as file:
        head = file.read(10)
        is_named_mp3 = os.fspath(path).lower().endswith(".mp3")
        if not is_named_mp3 and not head.startswith((b"ID3", b"\xff")):
            return False
        file.seek(_tag_size(head, 0))
        return _first_frame(file.read(SEARCHED if is_named_mp3 else 8192)) is not None


def _first_frame(data, at=0):
    """The offset of the first frame at or after `at`; None if there is none.

    A frame at `at` has to be followed by another frame, a tag or the end of the file, a later one
    by two more frames.
    """
    for match in re.compile(rb"\xff[\xe2-\xfb]").finditer(data, at, at + SEARCHED):
        start = match.start()
        first = parse_header(int.from_bytes(data[start : start + 4], "big"))
        if first is None:
            continue
        end = start + first.bytes
        second = _next_header(first, data, end)
        if second is not None and start == at:
            return start
        if second is not None and _next_header(first, data, end + second.bytes) is not None:
            return start
        if start == at and (end + 4 > len(data) or _tag_size(data, end)):
            return start
    return None


@functools.lru_cache(maxsize=1000)
def index(path, stamp):
    """The Index of a file; stamp: as of `opening._stamp`."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _index(data)


def _index(data):
    start = _tag_size(data, 0)
    at = _first_frame(data, start)
    first = parse_header(int.from_bytes(data[at : at + 4], "big"))
    starts, sizes, flaws, declared = [], [], [], None
    gaps = [0] if at > start else []  # numbers of the frames before which bytes are missing
    size = len(data)
    while at + 4 <= size:
        header = _next_header(first, data, at)
        if header is not None:
            if at + header.bytes > size:
                break
            if _info_offset(data, at, header) is None:
                starts.append(at)
                sizes.append(header.bytes)
            elif declared is None and not starts:
                declared = _read_info(data, at, header)
            at += header.bytes
        elif tag_size := _tag_size(data, at):
            at += tag_size
        elif _is_another_stream(data, at):
            seconds = len(starts) * first.samples / first.rate
            flaws.append(f"changes its rate or channels at {seconds:.1f} s")
            break
        else:
            found = _find_frames(first, data, at + 1)
            if found is None:
                break
            seconds = len(starts) * first.samples / first.rate
            flaws.append(f"damaged at {seconds:.1f} s (not MP3: {amount(found - at, 'byte')})")
            gaps.append(len(starts))
            at = found
    frames, delay, padding = declared or (0, 0, 0)
    count = len(starts)
    skipped = min(delay, count * first.samples)
    length = count * first.samples - skipped
    if count == frames:
        length = max(0, length - padding)
    # some encoders count the info frame too: if one frame is missing, the file is truncated only
    # if it ends within a frame
    is_truncated = count < frames - 1 or (count < frames and at < size)
    if is_truncated:
        whole = frames * first.samples - delay - padding
        flaws.insert(0, truncation(length, whole, first.rate))
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
    """{frame: main_data_begin} of the frames around gaps that are damaged or need missing bytes."""
    silent = {}
    for gap in gaps:
        reservoir = 0
        if gap:
            silent[gap - 1] = 0  # its end may be missing
        for number in range(gap, min(gap + RESERVOIR, len(starts))):
            side = starts[number] + (4 if data[starts[number] + 1] & 1 else 6)
            needed = int.from_bytes(data[side : side + 2], "big") >> (
                16 - _reservoir_limits(first)[0]
            )
            if needed <= reservoir:
                break
            silent[number] = reservoir
            _, limit = _reservoir_limits(first)
            reservoir = min(reservoir + sizes[number] - 4 - first.side, limit)
    return silent


def _reservoir_limits(header):
    """(number of bits of main_data_begin, its largest value)."""
    return (9, 511) if header.samples == 1152 else (8, 255)


def _next_header(first, data, at):
    """The Header at an offset, if it belongs to the same stream as `first`; else None."""
    bits = int.from_bytes(data[at : at + 4], "big")
    if (bits ^ first.bits) & STREAM_BITS:
        return None
    header = parse_header(bits)
    return header if header is not None and header.channels == first.channels else None


def _is_another_stream(data, at):
    """Do two frames of another stream begin at an offset?"""
    other = parse_header(int.from_bytes(data[at : at + 4], "big"))
    return other is not None and _next_header(other, data, at + other.bytes) is not None


def _find_frames(first, data, at):
    """The offset of the next two consecutive frames at or after `at`; None if there are none."""
    second = first.bits >> 16 & 0xFE  # second byte of a header; its last bit: is there no checksum?
    for match in re.compile(b"\xff[%c%c]" % (second, second | 1), re.S).finditer(data, at):
        start = match.start()
        header = _next_header(first, data, start)
        if header is not None and _next_header(first, data, start + header.bytes) is not None:
            return start
    return None


def _tag_size(data, at):
    """The bytes of the tag (ID3v2, ID3v1 or APEv2) that begins at an offset; 0: there is none."""
    head = bytes(data[at : at + 16])
    if head[:3] == b"ID3" and len(head) >= 10:
        size = 0
        for byte in head[6:10]:  # 7 bits each
            size = size << 7 | byte & 127
        return 10 + size + (10 if head[5] & 16 else 0)
    if head[:3] == b"TAG":
        return 128
    if head[:8] == b"APETAGEX":
        return 32 + int.from_bytes(head[12:16], "little")
    return 0


def _info_offset(data, at, header):
    """The offset of the tag (Xing, Info or VBRI) in an info frame; None for any other frame."""
    for offset, names in ((at + 4 + header.side, INFO), (at + 36, (b"VBRI",))):
        if data[offset : offset + 4] in names:
            return offset
    return None


def _read_info(data, at, header):
    """(frames, samples before the signal, samples after it) by an info frame, or None."""
    tag = _info_offset(data, at, header)
    if data[tag : tag + 4] == b"VBRI":
        return int.from_bytes(data[tag + 14 : tag + 18], "big"), 0, 0
    flags = int.from_bytes(data[tag + 4 : tag + 8], "big")
    if not flags & 1:
        return None
    frames = int.from_bytes(data[tag + 8 : tag + 12], "big")
    # LAME's extension follows the fields that the flags announce: 4, 4, 100 and 4 bytes
    encoder = tag + 8 + 4 * (flags & 1) + 2 * (flags & 2) + 25 * (flags & 4) + (flags & 8) // 2
    if encoder + 24 > at + header.bytes or not data[encoder]:
        return frames, 0, 0
    both = int.from_bytes(data[encoder + 21 : encoder + 24], "big")
    delay, padding = (both >> 12) + DECODER_DELAY, max(0, (both & 0xFFF) - DECODER_DELAY)
    return frames, delay, padding


class Mp3(OpenAudio):
    """An open MP3 file, with the methods and attributes of SoundFile that this project uses."""

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
        """Read like SoundFile: float32 (frames, channels), fewer at the end of the file."""
        assert dtype == "float32" and always_2d
        count = max(0, min(frames, self.frames - self.at))
        if count == 0:
            return np.zeros((0, self.channels), np.float32)
        header, total = self.index.header, len(self.index.starts)
        begin = self.at + self.index.skipped
        first, last = begin // header.samples, min(total, -(-(begin + count) // header.samples))
        # decoding starts at `settling`; the frames from `filling` to there only fill the reservoir
        settling = max(0, first - SETTLED)
        filling = max(0, settling - RESERVOIR) // PERIOD * PERIOD
        frames = [self._frame(number) for number in range(filling, last)]
        empty = header.bits.to_bytes(4, "big").ljust(header.bytes, b"\0")
        # libsndfile skips the first DECODER_DELAY samples: these are in the silent frames
        stream = [_silence(header, empty, 0)] * PERIOD
        stream += _silence_all(header, frames[: settling - filling])
        stream += frames[settling - filling :]
        with soundfile.SoundFile(io.BytesIO(_with_info_frame(header, stream))) as decoded:
            sound = decoded.read(dtype="float32", always_2d=True)
        skipped = begin + (PERIOD - filling) * header.samples - DECODER_DELAY
        self.at += count
        return sound[skipped : skipped + count]

    def _frame(self, number):
        """The bytes of a frame; of a silent one if it cannot be decoded."""
        self.file.seek(self.index.starts[number])
        frame = self.file.read(self.index.sizes[number])
        if number in self.index.silent:
            return _silence(self.index.header, frame, self.index.silent[number])
        return frame


def _with_info_frame(header, frames):
    """The bytes of a stream: an info frame with the number of frames, then the frames."""
    bits = header.bits & ~0xF000 | 14 << 12 | 1 << 16  # the highest bit rate, and no checksum
    info = INFO[1] + (1).to_bytes(4, "big") + len(frames).to_bytes(4, "big")
    first = bits.to_bytes(4, "big") + bytes(header.side) + info
    return first.ljust(parse_header(bits).bytes, b"\0") + b"".join(frames)


def _silence_all(header, frames):
    """The frames made silent; each keeps the bit reservoir before it."""
    silent, reservoir = [], 0
    for frame in frames:
        silent.append(_silence(header, frame, reservoir))
        _, limit = _reservoir_limits(header)
        reservoir = min(reservoir + len(frame) - 4 - header.side, limit)
    return silent


def _silence(header, frame, main_data_begin):
    """A frame with its side information replaced: no sound, and this `main_data_begin`."""
    bits = (header.bits | 1 << 16).to_bytes(4, "big")  # no checksum
    begin = main_data_begin << 16 - _reservoir_limits(header)[0]
    side = begin.to_bytes(2, "big").ljust(header.side, b"\0")
    return bits[:2] + frame[2:4] + side + frame[4 + header.side :]
