"""Unpacks archives safely: no file is written outside of the given folder."""

import bz2
import gzip
import logging
import lzma
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from errors import UserError
from files import UNFINISHED, usual_mode

# {first bytes: function that opens such a compressed file}
COMPRESSED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
AGAIN = "remove it and get it again"  # a file that is there is not downloaded
log = logging.getLogger("prepare")


# what the standard library raises for broken archives
BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    ValueError,
    IndexError,
    struct.error,
)


def unpack(archive, folder, checked=True, skip_links=False):
    """Unpack a zip or tar file (.tar, .tar.gz, .tar.bz2, .tar.xz) into `folder`.

    Existing files with the same content are kept; all others are written atomically.

    Args:
        checked: was the archive checked by its hash? Otherwise a compressed tar file is first read
            to its end, where its checksum is.
        skip_links: ignore the links in a tar file? Otherwise they are an error.

    Raises:
        UserError: the archive is broken or encrypted, or has links or paths that lead out of
            `folder`; the disk is full.
    """
    archive, folder = Path(archive), Path(folder)
    try:
        if _is_tar(archive):  # first: a tar file that ends with a zip file looks like a zip file
            if not checked:
                _read_through(archive)
            with tarfile.open(archive) as file:
                _write(archive, folder, _tar_members(archive, file, skip_links))
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                _write(archive, folder, _zip_members(archive, file))
        else:
            with open(archive, "rb") as file:
                is_page = file.read(100).lstrip().startswith(b"<")
            found = "a web page in place of the archive" if is_page else "damaged, or no archive"
            raise UserError(f"{archive}: {found} (a zip or tar file); {AGAIN}")
    except BROKEN as error:
        raise UserError(f"{archive}: cannot be unpacked ({error}); {AGAIN}") from error
    except OSError as error:
        raise UserError(
            f"{folder}: {archive.name} cannot be unpacked there ({error.strerror or error}); free "
            "the disk and run it again"
        ) from error


def _is_tar(archive):
    try:
        return tarfile.is_tarfile(archive)
    except (OSError, *BROKEN):  # damaged in the first bytes, which are decompressed for this check
        return False


def _read_through(archive):
    """Decompress an archive to its end, which checks the checksums of gzip, bzip2 and xz."""
    with open(archive, "rb") as file:
        start = file.read(6)
    for magic, open_compressed in COMPRESSED.items():
        if start.startswith(magic):
            bar = tqdm(desc=f"checking {archive.name}", unit="B", unit_scale=True, disable=None)
            try:
                with bar, open_compressed(archive) as file:
                    while chunk := file.read(1 << 20):
                        bar.update(len(chunk))
            except (OSError, *BROKEN) as error:
                raise UserError(f"{archive}: is damaged ({error}); {AGAIN}") from error


def _zip_members(archive, file):
    """Yields (path in the archive, size in bytes, function that opens it) of each file."""
    for member in file.infolist():
        if not member.filename:
            raise UserError(f"{archive}: holds an entry without a name; unpack it by hand")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise UserError(f"{archive}: holds a link, {member.filename}; unpack it by hand")
        if not member.is_dir():
            yield member.filename, member.file_size, lambda member=member: file.open(member)


def _tar_members(archive, file, skip_links):
    """As `_zip_members`."""
    for member in file:
        if member.isfile():
            yield member.name, member.size, lambda member=member: file.extractfile(member)
        elif not member.isdir() and not (skip_links and member.issym()):
            raise UserError(
                f"{archive}: holds {member.name}, which is neither a file nor a folder; unpack it "
                "by hand"
            )


def _write(archive, folder, members):
    """Write the members of an archive, as of `_zip_members`, that do not exist yet."""
    bar = tqdm(desc=f"unpacking {archive.name}", unit="B", unit_scale=True, disable=None)
    with bar:
        for name, size, open_member in members:
            path = _safe_path(archive, folder, name)
            bar.update(size)
            if _exists(path, size, open_member):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(UNFINISHED, ".unpacking.", path.parent)
            try:
                with os.fdopen(handle, "wb") as target, open_member() as source:
                    shutil.copyfileobj(source, target, 1 << 20)
                os.chmod(temporary, usual_mode())
                os.replace(temporary, path)
            finally:
                Path(temporary).unlink(missing_ok=True)


def _exists(path, size, open_member):
    """Does the file exist with the same content as the member of the archive?"""
    if not path.is_file() or path.stat().st_size != size:
        return False
    with open(path, "rb") as existing, open_member() as source:
        while chunk := source.read(1 << 20):
            if chunk != existing.read(len(chunk)):
                return False
    return True


def _safe_path(archive, folder, name):
    """The path in `folder` of a member; an error if it leads out of `folder`."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0] == "/" or ":" in parts[0]:
        raise UserError(
            f"{archive}: holds the path {name!r}, which leads out of {folder}; do not trust it"
        )
    path = folder.joinpath(*parts)
    if not path.parent.resolve().is_relative_to(folder.resolve()):  # through a link in the folder
        raise UserError(f"{archive}: {name!r} leads out of {folder} through a link; remove that")
    return path
