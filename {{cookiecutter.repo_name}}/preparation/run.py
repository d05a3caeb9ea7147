"""Runs a preparation: downloads, unpacking, steps, manifest; finished parts are not repeated."""

import contextlib
import logging
from pathlib import Path

import locks
from errors import UserError, raise_all
from files import files_below, remove_unfinished, write_files

from . import manifest, sources
from .debian import FetchPackages
from .download import fetch
from .unpack import unpack

UNPACKING = ".unpacking"  # file that marks a folder into which archives are being unpacked
LOCK = ".prepare.lock"  # hidden, so that it is in no manifest
REPEATABLE = {"FetchPackages", "MixWSJ0"}  # steps that may make different files each time
log = logging.getLogger("prepare")


def prepare(settings, steps):
    """Prepare a dataset.

    Args:
        settings: the section `prepare` of a config, with its keys as attributes.
        steps: [object with `run(source, folder)`], built from `settings.steps`.

    Returns:
        the hash of the manifest; None if the folder was complete already.

    Raises:
        UserError: a file cannot be downloaded, read or written.
    """
    folder = Path(settings.folder)
    _check_steps([step.class_name for step in settings.steps])
    plan = _plan(settings)
    source = folder if settings.source is None else Path(settings.source)
    if source.exists() and not source.is_dir():
        raise UserError(f"{source}: is a file; name the folder of the data as prepare.source")
    reason, known = manifest.why_incomplete(folder, plan), manifest.sources(folder)
    present = _list_sources(source, folder, known)
    sources.warn_of_gone(source, folder, steps, known, present)
    if reason is None and not sources.changed_files(known, present):
        log.info("%s: complete, nothing to do", folder)
        return None
    with _alone(folder):
        remove_unfinished(folder)
        return _make(settings, steps, plan, source, folder)


def _make(settings, steps, plan, source, folder):
    """Make the folder, and return the hash of its manifest."""
    known = manifest.sources(folder)
    manifest.begin(folder, plan, source, known)
    archives = _unpack_archives(settings, source)
    has_packages = any(isinstance(step, FetchPackages) for step in steps)
    if not source.is_dir() and not has_packages:
        raise UserError(
            f"{source}: no such folder; put the data there ({settings.license}), or name another "
            "prepare.source"
        )
    if steps and not has_packages:  # the hashes of packages are in the plan
        found = sources.list_files(source, folder, known)
        sources.remove_outdated(source, folder, steps, known, found)
        known = {**(known or {}), **found}
        manifest.begin(folder, plan, source, known)
    for step in steps:
        step.run(source, folder)
    made = manifest.write(folder, plan, archives, known)
    log.info("%s: made, manifest %s", folder, made)
    return made


@contextlib.contextmanager
def _alone(folder):
    """A context in which no other process prepares the folder, where the file system has locks."""
    if not locks.AVAILABLE:
        yield
        return
    lock = locks.acquire(folder / LOCK, "prepare.folder")
    if lock is None:
        raise UserError(
            f"{folder}: another process is preparing it; wait for it, or stop it and run this again"
        )
    try:
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        lock.close()
        with contextlib.suppress(OSError):  # it stays if there is something in it
            folder.rmdir()


def _check_steps(names):
    """Raise a UserError if two steps of one class would make the same files."""
    raise_all(
        f"prepare.steps: has {name} twice; both read prepare.source and make the same files, so "
        "the second would do nothing: write one, with the arguments of both"
        for name in sorted({name for name in names if names.count(name) > 1} - REPEATABLE)
    )


def _list_sources(source, folder, known):
    """The files of the source, if it is complete and its earlier files are known; else {}."""
    is_complete = source.is_dir() and not (source / UNPACKING).exists()
    return sources.list_files(source, folder, known) if known and is_complete else {}


def _unpack_archives(settings, source):
    """Download the archives and unpack them into `source`.

    If `source` has files and no download was begun, they are used as they are.

    Returns:
        {file: SHA-256} of the archives.
    """
    archives = [Path(settings.archives) / download.file for download in settings.downloads]
    marker = source / UNPACKING
    is_begun = marker.exists() or any(map(_is_begun, archives))
    if archives and not is_begun and files_below(source):
        log.info("%s: exists, nothing is downloaded", source)
        return {}
    if any(not archive.exists() for archive in archives):
        log.info("license: %s", settings.license)
    digests = {}
    for download, archive in zip(settings.downloads, archives, strict=True):
        digests[download.file] = fetch(download.urls, archive, download.sha256)
        write_files({marker: "archives are being unpacked here\n"})
        remove_unfinished(source)
        unpack(archive, source, checked=download.sha256 is not None)
    marker.unlink(missing_ok=True)
    return digests


def _is_begun(archive):
    """Was the download of an archive begun?"""
    return archive.exists() or archive.with_name(archive.name + ".part").exists()


def _plan(settings):
    """What determines the content of the folder, as plain data."""
    return {
        "downloads": [[d.file, d.sha256] for d in settings.downloads],
        "steps": [{"class": step.class_name, "args": step.args} for step in settings.steps],
    }
