"""Archives, unpacked into one folder and nowhere else."""

import logging
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from files import UserError

log = logging.getLogger("prepare")


def unpack(archive, folder):
    """Unpack a zip or tar file (.tar, .tar.gz, .tar.bz2, .tar.xz) into `folder`.

    Files that are there already with the right size are left alone; each other one appears whole.

    Raises:
        UserError: the archive is broken or locked, or holds links or paths that lead out of
            `folder`; the disk is full.
    """
    archive, folder = Path(archive), Path(folder)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                _write(archive, folder, _of_zip(archive, file))
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as file:
                _write(archive, folder, _of_tar(archive, file))
        else:
            raise UserError(f"{archive}: neither a zip nor a tar file; get it again")
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError) as error:
        raise UserError(f"{archive}: cannot be unpacked ({error}); get it again") from error
    except OSError as error:
        raise UserError(
            f"{folder}: {archive.name} cannot be unpacked there ({error.strerror or error}); free "
            "the disk and run it again"
        ) from error


def _of_zip(archive, file):
    """(path in the archive, bytes, a function that opens it) of each file."""
    for member in file.infolist():
        if stat.S_ISLNK(member.external_attr >> 16):
            raise UserError(f"{archive}: holds a link, {member.filename}; unpack it by hand")
        if not member.is_dir():
            yield member.filename, member.file_size, lambda member=member: file.open(member)


def _of_tar(archive, file):
    for member in file:
        if member.isfile():
            yield member.name, member.size, lambda member=member: file.extractfile(member)
        elif not member.isdir():
            raise UserError(
                f"{archive}: holds {member.name}, which is neither a file nor a folder; unpack it "
                "by hand"
            )


def _write(archive, folder, members):
    bar = tqdm(desc=f"unpacking {archive.name}", unit="B", unit_scale=True, disable=None)
    with bar:
        for name, size, opened in members:
            path = _inside(archive, folder, name)
            bar.update(size)
            if path.is_file() and path.stat().st_size == size:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".unpacking.")
            try:
                with os.fdopen(handle, "wb") as target, opened() as source:
                    shutil.copyfileobj(source, target, 1 << 20)
                os.chmod(temporary, 0o644)
                os.replace(temporary, path)
            finally:
                Path(temporary).unlink(missing_ok=True)


def _inside(archive, folder, name):
    """The path of a member, which must not lead out of `folder`."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0] == "/" or ":" in parts[0]:
        raise UserError(
            f"{archive}: holds the path {name!r}, which leads out of {folder}; do not trust it"
        )
    path = folder.joinpath(*parts)
    if not path.parent.resolve().is_relative_to(folder.resolve()):  # through a link in the folder
        raise UserError(f"{archive}: {name!r} leads out of {folder} through a link; remove that")
    return path
