"""FLAC files: determines the number of samples from the last frame.

The total in the header is 0 if the encoder wrote to a pipe, and wrong if the file was truncated or
its header is damaged. RFC 9639, sections 8.2 and 9.1.
"""

import os

import soundfile

from .lengths import PatchedFile, sound_file

TAIL = 1 << 18  # bytes to search for the last frame if the header has no maximum size of frames
BLOCK_SIZES = {  # {code in a frame's header: samples}
    1: 192,
    **{code: 144 << code for code in range(2, 6)},
    **{code: 1 << code for code in range(8, 16)},
}


def measure(path):
    """Compare the number of samples in the frames with that in the header.

    Returns:
        (samples that can be decoded, samples in the header, function that opens the file); None for
        a file that is not FLAC or has no frame, which is left to libsndfile.
    """
    with open(path, "rb") as file:
        head = file.read(42)
        if head[:4] != b"fLaC" or len(head) < 42:
            return None
        block, largest = int.from_bytes(head[10:12], "big"), int.from_bytes(head[15:18], "big")
        declared = int.from_bytes(head[21:26], "big") & (1 << 36) - 1
        size = file.seek(0, os.SEEK_END)
        file.seek(max(42, size - 2 * (largest or TAIL) - 128))
        tail = file.read()
    if tail[-128:-125] == b"TAG":  # an ID3v1 tag that a player has appended
        tail = tail[:-128]
    last = _last_frame(tail, block)
    if last is None:
        return None
    at, first, samples = last
    actual = first + samples

    def unchanged():
        return sound_file(path)

    if declared == actual and _decodes(unchanged):
        return actual, declared, unchanged
    if _crc16(tail[at:]) != 0:
        actual = first  # the last frame is incomplete
    total = (head[21] & 0xF0) << 32 | actual

    def with_corrected_total():
        return soundfile.SoundFile(PatchedFile(path, 21, total.to_bytes(5, "big")))

    if not _decodes(with_corrected_total):
        return None
    return actual, declared, with_corrected_total


def _decodes(open_again):
    """Can the last sample be read?"""
    try:
        with open_again() as file:
            file.seek(max(0, file.frames - 1))
            return len(file.read(1)) == 1
    except (soundfile.LibsndfileError, RuntimeError):
        return False


def _last_frame(tail, block):
    """(offset, first sample, samples) of the last frame that begins in `tail`, or None."""
    at = len(tail)
    while (at := tail.rfind(b"\xff", 0, at)) >= 0:
        if (found := _frame(tail, at, block)) is not None:
            return at, *found
    return None


def _frame(data, at, block):
    """(first sample, samples) if a frame begins at this offset, else None.

    block: samples in a frame, for files in which frames are numbered instead of samples.
    """
    head = data[at : at + 16]
    if len(head) < 6 or head[1] & 0xFE != 0xF8 or head[3] & 1 or head[3] >> 4 > 10:
        return None
    code, rate, number = head[2] >> 4, head[2] & 15, head[4]
    if code == 0 or rate == 15 or number == 0xFF or number & 0xC0 == 0x80:
        return None
    more = 0  # further bytes of the number, which is coded like a character in UTF-8
    while number & 0x80 >> more and more < 7:
        more += 1
    number &= 0x7F >> more
    more = max(0, more - 1)
    for byte in head[5 : 5 + more]:
        number = number << 6 | byte & 63
    end = 5 + more
    samples = BLOCK_SIZES.get(code, 0)
    if code in (6, 7):
        samples = int.from_bytes(head[end : end + code - 5], "big") + 1
        end += code - 5
    end += {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if len(head) <= end or _crc8(head[:end]) != head[end]:
        return None
    return (number if head[1] & 1 else number * block), samples


def _crc8(data):
    crc = 0
    for byte in data:
        crc = CRC8[crc ^ byte]
    return crc


def _crc16(data):
    crc = 0
    for byte in data:
        crc = (crc & 0xFF) << 8 ^ CRC16[crc >> 8 ^ byte]
    return crc


def _table(polynomial, bits):
    """The table of a CRC for each value of a byte."""
    table = []
    for value in range(256):
        value <<= bits - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> bits - 1 else 0)
            value &= (1 << bits) - 1
        table.append(value)
    return table


CRC8, CRC16 = _table(0x07, 8), _table(0x8005, 16)
