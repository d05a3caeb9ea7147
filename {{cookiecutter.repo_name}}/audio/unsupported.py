"""Recognises audio formats that libsndfile cannot read by their first bytes."""

SIGNATURES = (  # (offset, bytes, name of the format)
    (4, b"ftyp", "MPEG-4 audio (M4A, AAC)"),
    (0, b"\xff\xf1", "AAC"),
    (0, b"\xff\xf9", "AAC"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media Audio (ASF)"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
)
#: suffixes of such files, in lower case; ffmpeg reads them
UNSUPPORTED = (".m4a", ".mp4", ".aac", ".wma", ".webm", ".mka")
IN_OGG = ((b"\x7fFLAC", "FLAC in an Ogg container"), (b"Speex   ", "Speex"))


def unsupported_format(head):
    """The format of a file by its first 64 bytes; None: it is none of the unsupported ones."""
    if head.startswith(b"OggS"):
        for signature, name in IN_OGG:
            if signature in head:
                return name
        return None
    for offset, signature, name in SIGNATURES:
        if head.startswith(signature, offset):
            return name
    return None
