"""Files that are audio but cannot be read here, by what they begin with."""

BEGINNINGS = (  # (place, bytes, what it is)
    (4, b"ftyp", "MPEG-4 audio (M4A, AAC)"),
    (0, b"\xff\xf1", "AAC"),
    (0, b"\xff\xf9", "AAC"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media Audio (ASF)"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
)
IN_OGG = ((b"\x7fFLAC", "FLAC in an Ogg container"), (b"Speex   ", "Speex"))


def foreign(head):
    """What a file is of which libsndfile reads nothing, by its first 64 bytes; None: another."""
    if head.startswith(b"OggS"):
        return next((kind for sign, kind in IN_OGG if sign in head), None)
    return next((kind for at, sign, kind in BEGINNINGS if head[at : at + len(sign)] == sign), None)
